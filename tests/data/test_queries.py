from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poise.data.queries import Queries
from poise.data.ragged import Ragged, gather_slices
from poise.data.vocabulary import Vocabulary
from poise.errors import UsageError

ITEMS = Vocabulary([f"i{item}" for item in range(1, 7)])
HISTORIES = st.lists(st.lists(st.integers(1, 6), max_size=9), max_size=6)


def _rows(queries):
    return [queries.history(row).tolist() for row in range(len(queries))]


def _full(n=5, seed=0):
    """Return requests with every field filled, each row recognisable."""
    rng = np.random.default_rng(seed)
    histories = [rng.integers(1, 7, size=size).tolist() for size in range(n)]
    queries = Queries.from_histories(histories, ITEMS)
    return replace(
        queries,
        user=np.arange(10, 10 + n, dtype=np.int32),
        time=np.arange(100, 100 + n),
        context=pl.DataFrame({"place": [f"p{row}" for row in range(n)]}),
        users=pl.DataFrame({"city": [f"c{row}" for row in range(n)]}),
        exclude=Ragged.from_rows([[row % 6 + 1] * (row % 3) for row in range(n)]),
        candidates=Ragged.from_rows([range(1, row % 6 + 2) for row in range(n)]),
    )


@settings(max_examples=100, deadline=None)
@given(HISTORIES, st.sampled_from([1.0, 0.9, 0.5]))
def test_the_history_matrix_agrees_with_a_loop(histories, decay):
    matrix = Queries.from_histories(histories, ITEMS).matrix(decay)
    expected = np.zeros((len(histories), 7), dtype=np.float32)
    for row, history in enumerate(histories):
        for place, item in enumerate(history):
            expected[row, item] = decay ** (len(history) - 1 - place)  # a later event overwrites
    assert matrix.shape == expected.shape
    assert matrix.dtype == np.float32
    assert matrix.nnz == sum(len(set(history)) for history in histories)
    np.testing.assert_allclose(matrix.toarray(), expected, rtol=1e-6)


def test_histories_and_their_ends():
    queries = Queries.from_histories([[1, 2, 3], [], [4]], ITEMS)
    assert _rows(queries) == [[1, 2, 3], [], [4]]
    assert queries.lengths.tolist() == [3, 0, 1]
    positions, items = queries.histories(last=2)
    assert [items[row].tolist() for row in range(3)] == [[2, 3], [], [4]]
    assert queries.events.item[positions].tolist() == [2, 3, 4]


def test_from_histories_leaves_out_unknown_items_and_their_columns():
    queries = Queries.from_histories(
        [[0, 2], [0], [3, 0, 1]],
        ITEMS,
        values=[[1, 2], [3], [4, 5, 6]],
        behaviours=[[1, 2], [1], [3, 1, 2]],
        timestamps=[[1, 1_700_000_000_001], [3], [4, 5, 6]],
        hide_seen=False,
    )
    assert _rows(queries) == [[2], [], [3, 1]]
    assert queries.events.value.tolist() == [2, 4, 6]
    assert queries.events.behaviour.tolist() == [2, 3, 2]
    assert queries.events.timestamp.tolist() == [1_700_000_000_001, 4, 6]
    assert queries.events.has_time
    assert not queries.user.any()
    assert not queries.seen().values.size
    bare = Queries.from_histories([[1], []], ITEMS)
    assert not bare.events.has_time
    assert np.isnan(bare.events.value).all()
    assert bare.events.behaviour.tolist() == [1]
    assert len(Queries.from_histories([], ITEMS)) == 0


def test_from_histories_refuses_lists_of_other_lengths():
    for history in ([7], [-1]):
        with pytest.raises(UsageError, match="another catalogue"):
            Queries.from_histories([[1], history], ITEMS)
    with pytest.raises(UsageError, match="values"):
        Queries.from_histories([[1, 2]], ITEMS, values=[[1.0]])
    with pytest.raises(UsageError, match="timestamps"):
        Queries.from_histories([[1, 2], [1]], ITEMS, timestamps=[[1], [1, 2]])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=8))
def test_take_keeps_everything_aligned(rows):
    queries = _full()
    taken = queries.take(rows)
    assert len(taken) == len(rows)
    assert _rows(taken) == [_rows(queries)[row] for row in rows]
    assert taken.user.tolist() == [10 + row for row in rows]
    assert taken.time.tolist() == [100 + row for row in rows]
    assert taken.context["place"].to_list() == [f"p{row}" for row in rows]
    assert taken.users["city"].to_list() == [f"c{row}" for row in rows]
    for field in ("exclude", "candidates"):
        before, after = getattr(queries, field), getattr(taken, field)
        assert [after[index].tolist() for index in range(len(rows))] == [before[row].tolist() for row in rows]


