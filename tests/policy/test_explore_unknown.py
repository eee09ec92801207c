"""Room for chance where nothing is known of who asks: how much, how likely, and for nobody else."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from poise.data.queries import Queries
from poise.models import Popularity
from poise.pipeline import Pipeline
from poise.policy import ColdStartBoost, ExploreUnknown, HideSeen


@pytest.fixture
def films(log_of):
    """Return a log of 24 items, of which none is as popular as another."""
    return log_of([list(range(first, 25)) for first in range(1, 25)])


@pytest.fixture
def pipeline(films):
    """Return a pipeline that gives a fifth of the places to chance."""
    return Pipeline(ranker=Popularity(), policy=[HideSeen(), ColdStartBoost(), ExploreUnknown(rate=0.2)]).fit(films)


@pytest.fixture
def nobody(films):
    """Return one request of somebody unknown, and one of somebody with a history."""
    return Queries.from_histories([[], [3]], films.item_ids)


def test_items_are_drawn_as_often_as_their_probability_says(pipeline, nobody):
    rng, rounds = np.random.default_rng(1), 3_000
    counts = Counter()
    for _ in range(rounds):
        slates, _ = pipeline.rank(nobody, 10, rng=rng)
        assert slates.probabilities[0, :8].tolist() == [1] * 8
        assert slates.probabilities[0, 8:].tolist() == pytest.approx([2 / 16] * 2)  # of 24 items 8 are shown anyway
        assert [slates[0].sources[place] for place in (0, 8, 9)] == ["catalogue", "drawn", "drawn"]
        assert len(set(slates.items[0].tolist())) == 10
        counts.update(slates.items[0, 8:].tolist())
    assert len(counts) == 16
    expected = rounds * 2 / 16
    assert sum((count - expected) ** 2 / expected for count in counts.values()) < 31  # 15 degrees of freedom, p .01


def test_nothing_is_drawn_for_somebody_known_nor_without_a_source_of_chance(pipeline, nobody):
    plain, _ = pipeline.rank(nobody, 10)
    drawn, _ = pipeline.rank(nobody, 10, rng=np.random.default_rng(1))
    assert drawn.items[1].tolist() == plain.items[1].tolist()
    assert plain.probabilities.tolist() == [[1.0] * 10] * 2
    assert pipeline.recommend(nobody, 10).items.tolist() == plain.items.tolist()


@pytest.mark.parametrize(("rate", "k", "expected"), [(0.2, 1, 0), (0.2, 2, 1), (0.5, 10, 5), (1.0, 4, 4), (0.0, 10, 0)])
def test_how_many_places_are_drawn(films, nobody, rate, k, expected):
    pipeline = Pipeline(ranker=Popularity(), policy=[ExploreUnknown(rate=rate)]).fit(films)
    slates, _ = pipeline.rank(nobody, k, rng=np.random.default_rng(0), explain=True)
    assert [source == "drawn" for source in slates[0].sources] == [False] * (k - expected) + [True] * expected
    kinds = [[reason.kind for reason in of_item] for of_item in slates.reasons[0]]
    assert kinds == [["popular"]] * (k - expected) + [["random"]] * expected


def test_where_fewer_may_be_shown_than_there_are_places_all_are(films, nobody):
    from dataclasses import replace

    few = np.isin(np.arange(25), [2, 4, 6])
    pipeline = Pipeline(ranker=Popularity(), policy=[ExploreUnknown(rate=0.2)]).fit(films)
    slates, _ = pipeline.rank(replace(nobody, allowed=[few, few]), 10, rng=np.random.default_rng(0))
    assert sorted(slates.items[0][:3].tolist()) == [2, 4, 6]
    assert not slates.items[0][3:].any()
