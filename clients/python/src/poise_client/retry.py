"""A request, and when to send it again. Who sends and who waits, in a thread or in an event loop, is not known here."""

from __future__ import annotations

import random
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any, TypeVar

import httpx

from poise_client.errors import UnreachableError, UsageError

Result = TypeVar("Result")

ATTEMPTS = "attempts"
"""Where the extensions of an answer hold how often it was asked for."""
_PASSING = (429, 502, 503, 504)  # the same request may be answered later
_UNTOUCHED = (429, 503)  # the server said that it did nothing
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_HOPELESS = (httpx.LocalProtocolError, httpx.UnsupportedProtocol)


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be sent.

    Attributes:
        method: such as ``GET``.
        path: from the server's address on.
        query: what stands behind the ``?``; entries that are None are left out.
        body: JSON, or None for no body.
        idempotent: whether doing it twice is the same as doing it once. If not, it is sent again only where the server
            certainly has not done it.
        timeout: seconds that each step may take, such as connecting; None for what the client has.
    """

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: bytes | None = None
    idempotent: bool = True
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """How many seconds to wait before going on."""

    seconds: float


Steps = Generator[Request | Pause, httpx.Response | httpx.RequestError | None, Result]
"""What is to be done, step by step: gives requests and pauses, takes answers or what went wrong, returns a result."""


@dataclass(frozen=True, slots=True)
class Retry:
    """When to send a request again: after a lost connection, no answer in time, and 429, 502, 503 and 504.

    The wait doubles each time and has a random part, so that many clients do not come back at the same moment. Where
    the server says ``Retry-After``, it is at least as long as that.

    Attributes:
        attempts: how often a request is sent at most; 1 for never again.
        first: seconds to wait before the second time.
        most: seconds to wait at most, unless the server says more.
        total: seconds for a request with all its waits. A wait that would end later is not begun.
    """

    attempts: int = 5
    first: float = 0.2
    most: float = 5.0
    total: float = 30.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.first < 0 or self.most < 0 or self.total <= 0:
            raise UsageError(f"{self} is no rule for sending again: attempts is 1 or more, times are not negative")

    def wait(self, attempt: int, asked_for: float | None) -> float:
        """Return the seconds to wait after the ``attempt``-th time, the server having asked for so many."""
        grown = min(self.most, self.first * 2.0 ** min(attempt - 1, 30))
        return max(grown * random.uniform(0.5, 1.0), asked_for or 0.0)


def ask(request: Request, retry: Retry, timeout: float) -> Steps[httpx.Response]:
    """Send a request, again if that makes sense, and return the last answer, which may be an error.

    Raises:
        UnreachableError: there was none.
    """
    end = time.monotonic() + retry.total
    for attempt in count(1):
        left = max(end - time.monotonic(), 0.001)
        outcome = yield replace(request, timeout=min(request.timeout or timeout, left))
        wait = retry.wait(attempt, retry_after(outcome))
        again = attempt < retry.attempts and time.monotonic() + wait < end and _may_repeat(request, outcome)
        if not again:
            return _final(outcome, request, attempt)
        yield Pause(wait)
    raise AssertionError  # count() has no end


def retry_after(outcome: httpx.Response | httpx.RequestError | None) -> float | None:
    """Return the seconds after which the server wants to be asked again, if it says so."""
    if not isinstance(outcome, httpx.Response) or "Retry-After" not in outcome.headers:
        return None
    said = outcome.headers["Retry-After"].strip()
    if said.isascii() and said.isdigit():
        return float(said)
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _may_repeat(request: Request, outcome: httpx.Response | httpx.RequestError | None) -> bool:
    if isinstance(outcome, httpx.Response):
        return outcome.status_code in (_PASSING if request.idempotent else _UNTOUCHED)
    if not isinstance(outcome, httpx.TransportError) or isinstance(outcome, _HOPELESS):
        return False
    return request.idempotent or isinstance(outcome, _UNSENT)


def _final(outcome: httpx.Response | httpx.RequestError | None, request: Request, attempts: int) -> httpx.Response:
    if isinstance(outcome, httpx.Response):
        outcome.extensions[ATTEMPTS] = attempts
        return outcome
    assert outcome is not None
    where = outcome.request.url.copy_with(query=None)
    said = " ".join(f"{type(outcome).__name__}: {outcome}".split())
    tried = "" if attempts == 1 else f" after {attempts} attempts"
    raise UnreachableError(
        f"{request.method} {where}: no answer{tried} ({said}); is 'poise serve' running there?"
    ) from outcome
