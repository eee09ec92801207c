"""The rules of ``[data.cleaning]`` and ``[data.feedback]`` hold for what came live as they do for files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from poise.durations import DAY
from poise.project import Project
from poise.serve.clock import SYSTEM_CLOCK
from poise.store.records import Event

START = 1_760_000_000_000


def make(folder: Path, rules: str, column: str = "rating") -> Project:
    rows = [
        f"u{user},i{(user + step) % 7},{5 - step % 2},{START + user * 1_000 + step}"
        for user in range(9)
        for step in range(5)
    ]
    (folder / "log.csv").write_text("\n".join([f"user_id,item_id,{column},timestamp", *rows, ""]))
    (folder / "poise.toml").write_text(f'[data]\nevents = "log.csv"\n{rules}\n')
    return Project(folder)


def live(project: Project, *events: tuple[Any, ...]) -> None:
    with project.fill_store() as store:
        rows = [Event(user, item, behaviour, value, time) for user, item, behaviour, value, time in events]
        store.add_events(rows).result()


def test_what_a_rule_refuses_stays_in_the_log_and_is_not_learnt_from(tmp_path: Path) -> None:
    project = make(tmp_path, "[data.cleaning]\nmin_value = 4")
    of_files = project.data()
    far = SYSTEM_CLOCK.milliseconds() + 900 * DAY
    live(
        project,
        ("new", "i1", "rate", 1.0, START),
        ("new", "i2", "rate", 5.0, START),
        ("clock", "i1", "rate", 5.0, far),
    )
    data = project.data()
    assert data.n_events == of_files.n_events + 1
    assert np.nanmin(data.events.value) >= 4
    assert data.events.timestamp.max() < far
    assert data.rejections is None
    with project.open_store() as store:
        assert [event.item_id for event in store.history("new")] == ["i1", "i2"]
        assert len(store.history("clock")) == 1


def test_a_script_that_writes_to_the_api_is_not_learnt_from(tmp_path: Path) -> None:
    project = make(tmp_path, "[data.cleaning]\nmax_per_day = 100")
    of_files = project.data()
    live(project, *(("script", f"i{step % 7}", "view", None, START + step * 20_000) for step in range(150)))
    assert project.data().n_events == of_files.n_events


@pytest.mark.parametrize(
    ("behaviour", "value"), [("dislike", None), ("skip", None), ("hide", None), ("rate", 1.0), ("rating", 1.0)]
)
@pytest.mark.parametrize("column", ["rating", "shelf"])
def test_a_live_no_is_no_yes_at_the_next_fit(tmp_path: Path, behaviour: str, value: float | None, column: str) -> None:
    project = make(tmp_path, "", column)
    of_files = project.data()
    live(project, ("new", "i1", behaviour, value, START + DAY), ("new", "i2", "like", None, START + DAY))
    data = project.data()
    new = data.user_ids.index(["new"])[0]
    assert data.n_events == of_files.n_events + 1
    assert data.item_ids.ids(data.events.item[data.events.user == new]) == ["i2"]
    assert data.rejections is not None
    assert data.item_ids.ids(data.rejections.item[data.rejections.user == new]) == ["i1"]


def test_a_later_yes_counts_and_an_unlike_takes_the_like_back(tmp_path: Path) -> None:
    project = make(tmp_path, "")
    live(
        project,
        ("torn", "i1", "dislike", None, START),
        ("torn", "i1", "like", None, START + DAY),
        ("torn", "i2", "like", None, START),
        ("torn", "i2", "unlike", None, START + DAY),
        ("torn", "i3", "like", None, START),
    )
    data = project.data()
    torn = data.user_ids.index(["torn"])[0]
    assert sorted(data.item_ids.ids(data.events.item[data.events.user == torn])) == ["i1", "i3"]
    (rejected,) = [data.queries(["torn"]).rejected[0]]
    assert data.item_ids.ids(rejected) == ["i2"]


@pytest.mark.parametrize(("column", "lowest", "hidden"), [("rating", 0, ["i9"]), ("label", 0, [])])
def test_a_rating_of_0_is_a_no_and_a_label_of_0_is_nothing_that_the_person_did(
    tmp_path: Path, column: str, lowest: int, hidden: list[str]
) -> None:
    yes = 5 if column == "rating" else 1
    rows = [f"u{user},i{user + step},{yes},{START + step}" for user in range(6) for step in range(3)]
    rows.append(f"u1,i9,{lowest},{START + 9}")
    (tmp_path / "log.csv").write_text("\n".join([f"user_id,item_id,{column},timestamp", *rows, ""]))
    (tmp_path / "poise.toml").write_text('[data]\nevents = "log.csv"\n')
    data = Project(tmp_path).data()
    rejected = data.queries(["u1"]).rejected
    assert ([] if rejected is None else data.item_ids.ids(rejected[0])) == hidden
