"""The k best of a row of scores, ties broken by a seeded draw and never by item index."""

from __future__ import annotations

import numpy as np

from poise.types import Floats, Indices


def top_k(scores: Floats, k: int, *, seed: int = 0) -> tuple[Indices, Floats]:
    """Return the ``k`` best columns of each row, best first.

    Items with equal scores stand in random order, and where the last places are tied, chance decides who gets them: an
    order by index would favour what stands first in the catalogue and flatter some models' figures.

    Args:
        scores: float32 ``[n, width]``; minus infinity for what may not be chosen.
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
    if depth < width:
        best = np.argpartition(scores, width - depth - 1, axis=1)[:, width - depth - 1 :]  # the k best and the next
        chosen = np.take_along_axis(scores, best, axis=1)
        rest, best, chosen = chosen[:, 0], best[:, 1:].copy(), chosen[:, 1:].copy()
        last = chosen.min(axis=1)
        for row in np.flatnonzero((last == rest) & (last > -np.inf)):  # equals on both sides of the border
            better = np.flatnonzero(scores[row] > last[row])
            equal = np.flatnonzero(scores[row] == last[row])
            best[row, : len(better)] = better
            best[row, len(better) :] = rng.choice(equal, size=depth - len(better), replace=False)
            chosen[row] = scores[row, best[row]]
    else:
        best = np.broadcast_to(np.arange(width), (n, width))
        chosen = scores
    order = np.lexsort((rng.random(chosen.shape), -chosen), axis=1)
    columns[:, :depth] = np.take_along_axis(best, order, axis=1)
    values[:, :depth] = np.take_along_axis(chosen, order, axis=1)
    columns[values == -np.inf] = 0
    return columns, values
