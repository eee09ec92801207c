"""Errors of predicted values, such as ratings."""

from __future__ import annotations

import numpy as np

from poise.data.ragged import Ragged
from poise.evaluation.significance import Measured
from poise.types import Doubles, Floats


def errors(predicted: Floats, actual: Floats, targets: Ragged) -> dict[str, Measured]:
    """Return RMSE and MAE, request by request.

    Both are means over all targets with a value, so that a request with more of them weighs more.

    Args:
        predicted: float32 ``[total]``, one value a target.
        actual: float32 ``[total]``; NaN where a target has no value and does not count.
        targets: the targets of each request.
    """
    rated = ~np.isnan(actual)
    error = np.where(rated, predicted.astype(np.float64) - actual, 0.0)
    count = _sum(rated.astype(np.float64), targets)
    return {
        "RMSE": Measured(_mean(error**2, targets, count), count, root=True),
        "MAE": Measured(_mean(np.abs(error), targets, count), count),
    }


def _sum(values: Doubles, targets: Ragged) -> Doubles:
    return np.asarray(np.bincount(targets.rows, weights=values, minlength=len(targets)), dtype=np.float64)


def _mean(values: Doubles, targets: Ragged, count: Doubles) -> Doubles:
    with np.errstate(invalid="ignore"):
        return np.asarray(_sum(values, targets) / count)
