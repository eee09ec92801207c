"""By what items are called alike, and how far that can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

LikenessSource = Literal["content", "behaviour"]
"""What a model knows of items: what they are, or what people did with them."""

SimilarBy = Literal["content", "behaviour", "both"]
"""What items are compared by."""

Certainty = Literal["low", "fair", "good"]

SIMILAR_BY: tuple[SimilarBy, ...] = get_args(SimilarBy)
FEW = 10  # events of an item, below which chance decides what else the same people did
ENOUGH = 50  # events from which it no longer does

_WORDS = {"content": "by content", "behaviour": "by behaviour", "both": "by content and behaviour"}


@dataclass(frozen=True)
class Likeness:
    """By what one item was compared with others.

    Attributes:
        by: what it was compared by; None where nothing is known of it.
        events: how many events of it were learnt from; None where the run does not say.
    """

    by: SimilarBy | None
    events: int | None

    @property
    def certainty(self) -> Certainty | None:
        """How far the events of the item bear it out: ``low`` below 10, ``good`` from 50 on; None where none count."""
        if self.by in (None, "content") or self.events is None:
            return None
        return "low" if self.events < FEW else "fair" if self.events < ENOUGH else "good"

    @property
    def text(self) -> str:
        """The same in words; empty where the run does not say how many events the item has."""
        if self.events is None:
            return "" if self.by is None else _WORDS[self.by]
        if self.by is None:
            return "of which nothing is known: no event, and no text that the run reads"
        known = f"{self.events:,} event{'' if self.events == 1 else 's'}"
        if self.by == "content":
            doubt = ", too few to go by what people did" if self.events < FEW else ""
        elif not self.events:
            doubt = ", so nothing is known of what people did"
        else:
            doubt = {"low": ", so much of this is chance", "fair": ", so some of this may be chance"}.get(
                self.certainty or "", ""
            )
        return f"{_WORDS[self.by]} ({known}{doubt})"


def choose_by(events: int, *, has_content: bool, has_behaviour: bool) -> SimilarBy | None:
    """Return what an item is best compared by, from what is known of it.

    Args:
        events: how many events of it were learnt from.
        has_content: whether its content is known.
        has_behaviour: whether there is a model of what people do.
    """
    if has_content and (events < FEW or not has_behaviour):
        return "content"
    if not (has_behaviour and events):
        return None
    return "both" if has_content and events < ENOUGH else "behaviour"