def test_take_by_mask_and_batches():
    queries = _full(7)
    assert queries.take(queries.lengths > 3).user.tolist() == [14, 15, 16]
    batches = list(queries.batches(3))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert [row for batch in batches for row in _rows(batch)] == _rows(queries)
    assert [place for batch in batches for place in batch.context["place"]] == queries.context["place"].to_list()
    assert not list(queries.take([]).batches(3))


@pytest.mark.parametrize("hide_seen", [True, False])
@pytest.mark.parametrize("excluded", [True, False])
def test_seen_items_of_queries(hide_seen, excluded):
    queries = replace(_full(), hide_seen=hide_seen)
    if not excluded:
        queries = replace(queries, exclude=None)
    seen = queries.seen()
    for row in range(len(queries)):
        expected = [*(queries.history(row) if hide_seen else ()), *(queries.exclude[row] if excluded else ())]
        assert seen[row].tolist() == expected
    assert len(seen) == len(queries)


@settings(max_examples=60, deadline=None)
@given(st.permutations([*ITEMS.series.to_list(), "new", "newer"]), st.integers(0, 8))
def test_reindex_to_another_catalogue(ids, size):
    queries = _full()
    other = Vocabulary(ids[:size])
    there = queries.reindex(other)
    assert there.item_ids == other
    for row in range(len(queries)):
        before = ITEMS.ids(queries.history(row))
        assert other.ids(there.history(row)) == [outer_id for outer_id in before if outer_id in other]
        for field in ("exclude", "candidates"):
            before = ITEMS.ids(getattr(queries, field)[row])
            assert other.ids(getattr(there, field)[row]) == [outer_id for outer_id in before if outer_id in other]
    for field in ("user", "time"):
        np.testing.assert_array_equal(getattr(there, field), getattr(queries, field))
    assert there.context.equals(queries.context)
    assert there.users.equals(queries.users)
    assert len(there) == len(queries)


def test_reindex_keeps_the_columns_of_events(films):
    other = Vocabulary(films.item_ids.series[::2].reverse())
    queries = films.queries()
    there = queries.reindex(other)
    keep = np.isin(films.events.item, films.item_ids.index(other.series))
    for column in ("behaviour", "value", "timestamp", "user"):
        np.testing.assert_array_equal(getattr(there.events, column), getattr(films.events, column)[keep])
    assert there.events.context.equals(films.events.context.filter(pl.Series(keep)))
    assert there.events.has_time


def test_reindex_to_the_same_catalogue_copies_nothing():
    queries = _full()
    assert queries.reindex(Vocabulary(ITEMS.series.to_list())) is queries


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5)), max_size=8))
def test_gather_slices(slices):
    start = np.array([first for first, _ in slices], dtype=np.int64)
    stop = start + np.array([length for _, length in slices], dtype=np.int64)
    positions, offsets = gather_slices(start, stop)
    expected = [list(range(first, first + length)) for first, length in slices]
    assert [positions[a:b].tolist() for a, b in pairwise(offsets)] == expected


def test_histories_with_times_are_sorted_by_them():
    queries = Queries.from_histories(
        [[1, 2, 3], [3, 1]], ITEMS, values=[[1.0, 2.0, 3.0], [4.0, 5.0]], timestamps=[[30, 10, 20], [5, 5]]
    )
    assert [queries.history(row).tolist() for row in range(2)] == [[2, 3, 1], [3, 1]]
    assert queries.events.value.tolist() == [2.0, 3.0, 1.0, 4.0, 5.0]
    plain = Queries.from_histories([[1, 2, 3]], ITEMS)
    assert plain.history(0).tolist() == [1, 2, 3]


def test_what_was_done_long_ago_is_hidden_as_the_history_is():
    queries = replace(
        Queries.from_histories([[1], [2]], ITEMS),
        earlier=Ragged.from_rows([[3], []]),
        rejected=Ragged.from_rows([[2], [1]]),
        exclude=Ragged.from_rows([[], [3]]),
    )
    assert [sorted(queries.seen()[row].tolist()) for row in range(2)] == [[1, 2, 3], [1, 2, 3]]
    assert [sorted(queries.take([1, 0]).done()[row].tolist()) for row in range(2)] == [[1, 2], [1, 2, 3]]
    shown = replace(queries, hide_seen=False)
    assert [shown.seen()[row].tolist() for row in range(2)] == [[], [3]]
    names = Vocabulary(list(reversed(ITEMS.series)))
    assert names.ids(queries.reindex(names).earlier[0]) == ITEMS.ids([3])
