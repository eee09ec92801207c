"""Where somebody is on the page. All of it stands in the address, so that a reload, a bookmark and "back" just work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import msgspec

from poise.serve.errors import InvalidRequestError
from poise.serve.schema.ids import one_form
from poise_client.schema.fields import Id

POPULAR = "popular"  # popular items, as something to compare with
LONGEST_QUERY = 200
MOST_PARTS = 1_000


@dataclass(frozen=True)
class Visit:
    """What the page shows.

    Attributes:
        user_id: the user; None while none is picked.
        query: what is looked for in the catalogue.
        item: the item that others like it are shown for; it goes before ``query``.
        beside: the run to compare with, or ``popular``; None for what is best by itself.
        since: ids of the requests that were answered before the last click: what has changed since then is marked.
        part: how many times the catalogue's first page is shown.
    """

    user_id: str | None = None
    query: str = ""
    beside: str | None = None
    since: tuple[str, ...] = ()
    part: int = 1
    item: str | None = None

    @classmethod
    def of(cls, fields: Iterable[tuple[str, str]]) -> Visit:
        """Read it from the fields of an address or of a form.

        Raises:
            InvalidRequestError: an id is none.
        """
        given: dict[str, str] = {}
        since = []
        for name, value in fields:
            if name == "since":
                since.append(value)
            elif value.strip():
                given[name] = value.strip()
        part = given.get("part", "1")
        return cls(
            _outer_id("user", given.get("user")),
            given.get("q", "")[:LONGEST_QUERY],
            _id(given.get("with")),
            tuple(request_id for request_id in since[:2] if _id(request_id)),
            min(max(int(part), 1), MOST_PARTS) if part.isascii() and part.isdigit() and len(part) < 6 else 1,
            _outer_id("item", given.get("item")),
        )

    def fields(self) -> list[tuple[str, str]]:
        """Return it as the fields of an address or of a form."""
        named = [("user", self.user_id), ("with", self.beside), ("q", self.query), ("item", self.item)]
        if self.part > 1:
            named.append(("part", str(self.part)))
        named += [("since", request_id) for request_id in self.since]
        return [(name, value) for name, value in named if value]

    def address(self, anchor: str = "", **changes: Any) -> str:
        """Return the address of the page, with some of it changed."""
        query = urlencode(replace(self, **changes).fields())
        return "/" + (f"?{query}" if query else "") + (f"#{anchor}" if anchor else "")


def _id(value: str | None) -> str | None:
    try:
        return None if value is None else msgspec.convert(value, Id)
    except msgspec.ValidationError:
        raise InvalidRequestError("an id has 1 to 256 signs, none of them a control sign") from None


def _outer_id(name: str, value: str | None) -> str | None:
    """Return the id of a user or an item in the form that the log and the catalogue have it."""
    checked = _id(value)
    return None if checked is None else one_form(name, checked)
