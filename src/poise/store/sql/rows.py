"""Records to rows and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from poise.errors import DataError
from poise.store.records import Event, Impression, Item, User
from poise.store.sql.bulk_insert import BulkInsert
from poise.store.sql.tables import events, impressions, items, users

EVENT_NAMES = ("user_id", "item_id", "behaviour", "value", "time", "event_id", "context", "request_id")
EVENT_COLUMNS = [events.c[name] for name in EVENT_NAMES]
ITEM_COLUMNS = [items.c.item_id, items.c.content, items.c.available]
USER_COLUMNS = [users.c.user_id, users.c.content]
IMPRESSION_NAMES = ("request_id", "offset", "user_id", "time", "scenario", "run", "stage", "slate")
IMPRESSION_COLUMNS = [impressions.c[name] for name in IMPRESSION_NAMES]

INSERT_EVENTS = BulkInsert(events, ("project", "version", *EVENT_NAMES))
INSERT_ITEMS = BulkInsert(
    items,
    ("project", "version", "item_id", "content", "available", "deleted"),
    replaced=("content", "available", "version", "deleted"),
    key=("project", "item_id"),
)
INSERT_USERS = BulkInsert(
    users,
    ("project", "version", "user_id", "content"),
    replaced=("content", "version"),
    key=("project", "user_id"),
)
INSERT_IMPRESSIONS = BulkInsert(impressions, ("project", *IMPRESSION_NAMES[:-1], "shown", "slate"))


def _plain(value: Any) -> Any:
    """Turn a NumPy number into one of Python's."""
    if hasattr(value, "item"):
        return value.item()
    raise DataError(f"this cannot be kept: {value!r} is neither text nor a number, a boolean or a list")


dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain).encode
"""Return a value as compact JSON."""


_SLATES = msgspec.json.Encoder()  # for what is written with every answer: text and floats alone


def to_event(row: Sequence[Any]) -> Event:
    """Make an event of a row of ``EVENT_COLUMNS``."""
    user_id, item_id, behaviour, value, time, event_id, context, request_id = row
    return Event(
        user_id, item_id, behaviour, value, time, event_id, None if context is None else json.loads(context), request_id
    )


def from_event(event: Event, project: int, version: int) -> tuple[Any, ...]:
    """Make a row for ``INSERT_EVENTS``."""
    value = event.value
    context = without_nulls(event.context) if event.context else None
    return (
        project,
        version,
        event.user_id,
        event.item_id,
        event.behaviour,
        None if value is None or value != value else value,  # noqa: PLR0124  (not a number)
        event.time,
        event.event_id,
        dump(context) if context else None,
        event.request_id,
    )


def to_item(row: Sequence[Any]) -> Item:
    """Make an item of a row of ``ITEM_COLUMNS``."""
    return Item(row[0], json.loads(row[1]), bool(row[2]))


def to_user(row: Sequence[Any]) -> User:
    """Make a user of a row of ``USER_COLUMNS``."""
    return User(row[0], json.loads(row[1]))


def from_item(item: Item, project: int, version: int) -> tuple[Any, ...]:
    """Make a row for ``INSERT_ITEMS``."""
    return project, version, item.item_id, dump(without_nulls(item.content)), item.available, False


def from_user(user: User, project: int, version: int) -> tuple[Any, ...]:
    """Make a row for ``INSERT_USERS``."""
    return project, version, user.user_id, dump(without_nulls(user.content))


def to_impression(row: Sequence[Any]) -> Impression:
    """Make an impression of a row of ``IMPRESSION_COLUMNS``."""
    return Impression(*row[:7], *json.loads(row[7]))


def from_impression(impression: Impression, project: int) -> tuple[Any, ...]:
    """Make a row for ``INSERT_IMPRESSIONS``."""
    return (
        project,
        impression.request_id,
        impression.offset,
        impression.user_id,
        impression.time,
        impression.scenario,
        impression.run,
        impression.stage,
        len(impression.items),
        _SLATES.encode([impression.items, impression.scores, impression.probabilities]).decode(),
    )


def without_nulls(content: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out nulls: an absent key means the same."""
    return {name: value for name, value in content.items() if value is not None}
