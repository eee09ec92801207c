"""Scores of different models on one scale, so that they can be added."""

from __future__ import annotations

import numpy as np

from poise.types import Floats, Indices, Offsets

_AT_ONCE = 200_000  # scores, that stay in the cache between one step and the next
_EQUAL = 1e-6  # of the mean: scores that are equal but for rounding are not to be told apart


def standardise_scores(scores: Floats, n_items: int | None = None, unscored: Indices | None = None) -> Floats:
    """Bring each row of scores, float32 ``[n, n_items + 1]``, to one scale, in place; column 0 does not count.

    Args:
        scores: of one model.
        n_items: how many items, from the first on, the mean and the deviation are taken from, so that what is added to
            a catalogue changes nothing for what was there; None for all.
        unscored: the items that do not count in them, because the model knows nothing of them.
    """
    import torch

    whole = torch.from_numpy(scores)
    stop = whole.shape[1] if n_items is None else n_items + 1
    blank = torch.from_numpy(unscored[unscored < stop].astype(np.int64)) if unscored is not None else None
    count = stop - 1 - (0 if blank is None else len(blank))
    rows = max(1, _AT_ONCE // whole.shape[1])
    for first in range(0, len(whole), rows):
        part = whole[first : first + rows]
        total = part[:, 1:stop].sum(dim=1, keepdim=True)
        if blank is not None and len(blank):
            total -= part[:, blank].sum(dim=1, keepdim=True)
        mean = total / max(count, 1)
        part.sub_(mean)
        deviations = part[:, 1:stop]
        if blank is None or not len(blank):
            spread = torch.linalg.vector_norm(deviations, dim=1, keepdim=True) / max(count, 1) ** 0.5
        else:
            of_blank = part[:, blank]
            part[:, blank] = 0
            spread = torch.linalg.vector_norm(deviations, dim=1, keepdim=True) / max(count, 1) ** 0.5
            part[:, blank] = of_blank
        part.mul_(torch.where(spread > _EQUAL * mean.abs(), 1 / spread, 0))
        torch.copysign(part.abs().add_(1).log_(), part, out=part)
    whole[:, 0] = 0
    return scores


def standardise_candidates(scores: Floats, rows: Offsets, mean: Floats, deviation: Floats) -> Floats:
    """Return the scores of candidates on the scale of :func:`standardise_scores`, float32 ``[total]``.

    Args:
        scores: float32 ``[total]``.
        rows: int64 ``[total]``, the request of each.
        mean: float32 ``[n]``, of the scores of the catalogue.
        deviation: float32 ``[n]``, their standard deviation.
    """
    differ = deviation > _EQUAL * np.abs(mean)
    scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=differ)
    scaled = (scores - mean[rows]) * scale[rows]
    compressed: Floats = np.copysign(np.log1p(np.abs(scaled)), scaled)
    return compressed


def mean_similarity(content: Floats, behaviour: Floats, n_items: int | None = None) -> Floats:
    """Return the mean of two similarities, float32 ``[n, n_items + 1]``, on one scale, which are changed in place.

    Args:
        content: how like items are by what they are.
        behaviour: by what people did with them.
        n_items: see :func:`standardise_scores`.
    """
    return np.asarray((standardise_scores(content, n_items) + standardise_scores(behaviour, n_items)) / 2)
