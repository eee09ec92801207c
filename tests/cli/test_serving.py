"""``poise keys``, ``poise runs`` and ``poise learn``; ``poise serve`` is tested as a process in tests/serve."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from poise.cli.group import group
from poise.errors import DataError, PoiseError, UsageError
from poise.project import Project
from poise.store.records import Event

Run = Callable[..., str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = random.Random(0)
    rows = [
        (f"u{user}", f"i{item}", 1_700_000_000 + user * 50 + index)
        for user in range(40)
        for index, item in enumerate(rng.sample(range(user % 2, 30, 2), 6))
    ]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    frame.write_csv(tmp_path / "log.csv")
    (tmp_path / "poise.toml").write_text(
        'name = "shop"\n[data]\nevents = "log.csv"\n[pipeline]\nmodels = ["ItemKNN", "Popularity"]\n'
        '[encoder]\nmodel = "none"\n[evaluation]\nprotocols = ["leave-last-out"]\nk = [5]\n'
    )
    return tmp_path


@pytest.fixture
def poise(folder: Path) -> Run:
    def run(*words: str) -> str:
        result = CliRunner().invoke(group, [*words, "-p", str(folder)], catch_exceptions=True)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def test_keys_are_made_listed_and_revoked(poise: Run, folder: Path) -> None:
    made = json.loads(poise("keys", "create", "--scope", "read", "--name", "shop", "--json"))
    with Project(folder).open_store() as store:
        key = store.check_key(made["token"])
        assert key is not None
        assert key.scopes == ("read",)
    (listed,) = json.loads(poise("keys", "list", "--json"))
    assert (listed["key_id"], listed["name"], listed["revoked"]) == (made["key_id"], "shop", None)
    assert made["token"] not in poise("keys", "list")
    poise("keys", "revoke", made["key_id"])
    with Project(folder).open_store() as store:
        assert store.check_key(made["token"]) is None
    with pytest.raises(UsageError, match="no valid key"):
        poise("keys", "revoke", made["key_id"])


@pytest.fixture
def runs(poise: Run, folder: Path) -> list[str]:
    """Return the names of three runs, the oldest first."""
    poise("fit")
    (first,) = Project(folder).runs
    for later in ("2", "3"):
        shutil.copytree(folder / "runs" / first, folder / "runs" / f"{first}-{later}")
    return Project(folder).runs


def served_run(poise: Run) -> str:
    return next(row["run"] for row in json.loads(poise("runs", "list", "--json")) if row["served"])


def test_a_run_is_promoted_and_rolled_back(poise: Run, runs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first, _, third = runs
    assert served_run(poise) == third
    assert f"before it was {third}" in poise("runs", "promote", first)
    monkeypatch.setenv("COLUMNS", "200")
    assert f"{first}  (served)" in poise("runs", "list")
    monkeypatch.setenv("COLUMNS", "40")
    assert f" {third[:10]}" in poise("runs", "list")  # no column of a narrow table vanishes
    assert third in poise("runs", "rollback")
    assert served_run(poise) == third
    with pytest.raises(UsageError, match="no run 'nothing'"):
        poise("runs", "promote", "nothing")


def test_each_rollback_goes_further_back(poise: Run, runs: list[str]) -> None:
    first, second, third = runs
    for earlier in (second, first):
        assert earlier in poise("runs", "rollback")
        assert served_run(poise) == earlier
    with pytest.raises(UsageError, match=f"no run was served before {first}"):
        poise("runs", "rollback")
    for name in (third, second):
        poise("runs", "promote", name)
    for earlier in (third, first):
        poise("runs", "rollback")
        assert served_run(poise) == earlier


def test_a_rollback_passes_over_what_is_gone_or_damaged(poise: Run, runs: list[str], folder: Path) -> None:
    first, second, third = runs
    for name in (first, second, third):
        poise("runs", "promote", name)
    (folder / "runs" / second / "pipeline" / "model.json").write_text("{")
    poise("runs", "rollback")
    assert served_run(poise) == first
    poise("runs", "promote", third)
    shutil.rmtree(folder / "runs" / first)
    with pytest.raises(UsageError, match=f"no run was served before {third}"):
        poise("runs", "rollback")


def test_poise_learn_updates_a_run_and_promotes_it(poise: Run, folder: Path) -> None:
    poise("fit")
    project = Project(folder)
    with pytest.raises(PoiseError, match="no live log"):
        poise("learn")
    store = project.fill_store()
    with pytest.raises(DataError, match="too little was done"):
        poise("learn")
    with pytest.raises(DataError, match="needed to compare|too little"):
        poise("runs", "compare", project.runs[0], project.runs[0])
    rng = random.Random(1)
    now = int(time.time() * 1000) - 600_000
    events = [
        Event(f"n{user}", f"i{item}", "interaction", None, now + index * 150_000 + user)
        for user in range(450)
        for index, item in enumerate(rng.sample(range(user % 2, 30, 2), 4))
    ]
    store.add_events(events).result()
    learnt = json.loads(poise("learn", "--json"))
    assert learnt["new_events"] == len(events)
    assert learnt["run"] is not None
    assert store.setting("run") == learnt["run"]
    assert project.run(learnt["run"]).metadata["parent"] == learnt["parent"]
    store.close()


def test_runs_that_hold_an_erased_user_are_listed_until_the_next_fit(poise: Run, folder: Path) -> None:
    poise("fit")
    project = Project(folder)
    with project.fill_store() as store:
        store.erase_user("u1", project.runs, "test").result()
    (row,) = json.loads(poise("runs", "list", "--json"))
    assert row["holds_erased_users"] == 1
    time.sleep(1.1)
    poise("fit")
    assert [row["holds_erased_users"] for row in json.loads(poise("runs", "list", "--json"))] == [1, 0]
    assert "u1" not in project.data().user_ids
