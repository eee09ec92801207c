from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from poise.errors import PoiseError, UsageError
from poise.store import Store, StoreError
from poise.store.records import Event, Impression, Item
from poise.store.sql.tables import REVISION, metadata

MakeEvent = Callable[..., Event]


def refused(url: str | Path, kind: type[PoiseError] = StoreError) -> str:
    with pytest.raises(kind) as caught:
        Store.open(url, "p")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_data_is_there_on_reopening(open_store: Callable[[], Store], make_event: MakeEvent) -> None:
    with open_store() as store:
        store.add_events([make_event()])
        store.put_items([Item("a", {})])
    again = open_store()
    assert again.history("u") == [make_event()]
    assert again.item("a") == Item("a", {})
    with pytest.raises(StoreError, match="closed"):
        store.add_events([make_event()])


def test_the_migrations_make_the_current_tables(open_store: Callable[[], Store], url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    open_store()
    address = f"sqlite:///{url}" if "://" not in url else url.replace("postgresql://", "postgresql+psycopg://")
    engine = sa.create_engine(address)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "poise_revision"})
        assert compare_metadata(context, metadata) == []
        versions = connection.execute(sa.text("SELECT version_num FROM poise_revision")).scalars().all()
    engine.dispose()
    scripts = ScriptDirectory(str(Path(sys.modules["poise.store.sql"].__file__ or "").parent / "migrations"))
    assert versions == [REVISION] == scripts.get_heads()


@pytest.fixture
def first_tables(url: str) -> Iterator[tuple[str, sa.Engine]]:
    """Return the URL of a database with the tables of revision 0001, and a way to write to it."""
    from alembic import command
    from alembic.config import Config

    address = f"sqlite:///{url}"
    if "://" in url:
        server = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            connection.execute(sa.text("CREATE DATABASE first_tables"))
        server.dispose()
        url = f"{url.rpartition('/')[0]}/first_tables"
        address = url.replace("postgresql://", "postgresql+psycopg://")
    engine = sa.create_engine(address)
    config = Config()
    config.set_main_option("script_location", "poise.store.sql:migrations")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    yield url, engine
    engine.dispose()


def test_a_store_of_the_first_version_is_migrated(first_tables: tuple[str, sa.Engine]) -> None:
    url, engine = first_tables
    with engine.begin() as connection:
        for statement in (
            "INSERT INTO poise_projects (id, name, version, salt) VALUES (1, 'p', 1, :salt)",
            "INSERT INTO poise_events (project, version, user_id, item_id, behaviour, time, request_id)"
            " VALUES (1, 1, 'u', 'a', 'click', 7, 'r1')",
            "INSERT INTO poise_impressions"
            ' (project, request_id, "offset", user_id, time, scenario, run, stage, shown, slate)'
            " VALUES (1, 'r1', 0, 'u', 5, 'home', 'run-1', 'ranker', 2, :slate)",
        ):
            values = {"salt": b"0" * 32, "slate": '[["a","b"],[0.5,0.25],[1.0,1.0]]'}
            used = {name: value for name, value in values.items() if f":{name}" in statement}
            connection.execute(sa.text(statement), used)
    engine.dispose()
    old = Impression("r1", 0, "u", 5, "home", "run-1", "ranker", ["a", "b"], [0.5, 0.25], [1.0, 1.0], ["ranker"] * 2)
    with Store.open(url, "p") as store:
        assert store.impressions("r1") == [old]
        new = replace(old, request_id="r2", sources=["ranker", "new"], arm="b", n_eligible=9)
        store.add_impressions([new]).result()
        assert store.impressions_of("u") == [new, old]
        assert store.history("u") == [Event("u", "a", "click", None, 7, request_id="r1")]


