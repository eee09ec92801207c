"""Moments on the wire: milliseconds, or text by RFC 3339; without a zone they are in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from poise.serve.errors import InvalidRequestError
from poise_client.schema.fields import EARLIEST, LATEST


def milliseconds(given: int | datetime | None, now: int) -> int:
    """Return a moment in milliseconds since 1970; ``now`` where none is given.

    Raises:
        InvalidRequestError: it is before 1973 or after 2100.
    """
    if given is None:
        return now
    if isinstance(given, int):
        return given
    zoned = given if given.tzinfo else given.replace(tzinfo=UTC)
    moment = int(zoned.timestamp() * 1000)
    if not EARLIEST <= moment <= LATEST:
        raise InvalidRequestError(f"timestamp: {given.isoformat()} is not between 1973 and 2100")
    return moment
