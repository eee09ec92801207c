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
IMPRESSION_NAMES = ("request_id", "offset", "user_id", "time", "scenario", "run", "stage", "slate", "detail")
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
INSERT_IMPRESSIONS = BulkInsert(impressions, ("project", *IMPRESSION_NAMES[:-2], "shown", "slate", "detail"))


def _plain(value: Any) -> Any:
    """Turn a NumPy number into one of Python's."""
    if hasattr(value, "item"):
        return value.item()
    raise DataError(f"this cannot be kept: {value!r} is neither text nor a number, a boolean or a list")


dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain).encode
"""Return a value as compact JSON."""


_JSON = msgspec.json.Encoder(enc_hook=_plain)  # for what is written with every answer: what came as JSON, and floats
_DETAILS = ("policy_version", "arm", "context", "filters", "features", "n_eligible")


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
    items, scores, probabilities = json.loads(row[7])
    detail = json.loads(row[8]) if row[8] else {}
    sources = detail.pop("sources", None) or [row[6]] * len(items)  # of before there were sources, too
    request_id, offset, user_id, time, scenario, run, stage = row[:7]
    return Impression(
        request_id, offset, user_id, time, scenario, run, stage, items, scores, probabilities, sources, **detail
    )


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
        _JSON.encode([impression.items, impression.scores, impression.probabilities]).decode(),
        _detail(impression),
    )


def _detail(impression: Impression) -> str | None:
    """Return what is known of a page besides its slate; sources only where they are not all the stage itself."""
    detail = {name: value for name in _DETAILS if (value := getattr(impression, name)) not in (None, "")}
    if any(source != impression.stage for source in impression.sources):
        detail["sources"] = impression.sources
    return _JSON.encode(detail).decode() if detail else None


def without_nulls(content: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out nulls: an absent key means the same."""
    return {name: value for name, value in content.items() if value is not None}
