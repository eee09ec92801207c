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
from msgspec import UNSET
from msgspec.structs import replace

from poise_client.errors import ApiError, PoiseClientError, UsageError
from poise_client.retry import retry_after
from poise_client.schema.events import Event, HistoryEvent
from poise_client.schema.items import Item
from poise_client.schema.recommendations import Filter, RecommendationRequest
from poise_client.schema.users import User

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
        PoiseClientError: it is not what a Poise server answers.
    """
    require_success(response)
    try:
        return msgspec.json.decode(response.content, type=kind)
    except msgspec.DecodeError as error:
        where = response.request.url.copy_with(query=None)
        raise PoiseClientError(f"{where} answered what no Poise server of this version does ({error})") from None


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
        raise UsageError(f"an event is a poise_client.Event, not {type(event).__name__}")
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    return {
        **{name: value for name, value in fields.items() if value is not None},
        "timestamp": int(time.time() * 1000) if event.timestamp is None else _milliseconds(event.timestamp),
        "event_id": event.event_id or uuid.uuid4().hex,
    }


def described(record: Item | User) -> Item | User:
    """Return an item or a user, if it is one."""
    if not isinstance(record, Item | User):
        raise UsageError(f"a poise_client.Item or User is needed, not {type(record).__name__}")
    return record


def past(event: str | HistoryEvent | Mapping[str, Any]) -> str | HistoryEvent:
    """Return an event of a history, or what JSON would say of one, as it is sent: with its moment in milliseconds."""
    if isinstance(event, Mapping):
        try:
            event = msgspec.convert(event, HistoryEvent)
        except msgspec.ValidationError as error:
            raise UsageError(f"an event such as {{'item_id': 'i1'}} is needed in a history: {error}") from None
    if isinstance(event, str) or event.timestamp is None:
        return event
    return replace(event, timestamp=_milliseconds(event.timestamp))


def condition(given: Filter | Mapping[str, Any]) -> Filter:
    """Return a filter, or what JSON would say of one, as it is sent: without what is None."""
    if isinstance(given, Mapping):
        try:
            given = msgspec.convert(given, Filter)
        except msgspec.ValidationError as error:
            raise UsageError(f"a filter such as {{'column': 'price', 'max': 10}} is needed: {error}") from None
    return replace(given, **{name: UNSET for name in given.__struct_fields__ if getattr(given, name) is None})


def asked(request: RecommendationRequest) -> bytes:
    """Return a request for recommendations as JSON: with ``k``, as the server's default may be another one."""
    said = msgspec.json.decode(encode(request), type=dict[str, msgspec.Raw])
    return encode({**said, "k": request.k})


def _milliseconds(moment: datetime | int) -> int:
    if isinstance(moment, datetime):
        return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)
    return moment
