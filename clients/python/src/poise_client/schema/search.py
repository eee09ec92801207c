"""What is found without asking for whom: by words, by likeness, by popularity."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class ScoredItem(Struct, frozen=True):
    """An item that was found, what people know it by, and how well it fits."""

    item_id: str
    title: str
    score: float


class ScoredItems(Struct, frozen=True):
    """Items that were found, best first."""

    items: list[ScoredItem]


class SimilarItems(Struct, frozen=True):
    """Items that are like one, best first, and how they were found.

    Attributes:
        items: none where nothing is known of the one.
        by: what they were compared by: ``content``, ``behaviour`` or ``both``.
        events: how many events of the one were learnt from.
        certainty: how far these bear it out: ``low``, ``fair`` or ``good``; null where they did not count.
    """

    items: list[ScoredItem]
    by: Literal["content", "behaviour", "both"] | None = None
    events: int | None = None
    certainty: Literal["low", "fair", "good"] | None = None
