"""How much an event counts by its value: by a play count, a quantity, an amount, a time spent, a rating."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from poise.types import Floats

ValueWeight = Literal["none", "log", "quantile"]
_KNOTS = 51  # of the distribution, which is then known to one or two per cent


@dataclass(frozen=True)
class ValueScale:
    """Weights of values, whose mean over the log that they were made of is 1. A value that is missing weighs 1.

    Attributes:
        by: ``log`` weighs a value by ``log(1 + value)``, ``quantile`` by its rank, from .5 for the least to 1.5 for the
            largest.
        knots: the mean of the logarithms, or quantiles of the values, at equal distances.
    """

    by: ValueWeight
    knots: list[float]

    @classmethod
    def of(cls, values: Floats, by: ValueWeight) -> Self | None:
        """Return the scale of a log's values, float32 ``[n]``; None where they are all equal or missing."""
        known = values[np.isfinite(values)].astype(np.float64)
        if by == "none" or not len(known) or known.min() == known.max():
            return None
        if by == "log":
            mean = float(np.log1p(np.maximum(known, 0)).mean())
            return cls(by, [mean]) if mean > 0 else None
        return cls(by, np.quantile(known, np.linspace(0, 1, _KNOTS)).tolist())

    def weights(self, values: Floats) -> Floats:
        """Return what each value weighs, float32 ``[n]``."""
        known = np.nan_to_num(values, nan=1.0, posinf=1.0, neginf=1.0).astype(np.float64)
        if self.by == "log":
            weights = np.log1p(np.maximum(known, 0)) / self.knots[0]
        else:
            below, up_to = (np.searchsorted(self.knots, known, side) for side in ("left", "right"))
            weights = 0.5 + (below + up_to) / (2 * len(self.knots))
        return np.where(np.isfinite(values), weights, 1).astype(np.float32)
