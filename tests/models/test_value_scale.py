from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from poise.data.dataset import Dataset
from poise.data.ingest.build import build_dataset
from poise.data.queries import Queries
from poise.data.split import leave_last_out
from poise.models import EASE, ItemKNN
from poise.models.value_scale import ValueScale
from poise.recommender import load


@pytest.mark.parametrize("by", ["log", "quantile"])
def test_weights_rise_with_the_value_and_are_1_in_the_mean(by):
    values = np.random.default_rng(0).lognormal(1, 1, 5_000).astype(np.float32)
    scale = ValueScale.of(values, by)
    weights = scale.weights(values)
    assert weights.mean() == pytest.approx(1, abs=0.02)
    assert (np.diff(weights[np.argsort(values)]) >= 0).all()
    assert scale.weights(np.array([np.nan], dtype=np.float32)).tolist() == [1]
    extremes = scale.weights(np.array([-5, 0, 1e30], dtype=np.float32))
    assert np.isfinite(extremes).all()
    assert (extremes >= 0).all()


def test_a_log_and_a_rank_by_hand():
    values = np.array([1, 1, 3, np.nan], dtype=np.float32)
    mean = (2 * np.log(2) + np.log(4)) / 3
    by_log = ValueScale.of(values, "log").weights(np.array([1, 3, 7], dtype=np.float32))
    np.testing.assert_allclose(by_log, np.log([2, 4, 8]) / mean, rtol=1e-6)
    by_rank = ValueScale.of(np.arange(11, dtype=np.float32), "quantile").weights(
        np.array([-1, 5, 99], dtype=np.float32)
    )
    np.testing.assert_allclose(by_rank, [0.5, 1, 1.5], atol=0.02)


@pytest.mark.parametrize("values", [[], [np.nan], [4, 4, 4], [4, np.nan, 4]])
def test_values_that_tell_nothing_apart_make_no_scale(values):
    for by in ("log", "quantile"):
        assert ValueScale.of(np.array(values, dtype=np.float32), by) is None
    assert ValueScale.of(np.array([1, 2], dtype=np.float32), "none") is None


@pytest.fixture
def plays() -> Dataset:
    """Return a log of plays: what is played often is of the listener's genre, what is played once is anything."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(1_500):
        genre = int(rng.integers(6))
        of_genre = [(int(item), float(rng.integers(20, 60))) for item in genre * 10 + rng.choice(10, 5, replace=False)]
        others = [(int(item), 1.0) for item in rng.choice(60, 8, replace=False) if item // 10 != genre]
        heard = [*of_genre[:-2], *others]
        rng.shuffle(heard)
        rows += [
            (f"u{user}", f"i{item}", 1_600_000_000_000 + place * 60_000, plays)
            for place, (item, plays) in enumerate([*heard, *of_genre[-2:]])
        ]
    events = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp", "value"], orient="row")
    return replace(build_dataset(events), value_kind="count")


@pytest.mark.parametrize("model", [ItemKNN, EASE])
def test_values_weigh_events_where_validation_says_that_this_helps(plays, model, tmp_path):
    split = leave_last_out(plays)
    chosen = model(decay=1.0).fit(split.train, split.valid)
    assert chosen.selection["value_weight"] in ("log", "quantile")
    assert chosen.metrics["NDCG@10 with value weight log"] > chosen.metrics["NDCG@10 with value weight none"]
    queries = Queries.from_histories([[3, 9], [3, 9]], plays.item_ids, values=[[1, 50], [50, 1]])
    scores = chosen.score(queries)
    assert np.abs(scores[0] - scores[1]).max() > 0.01
    chosen.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").score(queries), scores)
    assert chosen.refit(split.train_and_valid).selection["value_weight"] in ("log", "quantile")


def test_attributions_add_up_to_scores_that_values_weigh(plays):
    model = EASE(l2=5.0, decay=0.8, value_weight="quantile").fit(plays)
    queries = Queries.from_histories([[3, 9, 14]], plays.item_ids, values=[[1, 50, 7]])
    items = np.array([1, 5, 20], dtype=np.int32)
    added = model.attributions(queries, items)
    np.testing.assert_allclose(added.sum(axis=0), model.score(queries)[0, items], rtol=1e-4, atol=1e-6)


def test_values_that_say_nothing_of_taste_do_not_weigh(plays):
    rng = np.random.default_rng(1)
    shuffled = replace(plays, events=replace(plays.events, value=rng.permutation(plays.events.value)))
    split = leave_last_out(shuffled)
    assert "value_weight" not in ItemKNN(decay=1.0).fit(split.train, split.valid).selection


def test_labels_and_values_of_no_known_kind_do_not_weigh(plays):
    for kind in ("label", None):
        split = leave_last_out(replace(plays, value_kind=kind))
        assert "value_weight" not in ItemKNN(decay=1.0).fit(split.train, split.valid).selection


def test_none_given_leaves_all_events_alike(plays):
    split = leave_last_out(plays)
    model = ItemKNN(decay=1.0, value_weight="none").fit(split.train, split.valid)
    assert model.selection == {}
    assert "value_weight" in ItemKNN(value_weight="log").fit(split.train).selection
