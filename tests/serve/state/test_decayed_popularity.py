from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poise.data.ingest.feedback import Opinion
from poise.data.vocabulary import Vocabulary
from poise.durations import DAY, MINUTE
from poise.serve.clock import Clock
from poise.serve.state.decayed_popularity import EVIDENCE, DecayedPopularity
from poise.serve.state.log_counts import LogCounts

IDS = Vocabulary(["a", "b", "c"])
NOW = int(time.time() * 1000)
YES, NO, BACK, SKIP = Opinion.CHOSEN, Opinion.REJECTED, Opinion.TAKEN_BACK, Opinion.PASSED_OVER


def places(trends, ids=IDS):
    """Return the ids of what is popular, the most popular first."""
    scores = trends.scores(ids)
    assert np.isfinite(scores).all()
    assert scores[0] == 0
    return [ids.id(item) for item in np.argsort(-scores, kind="stable") if scores[item] > 0]


def people(n, item, when, first=0):
    """Return the choice of one item by ``n`` people."""
    return [(f"p{number}", item, YES, when) for number in range(first, first + n)]


def counted(choices, half_life=7.0):
    """Return the popularity of a log, counted at once as when a server starts."""
    opinions = {"yes": YES, "no": NO, "back": BACK, "skip": SKIP}
    names = {code: name for name, code in opinions.items()}
    users, items, said, times = zip(*choices, strict=True)
    part = users, items, [names[code] for code in said], [None] * len(users), times

    def judge(names, behaviour, value, time):
        return np.array([opinions[names[code]] for code in behaviour], dtype=np.int8), np.ones(len(time), dtype=bool)

    trends = DecayedPopularity(half_life)
    trends.count(LogCounts.of([part], judge, NOW))
    return trends


def test_a_choice_counts_half_after_each_half_life_and_the_whole_log_is_a_prior():
    trends = DecayedPopularity(7.0)
    trends.add(people(4, "c", NOW - 14 * DAY) + people(4, "a", NOW - 7 * DAY) + people(1, "b", NOW))
    due = np.array([4 / 2 + 4, 1 + 1, 4 / 4 + 4])  # of so few people the prior is as it is
    assert trends.scores(IDS)[1:] == pytest.approx(due / due.max())
    trends.add(people(20, "b", NOW, first=50))
    assert places(trends) == ["b", "a", "c"]


def test_the_tenth_of_the_whole_log_weighs_as_much_as_five_people_of_now():
    ids = Vocabulary([*(f"i{number:02}" for number in range(12)), "new"])
    choices = [choice for rank in range(12) for choice in people(400 - 20 * rank, f"i{rank:02}", NOW - 3_000 * DAY)]
    trends = DecayedPopularity(7.0)
    trends.add(choices)
    trends.add([("quiet", "i11", YES, NOW)])  # what was popular years ago is a prior now
    trends.add(people(int(EVIDENCE) - 1, "new", NOW))
    assert "new" not in places(trends, ids)[:10]
    trends.add(people(3, "new", NOW, first=100))
    assert "new" in places(trends, ids)[:10]


@settings(deadline=None, derandomize=True)
@given(
    events=st.lists(
        st.tuples(st.sampled_from("uvw"), st.sampled_from("abc"), st.integers(0, 3_000), st.sampled_from([YES, SKIP])),
        max_size=30,
    ),
    half_life=st.sampled_from([0.1, 1.0, 7.0, 300.0]),
)
def test_each_person_counts_once_by_their_newest_choice_in_any_order(events, half_life):
    """The same as to weigh each person's newest choice by its age; up to ages of thousands of half-lives."""
    trends = DecayedPopularity(half_life)
    newest = {}
    for user, item, age, said in events:
        trends.add([(user, item, said, NOW - age * DAY)])
        trends.scores(IDS)
        if said == YES:
            newest[user, item] = min(age, newest.get((user, item), age))
    due = np.zeros(3)
    for (_, item), age in newest.items():
        due["abc".index(item)] += 2.0 ** max(-(age - min(newest.values())) / half_life, -1000) + 1
    assert trends.scores(IDS)[1:] == pytest.approx(due / max(due.max(), 1e-300), abs=1e-9)


