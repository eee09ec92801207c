"""Waiting for what the store writes."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TypeVar

from poise.serve.errors import UnavailableError

Result = TypeVar("Result")
WRITTEN_WITHIN = 15.0  # seconds; a store that another program has locked says so after ten


async def settled(future: Future[Result]) -> Result:
    """Wait for what the store writes. A caller that goes away does not undo it.

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
            retry_after=5,
        ) from None
