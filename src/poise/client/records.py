"""What is sent and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Value = str | int | float | bool | Sequence[str] | None
"""What a column of the catalogue holds: text, a number, yes or no, labels."""


@dataclass(frozen=True, slots=True)
class Event:
    """Somebody did something with an item.

    Attributes:
        user_id: who.
        item_id: with which item.
        behaviour: what they did, such as ``view``, ``click``, ``cart``, ``purchase``.
        value: how much: a rating, a quantity, seconds watched.
        timestamp: when, as a datetime (UTC if it has no zone) or as milliseconds since 1970; None for now.
        event_id: by which the server knows that it has the event already; None to have one made.
        context: where and how: device, place.
        request_id: of the slate that the item was shown in, if it was.
    """

    user_id: str
    item_id: str
    behaviour: str = "view"
    value: float | None = None
    timestamp: datetime | int | None = None
    event_id: str | None = None
    context: Mapping[str, str | int | float | bool | None] | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """An item of the catalogue: its columns, such as title, genres, price, and whether it may be recommended."""

    item_id: str
    content: Mapping[str, Value] = field(default_factory=dict)
    available: bool = True


@dataclass(frozen=True, slots=True)
class User:
    """What is known of a user."""

    user_id: str
    content: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEvent:
    """Something that somebody without an id did; see :class:`Event`."""

    item_id: str
    behaviour: str = "view"
    value: float | None = None
    timestamp: datetime | int | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """What an item must be like to be recommended, by one column of the catalogue.

    Attributes:
        column: its name.
        is_in: it holds one of these.
        not_in: it holds none of these.
        least: it holds this number or more.
        most: it holds this number or less.
    """

    column: str
    is_in: Sequence[str | float | bool] | None = None
    not_in: Sequence[str | float | bool] | None = None
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry that the server did not take: its place among those that were sent, from 0, and why."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of what was sent.

    Attributes:
        accepted: how many are now kept.
        duplicates: how many the server had already.
        refused: those that it did not take.
    """

    accepted: int
    duplicates: int = 0
    refused: list[Refused] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an item is recommended: what kind of reason, its share of the score, and in words."""

    kind: str
    share: float
    text: str


@dataclass(frozen=True, slots=True)
class Recommended:
    """An item of a slate.

    Attributes:
        item_id: which one.
        score: by which it was ranked.
        probability: with which it was shown.
        title: what people know it by; None if it has none.
        reasons: why; empty unless they were asked for.
    """

    item_id: str
    score: float
    probability: float
    title: str | None = None
    reasons: list[Reason] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Slate:
    """What is recommended, best first.

    Attributes:
        request_id: give it with the events that follow, so that they are known to come from this slate, and with the
            request for the next page.
        run: of the project that chose the items.
        model: of that run.
        stage: ``ranker``, or a simpler one where that was slow or failed.
        items: what is recommended.
    """

    request_id: str
    run: str
    model: str
    stage: Literal["ranker", "retrieval", "popular", "cached"]
    items: list[Recommended]


@dataclass(frozen=True, slots=True)
class Found:
    """An item that was looked for."""

    item_id: str
    score: float
    title: str | None = None


@dataclass(frozen=True, slots=True)
class ItemPage:
    """A part of the catalogue, and after which item the next one begins; None at the end."""

    items: list[Item]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class UserPage:
    """A part of the users, and after which user the next one begins; None at the end."""

    users: list[User]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What somebody did with an item, and when in milliseconds since 1970."""

    item_id: str
    behaviour: str
    timestamp: int
    value: float | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Interest:
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


@dataclass(frozen=True, slots=True)
class Profile:
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
    events: int = 0
    history: list[Done] = field(default_factory=list)
    interests: list[Interest] = field(default_factory=list)
    words: str = ""
    content: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shown:
    """An item that was shown: its score, its probability, and what people did with it."""

    item_id: str
    score: float
    probability: float
    feedback: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Impression:
    """A slate that was shown, and what came of it; when it was, in milliseconds since 1970."""

    request_id: str
    run: str
    stage: str
    timestamp: int
    items: list[Shown]
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was erased of a user, by kind, and the runs that hold them until they are fitted anew."""

    receipt_id: str
    erased: Mapping[str, int]
    runs_holding_the_user: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the server lives, and the run that it serves."""

    status: str
    run: str | None = None
    reason: str | None = None
