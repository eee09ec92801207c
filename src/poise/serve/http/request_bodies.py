"""Reading bodies: whole or line by line, as large and as slow as allowed, each entry checked for itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from starlette.requests import Request

from poise.serve.schema.problems import BadRequestError, MalformedError, TooLargeError, TooLongError, TooManyError
from poise_client.schema.batches import Refusal
from poise_client.schema.fields import MOST_AT_ONCE

Entry = TypeVar("Entry")

WITHIN = 30.0  # seconds for a whole body to come, or the next part of one that is read line by line
HELD = 500_000_000  # bytes of bodies that are on their way, all together
_CLOSE = {"Connection": "close"}  # what is left of a body that was refused is not waited for


class _Held:
    size = 0


_held = _Held()


async def read_body(request: Request, most: int) -> bytes:
    """Return the whole body.

    Raises:
        TooLargeError: it has more than ``most`` bytes.
        TooLongError: it does not come in time.
        TooManyError: too much is on its way from all together.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most:
        raise TooLargeError(
            f"the body has {int(declared):,} bytes; at most {most:,} are taken: send several", headers=_CLOSE
        )
    parts, size = [], 0
    try:
        async with asyncio.timeout(WITHIN):
            async for part in request.stream():
                size += len(part)
                _held.size += len(part)
                if size > most:
                    raise TooLargeError(f"the body has more than {most:,} bytes: send several", headers=_CLOSE)
                if _held.size > HELD:
                    raise TooManyError(
                        "more is being sent than there is room for", headers={**_CLOSE, "Retry-After": "1"}
                    )
                parts.append(part)
    except TimeoutError:
        raise _too_long() from None
    finally:
        _held.size -= size
    return b"".join(parts)


def _too_long() -> TooLongError:
    return TooLongError(f"the body did not come within {WITHIN:g} seconds; send it again", headers=_CLOSE)


def decode(decoder: msgspec.json.Decoder[Entry], body: bytes) -> Entry:
    """Return what a body says.

    Raises:
        MalformedError: it is no JSON.
        BadRequestError: it is not of the form that is due.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise BadRequestError(explain(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"the body is no JSON: {explain(error)}") from None


def explain(error: Exception) -> str:
    """Return what is wrong, in one line."""
    return " ".join(str(error).split())


class Entries(NamedTuple, Generic[Entry]):
    """What a body holds: the good entries with their places, why others were refused, and whether it is no list."""

    good: list[tuple[int, Entry]]
    refused: list[Refusal]
    alone: bool = False


class Batch(Generic[Entry]):
    """Reads one entry, or many in a list under a name, and tells what is wrong with which.

    Args:
        kind: of the entries.
        name: of the list.
    """

    def __init__(self, kind: type[Entry], name: str) -> None:
        self.name = name
        self.one = msgspec.json.Decoder(kind)
        names = {"entries": name}
        many: Any = list
        listed = msgspec.defstruct("Listed", [("entries", many[kind])], rename=names, forbid_unknown_fields=True)
        raw = msgspec.defstruct("Raw", [("entries", list[msgspec.Raw])], rename=names, forbid_unknown_fields=True)
        self.all = msgspec.json.Decoder(listed)
        self.each = msgspec.json.Decoder(raw)
        self._is_many = msgspec.json.Decoder(dict[str, msgspec.Raw])

    def read(self, body: bytes) -> Entries[Entry]:
        """Return the entries of a body.

        Raises:
            MalformedError: the body is no JSON.
            BadRequestError: it is no object, holds too many entries, or the only one is wrong.
        """
        try:
            fields = self._is_many.decode(body)
        except msgspec.ValidationError as error:
            raise BadRequestError(
                f"the body is an object: one entry, or many under {self.name!r}. {explain(error)}"
            ) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise MalformedError(f"the body is no JSON: {explain(error)}") from None
        if self.name not in fields:
            return Entries([(0, decode(self.one, body))], [], alone=True)
        try:
            entries: list[Entry] = self.all.decode(body).entries  # type: ignore[attr-defined]
            self._check_many(len(entries))
            return Entries(list(enumerate(entries)), [])
        except (msgspec.ValidationError, msgspec.DecodeError):
            parts: list[Any] = decode(self.each, body).entries  # type: ignore[attr-defined]
        self._check_many(len(parts))
        good, refused = [], []
        for at, part in enumerate(parts):
            try:
                good.append((at, self.one.decode(part)))
            except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
                refused.append(Refusal(at, explain(error)))
        return Entries(good, refused)

    def _check_many(self, many: int) -> None:
        if many > MOST_AT_ONCE:
            raise BadRequestError(f"{self.name} holds {many:,} entries; at most {MOST_AT_ONCE:,} are taken at once")


async def read_lines(request: Request, most: int) -> AsyncIterator[tuple[int, bytes]]:
    """Yield the lines of a body with their numbers from 0, as they come; empty ones are left out.

    Raises:
        TooLargeError: a line has more than ``most`` bytes.
        TooLongError: the next part does not come in time.
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
            raise TooLargeError(f"line {number + 1} has more than {most:,} bytes", headers=_CLOSE)
    rest = b"".join(begun)
    if rest.strip():
        yield number, rest


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
