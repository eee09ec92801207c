"""What the values of events mean: ratings, labels, counts, quantities, amounts, durations."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np

from poise.types import Floats

ValueKind = Literal["rating", "label", "count", "quantity", "amount", "duration"]
"""``rating``: how good it was; ``label``: 1 for yes, 0 for no; ``count``: how often; ``quantity``: how many;
``amount``: money; ``duration``: how long."""

_NAMES: dict[ValueKind, frozenset[str]] = {
    "rating": frozenset(("rating", "score", "stars", "overall", "ratingvalue", "bookrating")),
    "label": frozenset(("label", "click", "isclick", "clicked", "liked", "islike", "purchased", "target")),
    "count": frozenset(("playcount", "plays", "listens", "count")),
    "quantity": frozenset(("quantity", "qty")),
    "amount": frozenset(("amount", "price", "total", "revenue")),
    "duration": frozenset(("duration", "dwell", "dwelltime", "watchtime", "seconds")),
}


def guess(name: str, values: Floats) -> ValueKind | None:
    """Guess what a column of values means.

    Args:
        name: of the column.
        values: float32 ``[n]``; NaN where there is none.

    Returns:
        the kind; None where neither name nor values tell.
    """
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    given = values[np.isfinite(values)]
    kind = next((kind for kind, names in _NAMES.items() if plain in names), None)
    if kind == "label":
        return "label" if len(given) and bool(np.isin(given, (-1, 0, 1)).all()) else None
    return kind
