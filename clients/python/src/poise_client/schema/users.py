"""For whom: what is known of people, what the system believes of them, and what is left when they are erased."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from poise_client.schema.fields import Body, Content, Id


class User(Struct, frozen=True):
    """What is known of a user.

    Attributes:
        user_id: who.
        content: the columns, such as age or city.
    """

    user_id: str
    content: Mapping[str, Any] = {}


class UserBody(User, frozen=True, forbid_unknown_fields=True):
    """What is known of a user, as a request may hold it: within limits, and with nothing else."""

    user_id: Id
    content: Content = {}


class UserPatch(Body, frozen=True, kw_only=True):
    """What changes of a user: content is merged, null takes a column out."""

    content: Content | UnsetType = UNSET


class UserPage(Struct, frozen=True):
    """A part of the users, and after which user the next one begins; None at the end."""

    users: list[User]
    next: str | None


class PastEvent(Struct, frozen=True):
    """What somebody did with an item, and when in milliseconds since 1970."""

    item_id: str
    title: str
    behaviour: str
    timestamp: int
    value: float | None


class Interest(Struct, frozen=True):
    """What somebody likes more than others do.

    Attributes:
        column: of the catalogue.
        label: that stands there.
        share: of the person's items that have it.
        times_average: that share over everybody's.
    """

    column: str
    label: str
    share: float
    times_average: float


class UserProfile(Struct, frozen=True):
    """What the system believes of a user.

    Attributes:
        user_id: who.
        events: how many events it has of them.
        history: the latest of them.
        interests: what they like more than others do.
        words: the same in a sentence.
        content: what was said of them.
    """

    user_id: str
    events: int
    history: list[PastEvent]
    interests: list[Interest]
    words: str
    content: Mapping[str, Any]


class ErasureReceipt(Struct, frozen=True):
    """What was erased, and which fitted models still hold it.

    Attributes:
        receipt_id: by which it can be proved.
        user_id: who.
        erased: how much, by kind.
        runs_holding_the_user: until they are fitted anew.
    """

    receipt_id: str
    user_id: str
    erased: dict[str, int]
    runs_holding_the_user: list[str]
