"""Reading bodies: whole or line by line, as large and as slow as allowed, each entry checked for itself."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from starlette.requests import Request

from poise.serve.errors import InvalidRequestError
from poise.serve.http.problems import LargeBodyError, MalformedBodyError, ManyBodiesError, SlowBodyError
from poise.serve.schema.ids import with_ids_in_one_form
from poise_client.schema.batches import Accepted, Refusal
from poise_client.schema.fields import MOST_AT_ONCE

Entry = TypeVar("Entry", bound=msgspec.Struct)
Part = TypeVar("Part")

WITHIN = 30.0  # seconds for a whole body to come, or the next part of one that is read line by line
MOST_REFUSALS = 1_000  # that the answer to an import lists
IMPORTED_AT_ONCE = 5_000
HELD = 500_000_000  # bytes of bodies that are on their way, all together
_PLACE = re.compile(r" - at `(?:key in )?\$([^`]*)`$")
_FIELD = re.compile(r"Object (?:contains unknown|missing required) field `([^`]*)`")


class _Held:
    size = 0


_held = _Held()


async def read_body(request: Request, most: int) -> bytes:
    """Return the whole body.

    Raises:
        LargeBodyError: it has more than ``most`` bytes.
        SlowBodyError: it does not come in time.
        ManyBodiesError: too much is on its way from all together.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most:
        raise LargeBodyError(f"the body has {int(declared):,} bytes; at most {most:,} are taken: send several")
    parts, size = [], 0
    try:
        async with asyncio.timeout(WITHIN):
            async for part in request.stream():
                size += len(part)
                _held.size += len(part)
                if size > most:
                    raise LargeBodyError(f"the body has more than {most:,} bytes: send several")
                if _held.size > HELD:
                    raise ManyBodiesError("more is being sent than there is room for")
                parts.append(part)
    except TimeoutError:
        raise _too_long() from None
    finally:
        _held.size -= size
    return b"".join(parts)


def _too_long() -> SlowBodyError:
    return SlowBodyError(f"the body did not come within {WITHIN:g} seconds; send it again")