def test_who_repeats_a_thing_counts_once():
    trends = DecayedPopularity(7.0)
    trends.add(people(2, "a", NOW - MINUTE))
    trends.add([("looper", "b", YES, NOW - MINUTE)] * 1_000)
    assert places(trends) == ["a", "b"]
    again = counted([*people(2, "a", NOW - MINUTE), *[("looper", "b", YES, NOW - MINUTE + k) for k in range(1_000)]])
    assert places(again) == ["a", "b"]
    again.add([("looper", "b", YES, NOW)] * 1_000)  # known from the log as well
    assert places(again) == ["a", "b"]


@pytest.mark.parametrize("back", [NO, BACK])
def test_a_no_takes_back_what_the_person_chose_and_lowers_nothing_else(back):
    choices = [*people(2, "a", NOW - MINUTE), ("x", "b", YES, NOW - MINUTE), ("y", "b", YES, NOW - MINUTE)]
    for trends in (DecayedPopularity(7.0), counted([*choices, ("x", "b", back, NOW), ("z", "a", back, NOW)])):
        if places(trends) == []:
            trends.add([*choices, ("x", "b", back, NOW), ("z", "a", back, NOW)])
        assert trends.scores(IDS)[1:].tolist() == pytest.approx([1, 0.5, 0])
        trends.add([("x", "b", YES, NOW)])
        assert trends.scores(IDS)[1:].tolist() == pytest.approx([1, 1, 0], abs=1e-3)


def test_one_click_does_not_outweigh_an_old_import():
    log = [choice for day in range(60) for choice in people(3, "a", NOW - (5_000 - day) * DAY, first=3 * day)]
    log += [choice for day in range(60) for choice in people(2, "b", NOW - (5_000 - day) * DAY, first=3 * day)]
    trends = counted(log)
    trends.add([("me", "c", YES, NOW)])
    assert places(trends) == ["a", "b", "c"]
    before = trends.scores(IDS)[2]
    trends.add(people(100, "c", NOW + MINUTE, first=1_000))
    assert places(trends)[0] == "c"  # a hundred people are a trend
    assert 0 < trends.scores(IDS)[2] < before


def test_a_log_without_times_is_counted_and_live_events_follow():
    trends = counted([*people(5, "a", 0), *people(3, "b", 0)])
    assert places(trends) == ["a", "b"]
    trends.add([("me", "c", YES, NOW)])
    assert places(trends) == ["a", "b", "c"]
    trends.add(people(9, "c", NOW, first=100))
    assert places(trends)[0] == "c"


def test_weights_stay_finite_over_years():
    day = NOW
    trends = DecayedPopularity(0.1, Clock(lambda: day / 1000, time.monotonic))
    for number, item in enumerate("abcabc"):
        day += 400 * DAY  # 4,000 half-lives
        trends.add(people(50, item, day, first=50 * number))
        assert places(trends)[0] == item
    assert len(places(trends)) == 3


def test_events_dated_in_the_future_do_not_outweigh_others():
    trends = DecayedPopularity(7.0)
    trends.add([("x", "a", YES, NOW + 1_000 * DAY), *people(2, "b", NOW)])
    assert places(trends) == ["b", "a"]


@pytest.mark.parametrize("ids", [["a", "b", "c", "d", "e"], ["d", "c", "a"]])
def test_counts_follow_into_another_catalogue(ids):
    other = Vocabulary(ids)
    events = [*people(3, "a", NOW), *people(5, "d", NOW), *people(1, "c", NOW - DAY)]
    old, new = DecayedPopularity(7.0), DecayedPopularity(7.0)
    old.add(events)
    old.scores(IDS)
    new.add(events)
    np.testing.assert_array_equal(old.scores(other), new.scores(other))
    for trends in (old, new):
        trends.add(people(2, "d", NOW, first=10))
    np.testing.assert_array_equal(old.scores(other), new.scores(other))
