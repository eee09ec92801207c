from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from poise.data.ingest.indexing import index
from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.errors import DataError
from poise.models import Popularity
from poise.recommender import load

DAY = 86_400_000

EVENTS = pl.DataFrame(
    {
        "user_id": list("abcdef"),
        "item_id": ["x", "x", "x", "y", "y", "z"],
        "timestamp": [0, 0, 10 * DAY, 20 * DAY, 10 * DAY, 20 * DAY],
        "value": [1.0, 3.0, None, 5.0, 5.0, None],
        "place": ["home", "home", "work", "work", None, "home\nor not"],
    }
)


def _asked(data, places):
    from dataclasses import replace

    queries = Queries.from_histories([[] for _ in places], data.item_ids)
    return replace(queries, context=pl.DataFrame({"place": places}, schema={"place": pl.String}))


def test_popularity_counts_events():
    data = index(EVENTS)
    scores = Popularity().fit(data).score(data.queries(["a"]))
    np.testing.assert_allclose(scores[0, 1:], np.log1p([3, 2, 1]), rtol=1e-6)


def test_who_repeats_a_thing_counts_once_by_the_newest_time():
    again = EVENTS.head(1).with_columns(timestamp=pl.lit(15 * DAY, dtype=EVENTS["timestamp"].dtype))
    data = index(pl.concat([EVENTS, *[again] * 50]))
    assert data.item_people[1:].tolist() == [3, 2, 1]
    np.testing.assert_allclose(Popularity().fit(data).score(data.queries(["a"]))[0, 1:], np.log1p([3, 2, 1]), rtol=1e-6)
    scores = np.expm1(Popularity(half_life=10.0).fit(data).score(data.queries(["a"]))[0, 1:])
    np.testing.assert_allclose(scores, [0.25 + 0.5 + 2**-0.5, 1 + 0.5, 1], rtol=1e-5)


def test_half_life_by_hand():
    data = index(EVENTS)
    model = Popularity(half_life=10.0).fit(data)
    np.testing.assert_allclose(
        model.score(data.queries(["a"]))[0, 1:], np.log1p([0.25 + 0.25 + 0.5, 1 + 0.5, 1]), rtol=1e-6
    )
    assert model.name == "Popularity, half-life 10 d"
    with pytest.raises(DataError, match="timestamps"):
        model.fit(index(EVENTS.drop("timestamp")))


def test_popularity_by_scenario_and_without_one(tmp_path):
    data = index(EVENTS)
    model = Popularity(scenario="place").fit(data)
    overall = np.log1p([3, 2, 1])
    expected = [np.log1p([2, 0, 0]), np.log1p([1, 1, 0]), np.log1p([0, 0, 1]), overall, overall]
    queries = _asked(data, ["home", "work", "home\nor not", "abroad", None])
    np.testing.assert_allclose(model.score(queries)[:, 1:], expected, rtol=1e-6)
    np.testing.assert_allclose(model.score(data.queries(["a"]))[0, 1:], overall, rtol=1e-6)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").score(queries), model.score(queries))
    with pytest.raises(DataError, match="'room'; there are: place"):
        Popularity(scenario="room").fit(data)


def test_an_empty_scenario_name_is_a_scenario(tmp_path):
    data = index(EVENTS.with_columns(place=pl.Series(["", None, None, None, None, None])))
    model = Popularity(scenario="place").fit(data)
    model.save(tmp_path / "model")
    queries = _asked(data, ["", None])
    for popularity in (model, load(tmp_path / "model")):
        np.testing.assert_allclose(popularity.score(queries)[0, 1:], np.log1p([1, 0, 0]), rtol=1e-6)


def test_predicted_mean_values_are_damped():
    data = index(EVENTS)
    overall = (1 + 3 + 5 + 5) / 4
    predicted = Popularity().fit(data).predict(data.queries(["a"]), Ragged.from_rows([[1, 2, 3]]))
    expected = [(4 + 5 * overall) / 7, (10 + 5 * overall) / 7, overall]
    np.testing.assert_allclose(predicted, expected, rtol=1e-6)
    bare = index(EVENTS.drop("value"))
    assert Popularity().fit(bare).predict(bare.queries(["a"]), Ragged.from_rows([[1]])) is None
