"""The records of the store. Times are milliseconds since 1970 in UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """Somebody did something with an item.

    Attributes:
        user_id: who acted.
        item_id: the item.
        behaviour: what they did, such as ``view``.
        value: such as a rating; None if there is none.
        time: of the event.
        event_id: recognises the event when it is sent again; None for an event that cannot be told from another.
        context: where and how it happened: strings, numbers and booleans by name.
        request_id: the recommendation that it answers.
    """

    user_id: str
    item_id: str
    behaviour: str
    value: float | None
    time: int
    event_id: str | None = None
    context: Mapping[str, Any] | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """An item of the catalogue: its columns by name, and whether it may be recommended."""

    item_id: str
    content: Mapping[str, Any]
    available: bool = True


@dataclass(frozen=True, slots=True)
class User:
    """A user: columns by name."""

    user_id: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Impression:
    """One page of one answer to a request.

    Attributes:
        request_id: of the request; further pages of it have the same.
        offset: how many items of the request were shown on pages before.
        user_id: to whom; None for a history without a name.
        time: when.
        scenario: the surface that it was shown on, such as ``home``.
        run: which fitted pipeline answered.
        stage: how far it came: ``ranker``, ``retrieval``, ``popular`` or ``cached``.
        items: the ids that were shown, the best first.
        scores: of each.
        probabilities: with which each was shown.
        sources: the retriever or the stage that brought each.
        policy_version: a short hash of the policy's options; empty where it is not known.
        arm: of the experiment that the request was in; None outside of one.
        context: where and how it was asked: strings, numbers and booleans by name.
        filters: that the request set, as JSON.
        features: that the ranker saw, as JSON; None where it saw none.
        n_eligible: how many items could have been shown; None where it is not known.
    """

    request_id: str
    offset: int
    user_id: str | None
    time: int
    scenario: str | None
    run: str
    stage: str
    items: list[str]
    scores: list[float]
    probabilities: list[float]
    sources: list[str]
    policy_version: str = ""
    arm: str | None = None
    context: Mapping[str, Any] | None = None
    filters: Sequence[Any] | None = None
    features: Any = None
    n_eligible: int | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """How many events of a batch are newly stored, and how many were stored before."""

    accepted: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class Erasure:
    """The receipt of an erasure.

    Attributes:
        receipt_id: identifies the receipt.
        subject: a salted hash of the user's id: with the id one finds the receipt, but not the id from the receipt.
        time: of the erasure.
        counts: how many rows of each kind were erased.
        runs: the fitted pipelines that were trained on the user's events.
    """

    receipt_id: str
    subject: str
    time: int
    counts: dict[str, int]
    runs: list[str]


@dataclass(frozen=True, slots=True)
class Key:
    """An API key, without its secret.

    Attributes:
        key_id: the part of the token that may be shown.
        name: what people call it.
        scopes: what it allows.
        created: the time it was made.
        revoked: the time from which it is not valid; None for a valid one.
    """

    key_id: str
    name: str
    scopes: tuple[str, ...]
    created: int
    revoked: int | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An entry of the audit log: who did what, and when."""

    time: int
    actor: str
    act: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunMetrics:
    """How many items a run has shown, and how much feedback came.

    Attributes:
        requests: how many it answered; further pages of one do not count.
        shown: how many items it showed.
        answered: with how many requests there is an event, be it a yes or a no.
    """

    requests: int
    shown: int
    answered: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What is new since a version: whole versions, in order.

    Attributes:
        version: up to which everything is here; ask for what is newer than this the next time.
        events: that were added and not erased since, in order of arrival.
        items: that were added or changed, as they are now.
        deleted_items: ids of items that were deleted.
        users: that were added or changed, as they are now.
        erased: how many users were erased.
        settings: that were set, by name.
    """

    version: int
    events: list[Event] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    deleted_items: list[str] = field(default_factory=list)
    users: list[User] = field(default_factory=list)
    erased: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
