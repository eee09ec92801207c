from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poise.data.vocabulary import Vocabulary
from poise.durations import DAY
from poise.serve.clock import Clock
from poise.serve.state.decayed_popularity import DecayedPopularity

IDS = Vocabulary(["a", "b", "c"])
NOW = int(time.time() * 1000)


def places(trends):
    """Return the ids of what is popular, the most popular first."""
    scores = trends.scores(IDS)
    assert np.isfinite(scores).all()
    assert scores[0] == 0
    return [IDS.id(item) for item in np.argsort(-scores, kind="stable") if scores[item] > 0]


def test_an_event_counts_half_after_each_half_life():
    trends = DecayedPopularity(7.0)
    trends.add([("a", "view", NOW - 7 * DAY, 4), ("b", "view", NOW, 1), ("c", "view", NOW - 14 * DAY, 4)])
    assert trends.scores(IDS)[1:] == pytest.approx([1 + 1e-3, 0.5 + 1e-3 * np.log(2) / np.log(5), 0.5 + 1e-3])
    trends.add([("b", "view", NOW, 2)])
    assert places(trends) == ["b", "a", "c"]


@settings(deadline=None, derandomize=True)
@given(
    events=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["view", "skip"]), st.integers(0, 3_000), st.integers(1, 9)),
        max_size=30,
    ),
    half_life=st.sampled_from([0.1, 1.0, 7.0, 300.0]),
)
def test_popularity_does_not_depend_on_the_order_of_events(events, half_life):
    """The same as to weigh each event by its age now; up to ages of thousands of half-lives."""
    trends = DecayedPopularity(half_life)
    for item, behaviour, age, count in events:
        trends.add([(item, behaviour, NOW - age * DAY, count)])
        trends.scores(IDS)
    newest = min((age for _, behaviour, age, _ in events if behaviour == "view"), default=0)
    due, ever = np.zeros(3), np.zeros(3)
    for item, behaviour, age, count in events:
        if behaviour == "view":
            due["abc".index(item)] += count * 2.0 ** max(-(age - newest) / half_life, -1000)
            ever["abc".index(item)] += count
    share = due / max(due.max(), 1e-300) + 1e-3 * np.log1p(ever) / max(np.log1p(ever).max(), 1e-300)
    assert trends.scores(IDS)[1:] == pytest.approx(share, abs=1e-9)


def test_weights_stay_finite_over_years():
    day = NOW
    trends = DecayedPopularity(0.1, Clock(lambda: day / 1000, time.monotonic))
    for item in "abcabc":
        day += 400 * DAY  # 4,000 half-lives
        trends.add([(item, "view", day, 1)])
        assert places(trends)[0] == item
        trends.add([(item, "view", day - DAY, 100)])
    trends.add([("a", "view", day - DAY, 1)])
    assert places(trends)[0] == "c"


def test_events_dated_in_the_future_do_not_outweigh_others():
    trends = DecayedPopularity(7.0)
    trends.add([("a", "view", NOW + 1_000 * DAY, 1), ("b", "view", NOW, 2)])
    assert places(trends) == ["b", "a"]


@pytest.mark.parametrize("ids", [["a", "b", "c", "d", "e"], ["d", "c", "a"]])
def test_counts_follow_into_another_catalogue(ids):
    other = Vocabulary(ids)
    events = [("a", "view", NOW, 3), ("d", "view", NOW, 5), ("c", "view", NOW - DAY, 1)]
    old, new = DecayedPopularity(7.0), DecayedPopularity(7.0)
    old.add(events)
    old.scores(IDS)
    new.add(events)
    np.testing.assert_array_equal(old.scores(other), new.scores(other))
    for trends in (old, new):
        trends.add([("d", "view", NOW, 2)])
    np.testing.assert_array_equal(old.scores(other), new.scores(other))
