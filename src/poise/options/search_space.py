"""Where better options of a model are looked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Gt
from pydantic import FiniteFloat


@dataclass(frozen=True, kw_only=True)
class Range:
    """Where tuning looks for the value of a numeric option.

    Args:
        low: the least value.
        high: the largest value.
        log: whether to look evenly on a logarithmic scale.
        step: the distance between two values that are tried; None for any in between, whole numbers for an option that
            takes only these.
    """

    low: FiniteFloat
    high: FiniteFloat
    log: bool = False
    step: Annotated[FiniteFloat, Gt(0)] | None = None


Space = dict[str, list[Any] | Range]
"""Where tuning looks: by option, its choices or a range."""
