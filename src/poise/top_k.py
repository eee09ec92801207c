"""The k best of a row of scores, ties broken by a seeded draw and never by item index."""

from __future__ import annotations

import numpy as np

from poise.types import Floats, Indices, Offsets

_GROUPS = 16  # for each place: with more, fewer columns are left to look at, and more groups
_NARROWED_FROM = 4  # columns a group


def top_k(scores: Floats, k: int, *, seed: int = 0) -> tuple[Indices, Floats]:
    """Return the ``k`` best columns of each row, best first.

    Items with equal scores stand in random order, and where the last places are tied, chance decides who gets them: an
    order by index would favour what stands first in the catalogue and flatter some models' metrics.

    Args:
        scores: float32 ``[n, width]``; minus infinity for what may not be returned.
        k: how many, at least 1.
        seed: of the draw among equals.

    Returns:
        columns int32 ``[n, k]`` and their scores float32 ``[n, k]``; column 0 and minus infinity fill the places for
        which nothing was left.
    """
    n, width = scores.shape
    columns = np.zeros((n, k), dtype=np.int32)
    values = np.full((n, k), -np.inf, dtype=np.float32)
    depth = min(k, width)
    if not n or not depth:
        return columns, values
    rng = np.random.default_rng(seed)
    narrowed = _narrow(scores, depth)
    if narrowed is not None:
        scores = np.take_along_axis(scores, narrowed, axis=1)
        scores[narrowed < 0] = -np.inf
        width = scores.shape[1]
    if depth < width:
        best = np.argpartition(scores, width - depth - 1, axis=1)[:, width - depth - 1 :]  # the k best and the next
        best_scores = np.take_along_axis(scores, best, axis=1)
        rest, best, best_scores = best_scores[:, 0], best[:, 1:].copy(), best_scores[:, 1:].copy()
        last = best_scores.min(axis=1)
        for row in np.flatnonzero((last == rest) & (last > -np.inf)):  # equals on both sides of the border
            better = np.flatnonzero(scores[row] > last[row])
            equal = np.flatnonzero(scores[row] == last[row])
            best[row, : len(better)] = better
            best[row, len(better) :] = rng.choice(equal, size=depth - len(better), replace=False)
            best_scores[row] = scores[row, best[row]]
    else:
        best = np.broadcast_to(np.arange(width), (n, width))
        best_scores = scores
    order = np.lexsort((rng.random(best_scores.shape), -best_scores), axis=1)
    best = np.take_along_axis(best, order, axis=1)
    columns[:, :depth] = best if narrowed is None else np.take_along_axis(narrowed, best, axis=1)
    values[:, :depth] = np.take_along_axis(best_scores, order, axis=1)
    columns[values == -np.inf] = 0
    return columns, values


def _narrow(scores: Floats, depth: int) -> Offsets | None:
    """Return the columns of each row that can be among the best, int64 ``[n, most]``; -1 fills; None for all.

    The columns are dealt into groups. As many groups as there are places have a best score of ``least`` or more, so
    a column that scores less cannot have a place, and all that score as much as the last place are still there.
    """
    n, width = scores.shape
    groups = _GROUPS * depth
    size = width // groups
    if size < _NARROWED_FROM:
        return None
    best = scores[:, : groups * size].reshape(n, size, groups).max(axis=1)  # [n, groups]
    rest = width - groups * size
    np.maximum(best[:, :rest], scores[:, groups * size :], out=best[:, :rest])
    least = np.partition(best, groups - depth, axis=1)[:, groups - depth]
    row, column = np.divmod(np.flatnonzero(~(scores < least[:, None])), width)
    counts = np.bincount(row, minlength=n)
    columns = np.full((n, counts.max()), -1)
    columns[row, np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)] = column
    return columns
