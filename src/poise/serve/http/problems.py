"""Errors over HTTP, by RFC 9457: what is wrong and what to do about it, and nothing of the internals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec
from msgspec import UNSET
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from poise.serve.errors import (
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    RetryLaterError,
    ServeError,
    UnauthorizedError,
    UnavailableError,
)
from poise.serve.telemetry.logs import log_error
from poise.store.errors import StoreError, StoreFull
from poise_client.schema.problems import FieldProblem, Problem

MEDIA_TYPE = "application/problem+json"


class MalformedBodyError(ServeError):
    """The body cannot be read at all."""


class SlowBodyError(ServeError):
    """The body did not come in time."""


class LargeBodyError(ServeError):
    """The body is larger than allowed."""


class ManyBodiesError(OverloadedError):
    """More is being sent than there is room for."""


STATUS: Mapping[type[Exception], int] = {
    MalformedBodyError: 400,
    UnauthorizedError: 401,
    ForbiddenError: 403,
    NotFoundError: 404,
    SlowBodyError: 408,
    LargeBodyError: 413,
    InvalidRequestError: 422,
    OverloadedError: 429,
    StoreFull: 429,
    UnavailableError: 503,
    StoreError: 503,
}
_CLOSES = (SlowBodyError, LargeBodyError, ManyBodiesError)  # the rest of a body that was refused is not waited for
_UNFORESEEN = "something went wrong here; the server's log says what"


def status_of(error: Exception) -> int:
    """Return the HTTP status of an error; 500 for an unforeseen one."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def detail_of(error: Exception) -> str:
    """Return what a client may read of an error: nothing of an unforeseen one."""
    return _UNFORESEEN if status_of(error) == 500 else str(error)


def headers_of(error: Exception) -> dict[str, str]:
    """Return the headers that go with an error: whether to go on, how to sign in, when to come back."""
    headers = {"Connection": "close"} if isinstance(error, _CLOSES) else {}
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, RetryLaterError):
        headers["Retry-After"] = str(error.retry_after)
    elif isinstance(error, StoreError):
        headers["Retry-After"] = "1" if isinstance(error, StoreFull) else "2"
    return headers


def problem_of(error: Exception) -> Response:
    """Return an error as an answer. An unforeseen one goes into the log, with status 500."""
    if isinstance(error, ClientDisconnect):  # nobody reads it
        return Response(status_code=400)
    status = status_of(error)
    if status == 500:
        log_error(error)
    pointer = error.pointer if isinstance(error, InvalidRequestError) else ""
    fields = [FieldProblem(pointer, str(error))] if pointer else []
    return problem(status, detail_of(error), headers=headers_of(error), errors=fields)


def problem(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, errors: Sequence[FieldProblem] = ()
) -> Response:
    """Return a problem document as an answer."""
    body = Problem("about:blank", HTTPStatus(status).phrase, status, detail, list(errors) or UNSET)
    return Response(msgspec.json.encode(body), status, dict(headers or {}), MEDIA_TYPE)
