"""The mean value (rating, say) of each item, for models that predict values."""

from __future__ import annotations

import numpy as np

from poise.types import Floats, Indices

_DAMPING = 5.0  # events at the overall mean that an item's own are diluted with


def mean_values(item: Indices, value: Floats, width: int) -> Floats:
    """Return each item's mean value, drawn towards the overall mean where there are few events, float32 ``[width]``.

    Args:
        item: the item of each event.
        value: the value of each event; NaN for none.
        width: the number of items, padding included.

    Returns:
        NaN throughout where no event has a value.
    """
    rated = ~np.isnan(value)
    if not rated.any():
        return np.full(width, np.nan, dtype=np.float32)
    overall = float(value[rated].mean())
    total = np.bincount(item[rated], value[rated], minlength=width)
    count = np.bincount(item[rated], minlength=width)
    return ((total + _DAMPING * overall) / (count + _DAMPING)).astype(np.float32)