def decode(decoder: msgspec.json.Decoder[Entry], body: bytes, what: str = "the body") -> Entry:
    """Return what a body, or a line of one, says.

    Raises:
        MalformedBodyError: it is no JSON.
        InvalidRequestError: it is not of the expected form.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidRequestError(explain(error), pointer_of(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBodyError(f"{what} is no JSON: {explain(error)}") from None


def explain(error: Exception) -> str:
    """Return what is wrong, in one line."""
    return " ".join(str(error).split())


def pointer_of(error: msgspec.ValidationError) -> str:
    """Return where in a body something is wrong, as a JSON pointer (RFC 6901) in a URI; empty if it is the whole.

    msgspec says it in words: ``Expected `int`, got `str` - at `$.filters[0].min```.
    """
    said = str(error)
    place = _PLACE.search(said)
    names = re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", place[1]) if place else []
    parts = [name or index for name, index in names]
    if field := _FIELD.match(said):
        parts.append(field[1])
    return "#/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in parts) if parts else ""


class Entries(NamedTuple, Generic[Entry]):
    """What a body holds: the good entries with their places, why others were refused, and whether it is no list."""

    good: list[tuple[int, Entry]]
    refused: list[Refusal]
    alone: bool = False


class Batch(Generic[Entry]):
    """Reads one entry, or many in a list under a name, and says what is wrong with which.

    Args:
        kind: of the entries.
        name: of the list.
    """

    def __init__(self, kind: type[Entry], name: str) -> None:
        self.name = name
        self.entry_decoder = msgspec.json.Decoder(kind)
        names = {"entries": name}
        many: Any = list
        listed = msgspec.defstruct("Listed", [("entries", many[kind])], rename=names, forbid_unknown_fields=True)
        raw = msgspec.defstruct("Raw", [("entries", list[msgspec.Raw])], rename=names, forbid_unknown_fields=True)
        self.list_decoder = msgspec.json.Decoder(listed)
        self.raw_list_decoder = msgspec.json.Decoder(raw)
        self._object_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])

    def read_line(self, line: bytes) -> Entry:
        """Return the entry of a line.

        Raises:
            MalformedBodyError: the line is no JSON.
            InvalidRequestError: it is not of the expected form.
        """
        return with_ids_in_one_form(decode(self.entry_decoder, line, "the line"))

    def read(self, body: bytes) -> Entries[Entry]:
        """Return the entries of a body.

        Raises:
            MalformedBodyError: the body is no JSON.
            InvalidRequestError: it is no object, holds too many entries, or the only one is wrong.
        """
        try:
            fields = self._object_decoder.decode(body)
        except msgspec.ValidationError as error:
            raise InvalidRequestError(
                f"the body is an object: one entry, or many under {self.name!r}. {explain(error)}"
            ) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise MalformedBodyError(f"the body is no JSON: {explain(error)}") from None
        if self.name not in fields:
            return Entries([(0, with_ids_in_one_form(decode(self.entry_decoder, body)))], [], alone=True)
        try:
            entries: list[Entry] = self.list_decoder.decode(body).entries  # type: ignore[attr-defined]
        except (msgspec.ValidationError, msgspec.DecodeError):
            parts: list[Any] = decode(self.raw_list_decoder, body).entries  # type: ignore[attr-defined]
            return self._one_by_one(parts, self.entry_decoder.decode)
        return self._one_by_one(entries, lambda entry: entry)

    def _one_by_one(self, parts: Sequence[Part], read: Callable[[Part], Entry]) -> Entries[Entry]:
        self._check_many(len(parts))
        good, refused = [], []
        for place, part in enumerate(parts):
            try:
                good.append((place, with_ids_in_one_form(read(part))))
            except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, InvalidRequestError) as error:
                refused.append(Refusal(place, explain(error)))
        return Entries(good, refused)

    def _check_many(self, many: int) -> None:
        if many > MOST_AT_ONCE:
            raise InvalidRequestError(f"{self.name} holds {many:,} entries; at most {MOST_AT_ONCE:,} are taken at once")


async def read_lines(request: Request, most: int) -> AsyncIterator[tuple[int, bytes]]:
    """Yield the lines of a body with their numbers from 0, as they come; empty ones are left out.

    Raises:
        LargeBodyError: a line has more than ``most`` bytes.
        SlowBodyError: the next part does not come in time.
    """
    begun: list[bytes] = []  # the parts of a line whose end has not come
    size = number = 0
    async for part in _parts(request):
        first, *lines = part.split(b"\n")
        begun.append(first)
        size += len(first)
        if lines:
            begun, lines = [lines[-1]], [b"".join(begun), *lines[:-1]]
            size = len(begun[0])
        for line in lines:
            if line.strip():
                yield number, line
            number += 1
        if size > most:
            raise LargeBodyError(f"line {number + 1} has more than {most:,} bytes")
    rest = b"".join(begun)
    if rest.strip():
        yield number, rest


async def import_lines(
    request: Request, most: int, batch: Batch[Entry], put: Callable[[Sequence[Entry]], Awaitable[int]]
) -> Accepted:
    """Put in entries, one a line, as they come.

    Args:
        request: whose body it is.
        most: bytes of a line.
        batch: reads an entry.
        put: puts entries in, and returns how many.

    Raises:
        LargeBodyError: a line is larger than allowed.
        SlowBodyError: the next part does not come in time.
    """
    accepted = 0
    refused: list[Refusal] = []
    waiting: list[Entry] = []
    async for number, line in read_lines(request, most):
        try:
            waiting.append(batch.read_line(line))
        except Exception as error:
            if len(refused) < MOST_REFUSALS:
                refused.append(Refusal(number, explain(error)))
        if len(waiting) >= IMPORTED_AT_ONCE:
            accepted += await put(waiting)
            waiting.clear()
    accepted += await put(waiting)
    return Accepted(accepted, refused=refused)


async def _parts(request: Request) -> AsyncIterator[bytes]:
    stream = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(WITHIN):
                part = await anext(stream, None)
        except TimeoutError:
            raise _too_long() from None
        if part is None:
            return
        yield part
