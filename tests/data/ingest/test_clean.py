from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poise.data.ingest.build import build_dataset
from poise.data.ingest.clean import Cleaning
from poise.errors import DataError, UsageError

START = 1_700_000_040  # a full minute


def _log(user, item, time):
    return pl.DataFrame({"user": user, "item": item, "time": time})


def _reasons(data):
    return {reason: count for reason, count, _ in data.quarantine.summary()}


def test_bots_are_removed_by_events_per_day_and_per_minute():
    script = _log(["script"] * 60, [str(index) for index in range(60)], [START + 1400 * index for index in range(60)])
    burst = _log(
        ["burst"] * 60,
        [str(index) for index in range(60)],
        [START + index * 86_400 // 2 + index % 3 for index in range(60)],
    )
    rapid = _log(
        ["rapid"] * 40,
        [str(index) for index in range(40)],
        [START + index // 10 * 86_400 + index % 10 for index in range(40)],
    )
    eager = _log(["eager"] * 20, [str(index) for index in range(20)], [START + index % 10 for index in range(10)] * 2)
    log = pl.concat([script, burst, rapid, eager])
    cleaning = Cleaning(max_per_day=30, max_per_minute=8, sustained_minutes=3)
    data = build_dataset(log, cleaning=cleaning)
    assert data.user_ids.series.to_list() == ["burst", "eager"]
    assert _reasons(data) == {
        "bot: a user with more than 30 events in a day": 60,
        "bot: a user with more than 8 events a minute in 3 minutes": 40,
    }
    assert build_dataset(log, cleaning=Cleaning(bots=False)).n_users == 4
    assert build_dataset(log).n_users == 4


def test_timestamps_of_whole_days_make_no_bots():
    days = _log(
        ["a"] * 60, [str(index) for index in range(60)], [1_699_920_000 + index // 20 * 86_400 for index in range(60)]
    )
    assert build_dataset(days, cleaning=Cleaning(max_per_day=30, max_per_minute=8, sustained_minutes=3)).n_events == 60


def test_what_counts_as_a_duplicate():
    log = pl.DataFrame(
        {
            "user": ["a"] * 5,
            "item": ["x"] * 5,
            "event": ["view", "view", "buy", "view", "view"],
            "time": [START, START, START, START + 1, START],
            "page": ["1", "2", "1", "1", "3"],
        }
    )
    data = build_dataset(log)
    assert data.quarantine.frames["events"]["page"].to_list() == ["2", "3"]
    assert build_dataset(log, cleaning=Cleaning(duplicates=False)).n_events == 5


def test_time_limits_can_be_set_and_switched_off():
    log = _log(["a"] * 3, list("xyz"), [1, START, START + 10])
    assert build_dataset(log, cleaning=Cleaning(earliest=None)).n_events == 3
    assert build_dataset(log, cleaning=Cleaning(latest=START)).item_ids.series.to_list() == ["y"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=60), st.integers(2, 4))
def test_the_k_core_is_the_largest_set_in_which_all_have_k_events(pairs, k):
    remaining = list(pairs)
    while True:  # one event at a time, the slow way
        users, items = Counter(user for user, _ in remaining), Counter(item for _, item in remaining)
        left = [(user, item) for user, item in remaining if users[user] >= k and items[item] >= k]
        if len(left) == len(remaining):
            break
        remaining = left
    log = _log([f"u{user}" for user, _ in pairs], [f"i{item}" for _, item in pairs], np.arange(len(pairs)) + START)
    try:
        data = build_dataset(log, cleaning=Cleaning(k_core=k))
    except DataError:
        assert not remaining
        return
    assert sorted(zip(data.user_ids.ids(data.events.user), data.item_ids.ids(data.events.item), strict=True)) == sorted(
        (f"u{user}", f"i{item}") for user, item in remaining
    )
    assert len(data.quarantine) == len(pairs) - len(remaining)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unknown_items": "forget"}, "choose 'keep' or 'drop'"),
        ({"k_core": -1}, "k_core is -1; it must be 0 or more"),
        ({"max_per_day": 0}, "max_per_day"),
        ({"earliest": "2024-01-01", "latest": "2023-01-01"}, "must come before"),
        ({"earliest": "whenever"}, "is not a time"),
    ],
)
def test_invalid_cleaning_options_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        Cleaning(**options)
