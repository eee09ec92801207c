"""Scores of different models on one scale, so that they can be added."""

from __future__ import annotations

from poise.types import Floats

_AT_ONCE = 200_000  # scores, that stay in the cache between one step and the next


def standardise_scores(scores: Floats, known: int | None = None) -> Floats:
    """Bring each row of scores, float32 ``[n, n_items + 1]``, to one scale, in place; column 0 does not count.

    Args:
        scores: of one model.
        known: how many columns the mean and the deviation are taken from, padding included, so that what is added to a
            catalogue changes nothing for what was there; None for all.
    """
    import torch

    whole = torch.from_numpy(scores)
    rows = max(1, _AT_ONCE // whole.shape[1])
    for first in range(0, len(whole), rows):
        part = whole[first : first + rows]
        mean = part[:, 1:known].mean(dim=1, keepdim=True)
        part.sub_(mean)
        measured = part[:, 1:known]
        spread = torch.linalg.vector_norm(measured, dim=1, keepdim=True) / measured.shape[1] ** 0.5
        # Of scores that are equal but for rounding no differences must be made.
        part.mul_(torch.where(spread > 1e-6 * mean.abs(), 1 / spread, 0))
        torch.copysign(part.abs().add_(1).log_(), part, out=part)
    whole[:, 0] = 0
    return scores
