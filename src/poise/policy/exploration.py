"""Room for chance in what is shown to somebody of whom nothing is known: popular items, and some drawn evenly."""

from __future__ import annotations

import numpy as np

from poise.top_k import top_k
from poise.types import Doubles, Floats, Indices, Mask


def popular_and_drawn(
    popularity: Doubles, allowed: Mask, k: int, share: float, rng: np.random.Generator
) -> tuple[Indices, Floats, Floats]:
    """Return a slate of the most popular items whose last places go to items drawn evenly from all others.

    Args:
        popularity: float64 ``[n_items + 1]``.
        allowed: bool ``[n_items + 1]``, what may be shown.
        k: how many items.
        share: of the places that are drawn, rounded; at least one if it is above 0 and ``k`` is above 1.
        rng: the source of chance.

    Returns:
        items int32 ``[m]``, their popularity float32 ``[m]``, and the probability with which each is shown, float32
        ``[m]``: 1 for the popular ones, and for a drawn one the number of drawn places by the number of items that are
        drawn from. ``m`` is ``k``, or less where fewer may be shown.
    """
    n_drawn = min(max(round(share * k), 1 if share and k > 1 else 0), k)
    scores = np.where(allowed, popularity, -np.inf).astype(np.float32)[None]
    seed = int(rng.integers(2**32))
    items = top_k(scores, min(k - n_drawn, scores.shape[1]), seed=seed)[0][0] if n_drawn < k else np.empty(0, np.int32)
    items = items[items > 0]
    left = allowed.copy()
    left[0] = False
    left[items] = False
    pool = np.flatnonzero(left).astype(np.int32)
    n_drawn = min(k - len(items), len(pool))
    drawn = rng.choice(pool, n_drawn, replace=False) if n_drawn else pool[:0]
    chance = np.full(n_drawn, n_drawn / max(len(pool), 1), dtype=np.float32)
    shown = np.concatenate([items, drawn])
    return (
        shown,
        popularity[shown].astype(np.float32),
        np.concatenate([np.ones(len(items), dtype=np.float32), chance]),
    )
