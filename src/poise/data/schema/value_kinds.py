"""What the values of events mean: ratings, labels, counts, quantities, amounts, durations."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from poise.data.roles.guess import named_kind
from poise.data.roles.words import concepts_of
from poise.types import Floats

ValueKind = Literal["rating", "label", "count", "quantity", "amount", "duration"]
"""``rating``: how good it was; ``label``: 1 for yes, 0 for no; ``count``: how often; ``quantity``: how many;
``amount``: money; ``duration``: how long."""

_STEPS = 10  # different values on a scale of ratings, at most: half stars from .5 to 5


ZERO_IS_NOTHING: tuple[ValueKind, ...] = ("label", "count", "quantity", "duration")
"""The kinds whose 0 says that nothing was done: not clicked, not played, not bought, not watched."""


def guess(name: str, values: Floats) -> ValueKind | None:
    """Guess what a column of values means, by its name in many languages and by the values.

    Args:
        name: of the column.
        values: float32 ``[n]``; NaN where there is none.

    Returns:
        the kind; None where neither name nor values tell.
    """
    given = values[np.isfinite(values)]
    different = np.unique(given)
    named = named_kind(name) or ("amount" if "price" in concepts_of(name) else None)
    is_label = len(different) > 1 and bool(np.isin(different, (-1, 0, 1)).all())
    if named == "label":
        return "label" if len(given) and bool(np.isin(different, (-1, 0, 1)).all()) else None
    if is_label and (named == "rating" or (named in (None, "value") and bool(name))):
        return "label"
    if named == "value":
        return "rating" if _is_scale(different) else None
    return next((kind for kind in get_args(ValueKind) if kind == named), None)


def _is_scale(different: Floats) -> bool:
    """Tell whether values are steps from 1, or a half, to 5."""
    return bool(
        3 <= len(different) <= _STEPS and different[0] >= 0.5 and different[-1] == 5 and (different * 2 % 1 == 0).all()
    )
