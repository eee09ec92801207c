"""What was shown, and what people did with it."""

from __future__ import annotations

from msgspec import Struct


class ShownItem(Struct, frozen=True):
    """An item that was shown: its score, its probability, and what people did with it."""

    item_id: str
    score: float
    probability: float
    feedback: list[str]


class Impression(Struct, frozen=True):
    """A slate that was shown, and what people did with it; when it was, in milliseconds since 1970."""

    request_id: str
    user_id: str | None
    run: str
    stage: str
    timestamp: int
    items: list[ShownItem]
