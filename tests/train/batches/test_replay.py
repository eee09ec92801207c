from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from poise.data.ingest.indexing import index
from poise.train.batches.replay import new_and_replayed

DAY = 86_400_000  # milliseconds


def _log(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(60, 90))
    return index(
        pl.DataFrame(
            {
                "user_id": [f"u{user}" for user in rng.integers(0, 12, size=n)],
                "item_id": [f"i{item}" for item in rng.integers(0, 9, size=n)],
                "timestamp": DAY * rng.permutation(n),
            }
        )
    ).events


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 40), st.integers(1, 6))
def test_new_events_their_context_and_as_many_replayed(seed, share, context):
    log = _log(seed)
    until = int(np.sort(log.timestamp)[-1 - share])
    chosen = new_and_replayed(log, until, context, seed=seed)
    is_new = log.timestamp > until
    assert chosen[is_new].all()
    shown = 0
    replayed, others = [], 0
    for user in range(1, log.n_users + 1):
        start, stop = log.offsets[user], log.offsets[user + 1]
        first = next((position for position in range(start, stop) if is_new[position]), None)
        if first is None:
            others += stop > start
            assert len(set(chosen[start:stop].tolist())) <= 1  # all of a history or nothing
            if chosen[start:stop].any():
                replayed.append(stop - start)
        else:
            expected = np.arange(start, stop) >= first - context
            np.testing.assert_array_equal(chosen[start:stop], expected)
            shown += int(expected.sum())
    if not is_new.any():
        assert not chosen.any()
    elif replayed:
        assert sum(replayed) - max(replayed) < shown
        assert sum(replayed) >= shown or len(replayed) == others


def test_without_timestamps_all_events_are_new(log_of):
    log = log_of([[1, 2], [2, 3, 1]]).events
    assert new_and_replayed(log, 0, 1).all()  # each has a new event and one before it
    assert new_and_replayed(replace(log, has_time=False), 0, 1).all()
