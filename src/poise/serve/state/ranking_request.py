"""One request as a run sees it, and the slate that answers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from poise.candidates import CATALOGUE
from poise.serve.state.history import History
from poise.slates import Slates
from poise.types import Codes, Floats, Indices, Mask


@dataclass(frozen=True, slots=True)
class RankingRequest:
    """One request, in the terms of one catalogue.

    Attributes:
        history: what the person did.
        k: how many items.
        time: when it is made, in milliseconds since 1970.
        allowed: bool ``[n_items + 1]``, what may be shown.
        exclude: items that may not, besides.
        context: where and how, by name; the scenario is one of them. Empty if nothing is known.
        candidates: int32 ``[m]``, the only items to rank; None for the whole catalogue.
    """

    history: History
    k: int
    time: int
    allowed: Mask
    exclude: Indices
    context: Mapping[str, Any] = field(default_factory=dict)
    candidates: Indices | None = None

    @property
    def is_of_somebody_known(self) -> bool:
        """Whether there is anything that a model goes by."""
        return bool(len(self.history.items) or self.history.user)


@dataclass(frozen=True, slots=True)
class RankedItems:
    """The items for one request, best first.

    Attributes:
        items: int32 ``[m]``.
        scores: float32 ``[m]``.
        probabilities: float32 ``[m]``, with which each is shown; None where nothing was drawn.
        sources: uint8 ``[m]``, the source of each, as a place in ``source_names``; None for all the first.
        source_names: what the sources are called.
    """

    items: Indices
    scores: Floats
    probabilities: Floats | None = None
    sources: Codes | None = None
    source_names: tuple[str, ...] = (CATALOGUE,)

    @classmethod
    def of(cls, slates: Slates, row: int, k: int, *, is_drawn: bool) -> RankedItems:
        """Take one slate of a batch, at most ``k`` items of it; ``is_drawn`` says whether chance had a part in it."""
        items = slates.items[row, :k]
        n = int(np.count_nonzero(items))
        return cls(
            items[:n],
            slates.scores[row, :n],
            slates.probabilities[row, :n] if is_drawn else None,
            None if slates.sources is None else slates.sources[row, :n],
            slates.source_names,
        )

    @property
    def chances(self) -> list[float]:
        """The probability with which each item is shown."""
        return [1.0] * len(self.items) if self.probabilities is None else self.probabilities.tolist()

    @property
    def brought_by(self) -> list[str]:
        """The source of each item."""
        if self.sources is None:
            return [self.source_names[0]] * len(self.items)
        return [self.source_names[code] for code in self.sources.tolist()]

    def first(self, k: int) -> RankedItems:
        """Return the first ``k`` items."""
        return self.where(np.arange(len(self.items)) < k)

    def where(self, keep: Mask) -> RankedItems:
        """Return the items for which ``keep``, bool ``[m]``, is true."""
        return RankedItems(
            self.items[keep],
            self.scores[keep],
            None if self.probabilities is None else self.probabilities[keep],
            None if self.sources is None else self.sources[keep],
            self.source_names,
        )
