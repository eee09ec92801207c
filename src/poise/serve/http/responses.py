"""Writing answers."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any, TypeVar

import msgspec
from starlette.responses import Response

from poise.serve.schema.problems import UnavailableError

Result = TypeVar("Result")
WRITTEN_WITHIN = 15.0  # seconds; a store that another program has locked says so after ten
_ENCODER = msgspec.json.Encoder()


def as_json(value: Any, status: int = 200) -> Response:
    """Return a value as an answer in JSON."""
    return Response(_ENCODER.encode(value), status, media_type="application/json")


async def settled(future: Future[Result]) -> Result:
    """Wait for what the store writes. Who goes away meanwhile does not undo it.

    Raises:
        UnavailableError: it takes too long.
        Exception: what went wrong there.
    """
    writing = asyncio.wrap_future(future)
    try:
        return await asyncio.wait_for(asyncio.shield(writing), WRITTEN_WITHIN)
    except TimeoutError:
        raise UnavailableError(
            "the store takes too long, and may or may not keep this: send it again, events with the same event_id",
            headers={"Retry-After": "5"},
        ) from None
