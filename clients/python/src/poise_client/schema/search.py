"""What is found without asking for whom: by words, by likeness, by popularity."""

from __future__ import annotations

from msgspec import Struct


class ScoredItem(Struct, frozen=True):
    """An item that was found, what people know it by, and how well it fits."""

    item_id: str
    title: str
    score: float


class ScoredItems(Struct, frozen=True):
    """Items that were found, best first."""

    items: list[ScoredItem]
