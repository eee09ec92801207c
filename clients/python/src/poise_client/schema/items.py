"""What there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from poise_client.schema.fields import Body, Content, Id


class Item(Struct, frozen=True):
    """An item of the catalogue.

    Attributes:
        item_id: which one.
        content: its columns, such as title, genres, price.
        available: whether it may be recommended.
    """

    item_id: str
    content: Mapping[str, Any] = {}
    available: bool = True


class ItemBody(Item, frozen=True, forbid_unknown_fields=True):
    """An item of the catalogue, as a request may hold it: within limits, and with nothing else."""

    item_id: Id
    content: Content = {}


class ItemPatch(Body, frozen=True, kw_only=True):
    """What changes of an item: content is merged, null takes a column out."""

    content: Content | UnsetType = UNSET
    available: bool | UnsetType = UNSET


class ItemPage(Struct, frozen=True):
    """A part of the catalogue, and after which item the next one begins; None at the end."""

    items: list[Item]
    next: str | None
