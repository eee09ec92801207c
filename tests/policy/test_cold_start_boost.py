from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from poise.candidates import Candidates
from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.ragged import Ragged
from poise.data.split import leave_last_out
from poise.models import Content, Popularity
from poise.models.validation import mean_ndcg, sample
from poise.pipeline import Pipeline
from poise.policy import ColdStartBoost, HideSeen
from poise.policy.cold_items import BOOSTS, boost_distance, measure_costs
from poise.policy.cold_start_boost import COST, WORTH, choose_boost
from poise.recommender import load
from poise.types import Doubles


def _boost(pipeline: Pipeline) -> float:
    step = pipeline.step(ColdStartBoost)
    assert step is not None
    return step.strength


def test_a_boost_is_a_share_of_the_distance_from_the_mean_to_the_best_score() -> None:
    scores = np.array([[99, 0, 2, 4, 6], [99, 1, 1, 1, 5]], dtype=np.float32)  # column 0 is padding
    distance = boost_distance(Candidates.of_catalogue(scores), np.array([1, 2], dtype=np.int32), np.array([True] * 2))
    assert distance.tolist() == [3, 0]  # in the second row nothing tells the new items apart


def test_measured_boosts_agree_with_pipelines_of_that_boost(films: Dataset) -> None:
    split = leave_last_out(films)
    ranker = Content().fit(split.train, split.valid)
    new = np.flatnonzero(split.train.item_counts[1:] == 0).astype(np.int32) + 1
    costs = measure_costs(ranker, split.valid, new[:-1])  # the very last film has no vector
    metrics = dict(zip(BOOSTS, costs, strict=True))
    for cold_start_boost in (0.0, 0.3, 0.8):
        policy = [HideSeen(), ColdStartBoost(boost=cold_start_boost)]
        pipeline = Pipeline(ranker=ranker, policy=policy).fit(split.train, split.valid)
        assert metrics[cold_start_boost] == pytest.approx(mean_ndcg(pipeline, sample(split.valid)), abs=1e-9)


def _finds(by_boost: dict[float, float]) -> Doubles:
    """Return finds of 200 requests that are the same but for the boost: nothing is left to chance."""
    return np.repeat(np.array([[by_boost.get(boost, 0.0)] for boost in BOOSTS]), 200, axis=1)


def test_the_boost_is_taken_that_finds_most_within_the_cost() -> None:
    costs = np.array([0.1, 0.12, 0.1 * (1 - COST) + 1e-9, *[0.098] * (len(BOOSTS) - 3)])
    finds = {0.0: 0.01, 0.05: 0.05, 0.1: 0.2, 0.15: 0.3, 0.8: 0.9}
    assert choose_boost(costs, _finds(finds), 0) == 0.1
    assert choose_boost(costs, _finds(finds | {0.1: 0.05}), 0) == 0.05  # the smaller of two that find as much


def test_a_boost_that_finds_nothing_new_is_not_taken() -> None:
    costs = np.array([0.1, *[0.0995] * (len(BOOSTS) - 1)])
    assert choose_boost(costs, _finds({}), 0) == 0
    assert choose_boost(costs, np.zeros((len(BOOSTS), 0)), 0) == 0
    assert choose_boost(costs, _finds({0.3: WORTH * 0.0005 * 0.9}), 0) == 0  # less than it is worth
    assert choose_boost(costs, _finds({0.3: WORTH * 0.0005 * 1.1}), 0) == 0.3
    by_chance = np.zeros((len(BOOSTS), 317))
    by_chance[1:, :2] = 1.0
    assert choose_boost(np.full(len(BOOSTS), 0.1), by_chance, 317) == 0


def test_what_twins_find_does_not_count_where_real_requests_find_nothing() -> None:
    costs = np.full(len(BOOSTS), 0.1)
    of_twins = _finds({0.3: 0.4})
    assert choose_boost(costs, of_twins, 0) == 0.3
    real = np.zeros((len(BOOSTS), 73))
    assert choose_boost(costs, np.hstack([real, of_twins]), 73) == 0
    assert choose_boost(costs, np.hstack([real[:, :2], of_twins]), 2) == 0.3  # two say nothing


def test_new_items_are_boosted_and_explained_where_users_choose_them(films: Dataset, tmp_path: Path) -> None:
    split = leave_last_out(films)
    new = int(films.item_ids.index(["i22"])[0])  # without events, with a vector
    wanted = Ragged.from_rows([[new]] * len(split.valid))
    valid = replace(split.valid, targets=wanted, values=np.full(len(wanted), np.nan, dtype=np.float32))
    ranker = Content()
    pipeline = Pipeline(ranker=ranker).fit(split.train, valid)
    boost = _boost(pipeline)
    assert boost > 0
    assert pipeline.step(ColdStartBoost).finds[boost] > pipeline.step(ColdStartBoost).finds[0.0]
    slates = pipeline.recommend(split.test.queries, 10, explain=True)
    rows, places = np.nonzero(slates.items == new)
    plain = Pipeline(ranker=ranker, policy=[HideSeen()]).fit(split.train, valid).recommend(split.test.queries, 10)
    assert 0 <= (plain.items == new).sum() < len(rows)
    assert slates.reasons is not None
    for row, place in zip(rows, places, strict=True):
        first, *rest = slates.reasons[row][place]
        assert (first.kind, first.text([])) == ("new", "new")
        assert first.share + sum(reason.share for reason in rest) <= 1 + 1e-6
    pipeline.save(tmp_path / "pipeline")
    again = load(tmp_path / "pipeline")
    assert np.array_equal(again.recommend(split.test.queries, 10).items, slates.items)
    assert _boost(pipeline.refit(films)) == boost


def test_without_new_items_no_boost_is_selected(films: Dataset) -> None:
    touched = films.select(np.ones(films.n_events, dtype=np.bool_))
    split = leave_last_out(touched)
    bare = replace(split.train, vectors={})
    held: Holdout = split.valid
    pipeline = Pipeline(ranker=Popularity()).fit(bare, held)
    assert _boost(pipeline) == 0
    assert pipeline.step(ColdStartBoost).selected is None
