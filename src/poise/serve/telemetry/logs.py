"""What the server writes to standard error: a line of JSON each, without ids of users, keys or contents."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from typing import Any

SLOW = 2.0  # seconds from which an answer is worth a line even if all went well
_LOGGER = logging.getLogger("poise.serve")


def set_up(*, every_request: bool) -> None:
    """Write lines of JSON to standard error.

    Args:
        every_request: whether also requests that went well and quickly are written down.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    _LOGGER.handlers = [handler]
    _LOGGER.propagate = False
    _LOGGER.setLevel(logging.DEBUG if every_request else logging.INFO)


def log_request(method: str, route: str, status: int, seconds: float) -> None:
    """Write down a request: the route without its parameters, never the path, which holds ids."""
    notable = status >= 500 or seconds >= SLOW
    level = logging.INFO if notable else logging.DEBUG
    if _LOGGER.isEnabledFor(level):
        _write(level, "request", method=method, route=route, status=status, ms=round(seconds * 1000, 2))


def log_error(error: BaseException) -> None:
    """Write down where something went wrong, without the message, which may hold what a request said."""
    places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-5:]]
    _write(logging.ERROR, "error", kind=type(error).__name__, at=places)


def log_note(text: str) -> None:
    """Write down what happens to the server."""
    _write(logging.INFO, "note", text=text)


def _write(level: int, what: str, **fields: Any) -> None:
    line = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "what": what, **fields}
    _LOGGER.log(level, json.dumps(line, ensure_ascii=False))
