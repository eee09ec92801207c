"""What became of the entries of a body."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

MOST_NAMED = 10
"""Unknown items that an answer names, at most."""


class Refusal(Struct, frozen=True):
    """Why one entry of a body was not taken.

    Attributes:
        index: its place among those that were sent, from 0.
        reason: what is wrong with it.
    """

    index: int
    reason: str


class Accepted(Struct, frozen=True):
    """What became of the entries of a body.

    Attributes:
        accepted: how many are now kept.
        duplicates: how many the server had already.
        refused: those that it did not take.
        unknown_items: of events that it took, the first items that the catalogue does not have; left out if there are
            none.
        hint: what to do about them.
    """

    accepted: int
    duplicates: int = 0
    refused: list[Refusal] = []
    unknown_items: list[str] | UnsetType = UNSET
    hint: str | UnsetType = UNSET
