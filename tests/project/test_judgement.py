"""An honest word: fit says whether the pipeline beats Popularity, why not, and serves the better one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from poise.project import Project
from poise.project.fitting import fit
from poise.project.run import Run

TOML = '[data]\nevents = "log.csv"\n[encoder]\nmodel = "none"\n[pipeline]\nmodels = ["ItemKNN", "Popularity"]\n'


def write_log(folder: Path, *, taste: float, extra: str = "") -> Path:
    """Write a shop of 150 people who choose from their own third of the things in a share of the cases."""
    rng = np.random.default_rng(3)
    lines = ["user_id,item_id,timestamp"]
    for user in range(150):
        own, others = np.arange(user % 3, 60, 3), np.arange(60)
        chosen: dict[int, None] = {}
        while len(chosen) < 8:
            chosen[int(rng.choice(own if rng.random() < taste else others))] = None
        lines += [f"u{user},i{item},{1_700_000_000 + 86_400 * n + user}" for n, item in enumerate(chosen)]
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "log.csv").write_text("\n".join(lines) + "\n")
    (folder / "poise.toml").write_text(TOML + extra)
    return folder


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return the run of a log in which everybody chooses at random."""
    return fit(Project(write_log(tmp_path_factory.mktemp("noise"), taste=0.0)))


def test_where_there_is_a_signal_the_pipeline_beats_popularity_and_is_served(tmp_path: Path) -> None:
    run = fit(Project(write_log(tmp_path, taste=0.9)))
    judgement = run.metadata["judgement"]
    assert {other: of_other["result"] for other, of_other in judgement["against"].items()} == {
        "Popularity": "better",
        "Random": "better",
    }
    assert (judgement["serves"], judgement["reasons"]) == ("pipeline", [])
    assert judgement["lines"][0].startswith("The pipeline beats Popularity: NDCG@10 differs by +")
    assert run.metadata["pipeline"] == "Blend"


def test_in_noise_popularity_is_served_and_the_reason_given(noise: Run) -> None:
    judgement = noise.metadata["judgement"]
    of_popularity = judgement["against"]["Popularity"]
    assert of_popularity["result"] == "no difference shown"
    assert of_popularity["low"] <= of_popularity["value"] <= of_popularity["high"]
    assert judgement["serves"] == "Popularity"
    assert noise.metadata["pipeline"] == "Popularity"
    assert "no signal found" in judgement["reasons"][0]
    assert "95 % interval" in judgement["lines"][0]
    page = (noise.path / "report.html").read_text(encoding="utf-8")
    assert "is not shown to beat Popularity" in page
    assert "no signal found" in page


def test_what_is_served_is_the_same_for_everybody_and_still_knows_what_is_alike(noise: Run) -> None:
    pipeline = noise.pipeline
    first, second = (pipeline.recommend(noise.queries([[item]]), 5, explain=True)[0] for item in (1, 2))
    assert len(set(first.items) & set(second.items)) >= 4
    assert noise.metadata["metrics"].keys() >= {"NDCG@10", "Recall@10"}
    assert len(pipeline.similar(["i3"], 4)[0].items) == 4


def test_whoever_wants_the_pipeline_gets_it(tmp_path: Path) -> None:
    run = fit(Project(write_log(tmp_path, taste=0.0, extra='[fit]\nserve = "pipeline"\n')))
    assert run.metadata["judgement"]["serves"] == "pipeline"
    assert "is not shown to beat Popularity" in run.metadata["judgement"]["lines"][0]


def test_at_a_terminal_it_is_asked(tmp_path: Path) -> None:
    heard: list[str] = []

    def ask(judgement) -> bool:
        heard.extend(judgement.lines)
        return False

    run = fit(Project(write_log(tmp_path, taste=0.0)), ask=ask)
    assert run.metadata["judgement"]["serves"] == "pipeline"
    assert any(line.startswith("Why: ") for line in heard)


def test_too_few_requests_do_not_cost_the_pipeline_its_place(tmp_path: Path) -> None:
    folder = write_log(tmp_path, taste=0.0)
    lines = (folder / "log.csv").read_text().splitlines()
    (folder / "log.csv").write_text("\n".join(lines[: 1 + 8 * 30]) + "\n")
    assert fit(Project(folder)).metadata["judgement"]["serves"] == "pipeline"


def test_requests_that_hiding_drops_are_counted_aloud(tmp_path: Path) -> None:
    folder = write_log(tmp_path, taste=0.9)
    lines = (folder / "log.csv").read_text().splitlines()
    again = lines[1::8][:50]  # the first thing, once more
    again = [f"{','.join(line.split(',')[:2])},1710000000" for line in again]
    (folder / "log.csv").write_text("\n".join([*lines, *again]) + "\n")
    run = fit(Project(folder))
    told = "50 of 150 test requests ask for what the person already has: hide_seen = true leaves them out"
    assert run.metadata["judgement"]["lines"][-1] == f"{told}."
    assert json.loads((run.path / "metrics.json").read_text())["protocol"]["unreachable"] == 50
