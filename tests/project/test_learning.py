"""A candidate continues from a run and takes its place only if it is no worse."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from poise.data.dataset import Dataset
from poise.data.ingest.indexing import index
from poise.data.vocabulary import Vocabulary
from poise.errors import DataError
from poise.models import EASE
from poise.options.fit_options import FitOptions
from poise.project import Project
from poise.project.fitting import fit
from poise.project.learning import as_known_to, compare_runs, learn, newest
from poise.project.run import Run

DAY = 86_400_000  # milliseconds
FIRST = 1_700_000_000_000
N_ITEMS, N_NEW = 24, 4


def make_log(days: int) -> pl.DataFrame:
    """Return what people did in so many days: each goes round one of two circles; from day 20 on one has new items."""
    rows = []
    for user in range(80):
        half = user % 2
        for step in range(7):
            day = user % 10 + 3 * step
            size = N_ITEMS // 2 + (N_NEW if half and day >= 20 else 0)
            item = 2 * ((user // 2 + step) % size) + half
            if day < days:
                rows.append((f"u{user:02}", f"i{item:02}", "like" if step % 3 else "view", FIRST + day * DAY))
    return pl.DataFrame(rows, schema=["user_id", "item_id", "behaviour", "timestamp"], orient="row")


def titles(n: int) -> pl.DataFrame:
    """Return a catalogue with twelve items on one side and ``n`` on the other."""
    ids = sorted({2 * position for position in range(N_ITEMS // 2)} | {2 * position + 1 for position in range(n)})
    names = [f"{'Sea' if number % 2 else 'Moon'} Story {number}" for number in ids]
    return pl.DataFrame({"item_id": [f"i{number:02}" for number in ids], "title": names})


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project with what was done in the first sixteen days."""
    make_log(16).write_csv(tmp_path / "log.csv")
    titles(N_ITEMS // 2).write_csv(tmp_path / "items.csv")
    (tmp_path / "poise.toml").write_text(
        '[data]\nevents = "log.csv"\nitems = "items.csv"\n[encoder]\nmodel = "none"\n[pipeline]\n'
        'models = ["EASE", "SASRec"]\n[models.SASRec]\ndim = 8\nepochs = 1\nnegatives = 8\n'
    )
    return Project(tmp_path)


@pytest.fixture
def later() -> Dataset:
    """Return what was done in all days, with four items more."""
    return index(
        make_log(40), titles(N_ITEMS // 2 + N_NEW), item_kinds={"title": "text"}, title_column="title", name="live"
    )


def test_a_run_has_the_metadata_that_the_server_reads(project: Project) -> None:
    run = fit(project)
    assert run.metadata["behaviours"] == ["like", "view"]
    assert run.metadata["item_kinds"] == {"title": "text"}
    assert run.metadata["title_column"] == "title"
    assert run.until == run.metadata["data"]["until"] == FIRST + 15 * DAY


def test_a_challenger_that_is_no_worse_is_promoted(project: Project, later: Dataset) -> None:
    run = fit(project)
    learnt = learn(project, run, later, requests=20)
    assert learnt.run is not None
    assert project.runs == [run.name, learnt.run.name]
    promoted = Run.open(learnt.run.path)
    assert promoted.metadata["parent"] == run.name == learnt.parent
    assert promoted.metadata["compared"][run.name] == learnt.champion
    assert promoted.metadata["compared"]["challenger"] == learnt.challenger >= 0.99 * learnt.champion
    assert promoted.metadata["metrics"][learnt.metric] == learnt.challenger
    assert promoted.metadata["data"]["events"] == later.n_events
    assert promoted.until == later.events.until
    assert learnt.new_events == make_log(40).height - make_log(16).height
    assert learnt.verdict.startswith(f"run {promoted.name} continues from {run.name}")
    assert promoted.pipeline.data_fingerprint == as_known_to(run, later).fingerprint  # it learnt from the newest too
    assert promoted.pipeline.item_ids.series.head(N_ITEMS).equals(run.pipeline.item_ids.series)
    assert (promoted.path / "report.html").is_file()
    moons = promoted.find("i02, i04, i06")
    assert len(promoted.pipeline.recommend(promoted.queries([moons]), 5)[0]) == 5


def test_a_challenger_that_is_worse_is_refused(
    project: Project, later: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = fit(project)

    def ruin(self: EASE, data: Dataset, valid: None, options: FitOptions) -> None:
        self._refit(data, options)
        self.weights = -self.weights

    monkeypatch.setattr(EASE, "_update", ruin)
    learnt = learn(project, run, later, requests=20)
    assert learnt.run is None
    assert learnt.challenger < learnt.champion
    assert "is worse" in learnt.verdict
    assert project.runs == [run.name]


def test_the_challenger_does_not_train_on_comparison_events(
    project: Project, later: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = fit(project)
    assert run.until is not None
    seen: list[Dataset] = []
    update: Callable[..., None] = EASE._update

    def spy(self: EASE, data: Dataset, valid: None, options: FitOptions) -> None:
        seen.append(data)
        update(self, data, valid, options)

    monkeypatch.setattr(EASE, "_update", spy)
    learnt = learn(project, run, later, requests=20)
    first, second = seen
    held = later.n_events - first.n_events
    assert 0 < held <= learnt.new_events / 2 + 80  # events of one day fall on one side
    assert learnt.requests <= held
    assert first.events.until > run.until
    assert second.n_events == later.n_events


def test_too_few_events_to_compare_on(project: Project, later: Dataset) -> None:
    run = fit(project)
    with pytest.raises(DataError, match="in the newer half of them [0-9]+ people to compare on where 200 are needed"):
        learn(project, run, later)
    with pytest.raises(DataError, match="0 events"):
        learn(project, run, project.data())
    with pytest.raises(DataError, match="only 0 people did anything since"):
        newest(project.data(), [run])
    with pytest.raises(DataError, match="no timestamps"):
        learn(project, run, replace(later, events=replace(later.events, has_time=False)))
    assert project.runs == [run.name]


def test_a_run_of_an_older_version_can_be_continued(project: Project, later: Dataset) -> None:
    run = fit(project)
    metadata = json.loads((run.path / "run.json").read_text(encoding="utf-8"))
    for name in ("behaviours", "item_kinds", "title_column"):
        del metadata[name]
    del metadata["data"]["until"]
    (run.path / "run.json").write_text(json.dumps(metadata), encoding="utf-8")
    learnt = learn(project, Run.open(run.path), later, requests=20)
    assert learnt.new_events == make_log(40).height - make_log(16).height


def test_the_catalogue_is_reordered_to_that_of_the_run(project: Project, later: Dataset) -> None:
    run = fit(project)
    shuffled = later.item_ids.series.sample(fraction=1.0, shuffle=True, seed=1).to_list()
    shuffled.remove("i04")  # it is no longer there
    old = np.append(0, later.item_ids.index(shuffled))
    new = np.zeros(later.item_ids.size, dtype=np.int32)
    new[old] = np.arange(len(old))
    without_new = later.select(new[later.events.item] > 0)
    other = replace(
        without_new,
        item_ids=Vocabulary(shuffled),
        items=later.items[old[1:] - 1],
        events=replace(
            without_new.events, item=new[without_new.events.item], behaviour=3 - without_new.events.behaviour
        ),
        behaviour_ids=Vocabulary(["view", "like"]),
        vectors={"text": np.arange(len(old), dtype=np.float32)[:, None]},
    )
    reordered = as_known_to(run, other)
    assert reordered.item_ids.series.head(N_ITEMS).equals(run.pipeline.item_ids.series)
    assert reordered.n_items == later.n_items
    assert reordered.behaviour_ids.series.to_list() == ["like", "view"]
    for name in ("user", "behaviour", "timestamp"):
        np.testing.assert_array_equal(getattr(reordered.events, name), getattr(without_new.events, name))
    assert reordered.item_ids.ids(reordered.events.item) == later.item_ids.ids(without_new.events.item)
    gone = int(reordered.item_ids.index(["i04"])[0])
    assert reordered.items["title"][gone - 1] is None
    assert not reordered.vectors["text"][gone]
    rest = [item_id for item_id in reordered.item_ids.series if item_id != "i04"]
    there, before = reordered.item_ids.index(rest), later.item_ids.index(rest)
    assert [reordered.titles[position] for position in there] == [later.titles[position] for position in before]
    assert reordered.vectors["text"][there, 0].tolist() == other.item_ids.index(rest).tolist()
    assert as_known_to(run, reordered) is reordered


def test_runs_are_compared_on_events_after_both(project: Project, later: Dataset) -> None:
    runs = [fit(project), fit(project)]
    report = compare_runs(project, runs, later, requests=20)
    assert report.models == (runs[0].name, runs[1].name)
    first, second = (report.estimates[run.name]["NDCG@10"].value for run in runs)
    assert first == second > 0
    assert report.protocol.train_events == make_log(16).height
