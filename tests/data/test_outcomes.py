"""Each event is credited to what it followed, as an implementation that looks at every pair says."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poise.data.event_log import EventLog, user_offsets
from poise.data.impressions import ImpressionLog
from poise.data.outcomes import WINDOW, join_outcomes

N_USERS, N_ITEMS = 3, 4


def make_impressions(pages):
    """Return a log of pages, each (request id, user, time, items)."""
    n = len(pages)
    requests = pl.DataFrame(
        {
            "user": pl.Series([user for _, user, _, _ in pages], dtype=pl.Int32),
            "time": pl.Series([time for _, _, time, _ in pages], dtype=pl.Int64),
            "request_id": pl.Series([request_id for request_id, *_ in pages], dtype=pl.String),
            **{name: pl.Series([None] * n, dtype=pl.String) for name in ("run", "policy_version", "arm", "surface")},
        }
    )
    shown = [(row, item, place) for row, (*_, items) in enumerate(pages) for place, item in enumerate(items)]
    columns = np.array(shown, dtype=np.int32).reshape(-1, 3).T
    frame = pl.DataFrame(dict(zip(("request", "item", "position"), columns, strict=True)))
    frame = frame.with_columns(
        score=pl.lit(0.0, dtype=pl.Float32), probability=pl.lit(1.0, dtype=pl.Float32), source=pl.lit(1, dtype=pl.Int32)
    )
    return ImpressionLog.from_arrival(requests, pl.DataFrame(), frame, ["ranker"])


def make_events(rows, *, has_time=True):
    """Return a log of events, each (user, item, time, request id), and the request ids in its order."""
    rows = sorted(rows, key=lambda row: row[:1] + row[2:3]) if has_time else sorted(rows, key=lambda row: row[0])
    user = np.array([row[0] for row in rows], dtype=np.int32)
    log = EventLog(
        user=user,
        item=np.array([row[1] for row in rows], dtype=np.int32),
        behaviour=np.ones(len(rows), dtype=np.uint8),
        value=np.full(len(rows), np.nan, dtype=np.float32),
        timestamp=np.array([row[2] if has_time else 0 for row in rows], dtype=np.int64),
        offsets=user_offsets(user, N_USERS),
        context=pl.DataFrame(),
        has_time=has_time,
    )
    return log, pl.Series("request", [row[3] for row in rows], dtype=pl.String)


def credited_slowly(log, events, request_ids, window):
    """Return the pairs of a shown item and an event, by looking at all pairs."""
    pairs = []
    times = log.time[log.request]
    for event in range(len(events)):
        same_item = [row for row in range(len(log)) if log.item[row] == events.item[event]]
        name, moment = request_ids[event], events.timestamp[event]
        named = [
            row for row in same_item if name is not None and log.requests["request_id"][int(log.request[row])] == name
        ]
        earlier = [row for row in named if times[row] <= moment]
        if named:
            best = (
                max(earlier, key=lambda row: (times[row], row)) if earlier else min(named, key=lambda row: times[row])
            )
            pairs.append((best, event))
            continue
        if not events.has_time:
            continue
        of_user = [row for row in same_item if log.user[log.request[row]] == events.user[event]]
        recent = [row for row in of_user if 0 <= moment - times[row] <= window]
        if recent:
            pairs.append((max(recent, key=lambda row: (times[row], row)), event))
    return sorted(pairs, key=lambda pair: (pair[0], events.timestamp[pair[1]], pair[1]))


TIMES = st.integers(0, 12)
IDS = st.sampled_from(["a", "b", "c"])
PAGES = st.lists(
    st.tuples(IDS, st.integers(0, N_USERS), TIMES, st.lists(st.integers(0, N_ITEMS), max_size=4)),
    min_size=1,
    max_size=8,
)
EVENTS = st.lists(
    st.tuples(st.integers(1, N_USERS), st.integers(1, N_ITEMS), TIMES, st.none() | IDS | st.just("gone")), max_size=12
)


@settings(max_examples=200, deadline=None)
@given(pages=PAGES, rows=EVENTS, window=st.integers(0, 6), has_time=st.booleans())
def test_outcomes_agree_with_a_join_of_all_pairs(pages, rows, window, has_time):
    log = make_impressions(pages)
    events, request_ids = make_events(rows, has_time=has_time)
    joined = join_outcomes(log, events, request_ids, window=window)
    pairs = list(zip(joined.outcome_shown.tolist(), joined.outcome_event.tolist(), strict=True))
    assert pairs == credited_slowly(log, events, request_ids, window)
    assert len(set(joined.outcome_event.tolist())) == len(pairs)  # each event once
    followed = joined.followed_by(events)
    assert np.flatnonzero(followed).tolist() == sorted({row for row, _ in pairs})


def test_without_request_ids_outcomes_are_joined_by_time():
    log = make_impressions([("a", 1, 0, [1, 2]), ("b", 1, WINDOW, [1])])
    events, _ = make_events([(1, 1, WINDOW, None), (1, 2, WINDOW, None), (1, 2, WINDOW + 1, None), (2, 1, 5, None)])
    joined = join_outcomes(log, events)
    assert joined.outcome_shown.tolist() == [1, 2]
    assert joined.outcome_event.tolist() == [1, 0]


@pytest.mark.parametrize("moment", [3, 90])
def test_an_event_with_a_request_id_is_an_outcome_of_any_user_at_any_time(moment):
    log = make_impressions([("a", 0, 50, [1])])
    events, request_ids = make_events([(2, 1, moment, "a")])
    assert join_outcomes(log, events, request_ids, window=0).outcome_event.tolist() == [0]


def test_joining_again_replaces_earlier_outcomes():
    log = make_impressions([("a", 1, 0, [1])])
    events, request_ids = make_events([(1, 1, WINDOW, None)])
    joined = join_outcomes(log, events, request_ids)
    assert joined.outcome_event.tolist() == [0]
    assert join_outcomes(joined, events, request_ids, window=5).outcome_event.tolist() == []
