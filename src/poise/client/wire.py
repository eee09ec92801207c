"""Records to JSON, and answers to records."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from poise.client.errors import ApiError
from poise.client.records import Event, Filter, HistoryEvent, Item, User
from poise.client.retry import retry_after
from poise.errors import PoiseError, UsageError

Record = TypeVar("Record")


def encode(value: Any) -> bytes:
    """Return ``value`` as JSON.

    Raises:
        UsageError: it holds what JSON does not know.
    """
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise UsageError(f"this cannot be sent as JSON: {error}") from None


def decode(response: httpx.Response, kind: type[Record]) -> Record:
    """Return an answer as a record of ``kind``; fields that it does not know are passed over.

    Raises:
        ApiError: the answer is an error.
        PoiseError: it is not what a Poise server answers.
    """
    require_success(response)
    try:
        return msgspec.json.decode(response.content, type=kind)
    except msgspec.DecodeError as error:
        where = response.request.url.copy_with(query=None)
        raise PoiseError(f"{where} answered what no Poise server of this version does ({error})") from None


def require_success(response: httpx.Response) -> None:
    """Raise the error that an answer is, if it is one; a redirection counts as one, as it is not followed."""
    if not 200 <= response.status_code < 300:
        raise ApiError.of(response, retry_after(response))


def path(*parts: str) -> str:
    """Return a path of parts that may hold any signs.

    Raises:
        UsageError: a part is empty.
    """
    if not all(parts):
        raise UsageError("an id is empty")
    # A part of dots alone would be taken for a folder by whatever tidies paths on the way.
    return "/" + "/".join(quote(part, safe="") if part.strip(".") else "%2E" * len(part) for part in parts)


def identified(event: Event) -> dict[str, Any]:
    """Return an event as it is sent: with an id, so that it can be sent twice, and with its moment."""
    if not isinstance(event, Event):
        raise UsageError(f"an event is a poise.client.Event, not {type(event).__name__}")
    return {
        **_without_none(event),
        "timestamp": int(time.time() * 1000) if event.timestamp is None else _milliseconds(event.timestamp),
        "event_id": event.event_id or uuid.uuid4().hex,
    }


def described(record: Item | User) -> dict[str, Any]:
    """Return an item or a user as it is sent."""
    if isinstance(record, Item):
        return {"item_id": record.item_id, "content": record.content, "available": record.available}
    if isinstance(record, User):
        return {"user_id": record.user_id, "content": record.content}
    raise UsageError(f"a poise.client.Item or User is needed, not {type(record).__name__}")


def past(event: str | HistoryEvent) -> str | dict[str, Any]:
    """Return an event of a history as it is sent."""
    if isinstance(event, str):
        return event
    found = _without_none(event)
    if event.timestamp is not None:
        found["timestamp"] = _milliseconds(event.timestamp)
    return found


def condition(given: Filter) -> dict[str, Any]:
    """Return a filter as it is sent."""
    names = {"is_in": "in", "least": "min", "most": "max"}
    return {names.get(name, name): value for name, value in _without_none(given).items()}


def present(**entries: Any) -> Mapping[str, Any]:
    """Return the entries that are not None."""
    return {name: value for name, value in entries.items() if value is not None}


def _without_none(record: Any) -> dict[str, Any]:
    return {name: value for name in record.__slots__ if (value := getattr(record, name)) is not None}


def _milliseconds(moment: datetime | int) -> int:
    if isinstance(moment, datetime):
        return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)
    return moment
