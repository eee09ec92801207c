"""Scores of different models on one scale, so that they can be added."""

from __future__ import annotations

import numpy as np

from poise.types import Floats


def calibrate(scores: Floats, known: int | None = None) -> Floats:
    """Bring each row of scores, float32 ``[n, n_items + 1]``, to one scale, in place; column 0 does not count.

    Args:
        scores: of one model.
        known: how many columns the mean and the deviation are taken from, padding included, so that what is added to a
            catalogue changes nothing for what was there; None for all.
    """
    real = scores[:, 1:]
    mean = scores[:, 1:known].mean(axis=1, keepdims=True)
    real -= mean
    spread = scores[:, 1:known].std(axis=1, keepdims=True)
    # Of scores that are equal but for rounding no differences must be made.
    real *= np.divide(1, spread, out=np.zeros_like(spread), where=spread > 1e-6 * np.abs(mean))
    np.copyto(real, np.sign(real) * np.log1p(np.abs(real)))
    scores[:, 0] = 0
    return scores
