"""Who chose what, as item-to-item models learn from it, and how often two items were chosen by the same people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy import sparse

from poise.data.dataset import Dataset
from poise.types import Offsets

_MOST_PAIRS = 4_000_000_000  # of items of one person, summed over people: about a minute
_PAIRS_AT_ONCE = 30_000_000  # 240 MB


def choices(data: Dataset) -> sparse.csr_array:
    """Return who chose what, float32 ``[n_users, n_items + 1]``.

    The work that it makes grows with the square of what one person did. Where some did so much that it would take
    long (robots, mostly), only the newest events of each person count, as many as there is time for.
    """
    queries = data.queries()
    lengths = queries.lengths.astype(np.float64)
    most = int(lengths.max(initial=1))
    while most > 1 and np.square(np.minimum(lengths, most)).sum() > _MOST_PAIRS:
        most = most * 9 // 10
    return replace(queries, start=np.maximum(queries.start, queries.stop - most)).matrix()


def blocks_of_items(chosen: sparse.csr_array, rows: int) -> Iterator[Offsets]:
    """Yield the items in order, int64 ``[m]``, in blocks whose pairs with all items fit into memory.

    Args:
        chosen: see :func:`choices`.
        rows: how many items a block has at most.
    """
    pairs = np.cumsum(chosen.T @ np.diff(chosen.indptr))  # up to each item
    first = 0
    while first < len(pairs):
        before = pairs[first - 1] if first else 0
        stop = int(np.searchsorted(pairs, before + _PAIRS_AT_ONCE, side="right"))
        stop = max(first + 1, min(stop, first + rows))
        yield np.arange(first, stop)
        first = stop
