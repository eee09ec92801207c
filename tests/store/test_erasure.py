from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from poise.store import Store
from poise.store.records import Event, Impression, User

MakeEvent = Callable[..., Event]


def fill(store: Store, make_event: MakeEvent, user: str) -> None:
    store.add_events([make_event(user=user, item=f"i{n}", event_id=f"{user}-{n}") for n in range(3)]).result()
    store.add_events([make_event(user="somebody else")]).result()
    store.put_users([User(user, {"city": "Bonn"}), User("somebody else", {})]).result()
    store.add_impressions(
        [
            Impression(f"r{n}", 0, who, 1, None, "run-1", "ranker", [], [], [], [])
            for n, who in enumerate((user, "x", None))
        ]
    ).result()


def test_erasure_removes_everything_but_a_receipt(store: Store, make_event: MakeEvent) -> None:
    fill(store, make_event, "u")
    receipt = store.erase_user("u", ["run-1", "run-2"], "key 1").result()
    assert receipt.counts == {"events": 3, "users": 1, "impressions": 1}
    assert receipt.runs == ["run-1", "run-2"]
    assert receipt.subject == store.subject("u") != store.subject("somebody else")
    assert store.history("u") == []
    assert store.user("u") is None
    assert store.impressions("r0") == []
    assert len(store.history("somebody else")) == 1
    assert store.user("somebody else") is not None
    assert store.impressions("r1")
    assert store.erasures() == [receipt]
    assert store.erase_user("nobody", [], "key 1").result().counts == {"events": 0, "users": 0, "impressions": 0}


def test_the_audit_log_does_not_name_the_user(store: Store, make_event: MakeEvent) -> None:
    fill(store, make_event, "a very special name")
    receipt = store.erase_user("a very special name", [], "key 1").result()
    (line,) = store.audit()
    assert (line.actor, line.act) == ("key 1", "erase_user")
    assert line.detail["user"] == receipt.subject
    assert line.detail["receipt_id"] == receipt.receipt_id
    assert "special" not in repr((line, receipt))


def test_the_hash_of_an_erased_user_differs_between_projects(open_store: Callable[..., Store]) -> None:
    first, again, other = open_store(), open_store(), open_store("another project")
    assert first.subject("u") == again.subject("u") != other.subject("u")


def on_disk(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.iterdir())


def test_files_hold_nothing_of_an_erased_user(tmp_path: Path, make_event: MakeEvent) -> None:
    path = tmp_path / "live.sqlite"
    with Store.open(path) as store:
        fill(store, make_event, "a very special name")
        assert b"very special" in on_disk(path)
        store.erase_user("a very special name", [], "me").result()
        store.add_audit("me", "wait for the writer", {}).result()
        assert b"very special" not in on_disk(path)


def test_files_hold_nothing_once_the_last_reader_is_gone(tmp_path: Path, make_event: MakeEvent) -> None:
    path = tmp_path / "live.sqlite"
    with Store.open(path) as store:
        fill(store, make_event, "a very special name")
        reader = sqlite3.connect(path)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM poise_events").fetchone()
        start = time.monotonic()
        store.erase_user("a very special name", [], "me").result()
        store.add_events([make_event()]).result()
        assert time.monotonic() - start < 4  # nobody waits for the reader
        assert b"very special" in on_disk(path)
        reader.close()
        deadline = time.monotonic() + 20
        while b"very special" in on_disk(path) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert b"very special" not in on_disk(path)
