"""Ids of messages, in the form that those of files have."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from poise.data.schema.id_form import normalise_id
from poise.serve.errors import InvalidRequestError
from poise_client.schema.events import HistoryEvent
from poise_client.schema.recommendations import RecommendationRequest

Message = TypeVar("Message", bound=msgspec.Struct)

_NAMES = ("user_id", "item_id")


def one_form(name: str, text: str) -> str:
    """Return an id as :func:`poise.data.schema.id_form.normalise_id` has it.

    Raises:
        InvalidRequestError: it is blank, or a word for a missing value.
    """
    outer = normalise_id(text)
    if not outer:
        raise InvalidRequestError(f"{name}: {text[:50]!r} is no id: it stands for a missing value", f"#/{name}")
    return outer


def with_ids_in_one_form(message: Message) -> Message:
    """Return a message with its ids of a user and of an item in one form.

    Raises:
        InvalidRequestError: one is blank, or a word for a missing value.
    """
    given = {name: text for name in _NAMES if (text := getattr(message, name, None)) is not None}
    changed = {name: outer for name, text in given.items() if (outer := one_form(name, text)) != text}
    return msgspec.structs.replace(message, **changed) if changed else message


def request_in_one_form(request: RecommendationRequest) -> RecommendationRequest:
    """Return a request with the ids of the user, the history, candidates and what to leave out in one form.

    Raises:
        InvalidRequestError: the id of the user is blank, or a word for a missing value.
    """
    request = with_ids_in_one_form(request)
    lists = {name: given for name in ("candidates", "exclude", "history") if (given := getattr(request, name))}
    changed = {name: [_of_list(entry) for entry in given] for name, given in lists.items()}
    return msgspec.structs.replace(request, **changed) if changed else request


def _of_list(entry: str | HistoryEvent) -> str | HistoryEvent:
    if isinstance(entry, str):
        return normalise_id(entry) or entry  # one that stands for nothing is an item that nobody knows
    outer = normalise_id(entry.item_id)
    return msgspec.structs.replace(entry, item_id=outer) if outer and outer != entry.item_id else entry
