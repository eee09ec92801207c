"""Writing answers."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any, TypeVar

import msgspec
from starlette.responses import Response

Result = TypeVar("Result")
_ENCODER = msgspec.json.Encoder()


def as_json(value: Any, status: int = 200) -> Response:
    """Return a value as an answer in JSON."""
    return Response(_ENCODER.encode(value), status, media_type="application/json")


async def settled(future: Future[Result]) -> Result:
    """Wait for what another thread does. Who goes away meanwhile does not undo it.

    Raises:
        Exception: what went wrong there.
    """
    return await asyncio.shield(asyncio.wrap_future(future))