def test_a_store_of_a_newer_version_is_refused(open_store: Callable[[], Store], url: str) -> None:
    open_store().close()
    address = f"sqlite:///{url}" if "://" not in url else url.replace("postgresql://", "postgresql+psycopg://")
    engine = sa.create_engine(address)

    def pretend(revision: str) -> None:
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE poise_revision SET version_num = :new"), {"new": revision})

    pretend("0999")
    try:
        assert re.search(r"written by a newer Poise \(tables 0999, .*: upgrade Poise", refused(url))
    finally:
        pretend(REVISION)
        engine.dispose()


def test_many_processes_may_open_a_new_store_at_once(url: str, nursery: Any) -> None:
    nursery.bear(*[f"enter {url} at-once i{number}" for number in range(4)])
    assert list(nursery.last_words()) == [["dead", "0", "0", "0", "0"]]
    with Store.open(url, "at-once") as store:
        assert sorted(event.item_id for event in store.history("u")) == ["i0", "i1", "i2", "i3"]


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u@h/d",
        "postgresql+asyncpg://u@h/d",
        "http://h",
        "sqlite://",
        "://",
        "postgresql://u@h:x/d",
        ":memory:",
        "",
    ],
)
def test_invalid_store_urls_are_refused(url: str) -> None:
    assert "postgresql://" in refused(url, UsageError)


def test_forms_of_sqlite_urls(tmp_path: Path) -> None:
    path = tmp_path / "a b?c=d#e%20.sqlite"
    Store.open(path).close()
    Store.open(str(path)).close()
    Store.open(f"sqlite:///{tmp_path / 'other.sqlite'}").close()
    assert {file.name.removesuffix(".lock") for file in tmp_path.iterdir()} == {path.name, "other.sqlite"}


def test_a_missing_folder(tmp_path: Path) -> None:
    assert "its folder is there" in refused(tmp_path / "nowhere" / "live.sqlite")


def test_files_that_are_no_store_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    text = folder / "notes.txt"
    text.write_text("these are somebody's notes " * 100)
    assert "no SQLite database" in refused(text)
    assert "cannot be opened" in refused(folder)
    assert list(folder.iterdir()) == [text]  # nothing was written beside it
    assert list(tmp_path.iterdir()) == [folder]


def test_a_damaged_file(tmp_path: Path, make_event: MakeEvent) -> None:
    path = tmp_path / "live.sqlite"
    with Store.open(path, "p") as store:
        store.add_events([make_event(user=f"u{number}") for number in range(2_000)]).result()
    content = bytearray(path.read_bytes())
    content[8_192:] = b"\x55" * (len(content) - 8_192)
    path.write_bytes(content)
    assert "damaged" in refused(path)


def test_a_read_only_file() -> None:
    script = (
        "import os, sys, tempfile; from pathlib import Path; from poise.store import Store\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    path = Path(folder) / 'live.sqlite'\n"
        "    Store.open(path).close()\n"
        "    os.chmod(path, 0o444); os.chmod(f'{path}.lock', 0o666); os.chmod(folder, 0o555)\n"
        "    if os.geteuid() == 0: os.seteuid(65534)\n"  # root may write to anything
        "    for name in ('live.sqlite', 'new.sqlite'):\n"
        "        try: Store.open(Path(folder) / name)\n"
        "        except Exception as error: print(error)\n"
        "    if os.getuid() == 0: os.seteuid(0)\n"
        "    os.chmod(folder, 0o755)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    old, new = done.stdout.splitlines()
    assert "it may not be written to: check its permissions" in old
    assert "check that its folder is there and may be written to" in new


def test_an_unreachable_postgres_server(postgres: Any) -> None:
    address = "postgresql://poise:a-secret@127.0.0.1:1/x"
    assert re.search(r"cannot be reached \(.*refused.*\): start the server", refused(address))
    assert "a-secret" not in refused(address)
    assert 'database "nowhere" does not exist: create it' in refused(postgres.url.replace("/postgres", "/nowhere"))


def test_a_missing_postgres_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert refused("postgresql://u@127.0.0.1:1/x").endswith("pip install 'poise[postgres]'")


def test_importing_poise_imports_no_database() -> None:
    script = "import sys, poise, poise.data.dataset; assert not {'sqlalchemy', 'alembic'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
