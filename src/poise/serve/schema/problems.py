"""Errors on the wire, by RFC 9457: what is wrong and what to do about it, and nothing of what is inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec
from msgspec import UNSET
from starlette.responses import Response

from poise.errors import PoiseError
from poise_client.schema.batches import Refusal
from poise_client.schema.problems import Problem

MEDIA_TYPE = "application/problem+json"


class RequestError(PoiseError):
    """A request that cannot be answered as it asks.

    Args:
        detail: what is wrong with it, and what to do.
        headers: that the answer has.
        errors: what is wrong with which entry of the body.
    """

    status = 500

    def __init__(
        self, detail: str, *, headers: Mapping[str, str] | None = None, errors: Sequence[Refusal] = ()
    ) -> None:
        super().__init__(detail)
        self.headers = dict(headers or {})
        self.errors = list(errors)

    def response(self) -> Response:
        """Return it as an answer."""
        return problem(self.status, str(self), headers=self.headers, errors=self.errors)


class BadRequestError(RequestError):
    """The body or a parameter is not what is allowed."""

    status = 422


class MalformedError(RequestError):
    """The body is no JSON."""

    status = 400


class UnauthorizedError(RequestError):
    """There is no key, or nobody knows it."""

    status = 401


class ForbiddenError(RequestError):
    """The key is not for that."""

    status = 403


class NotFoundError(RequestError):
    """There is no such thing."""

    status = 404


class TooLongError(RequestError):
    """The body did not come in time."""

    status = 408


class TooLargeError(RequestError):
    """The body is larger than allowed."""

    status = 413


class TooManyError(RequestError):
    """More requests than allowed, or than there is room for."""

    status = 429


class UnavailableError(RequestError):
    """It cannot be done at the moment."""

    status = 503


def problem(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, errors: Sequence[Refusal] = ()
) -> Response:
    """Return an error as an answer."""
    body = Problem("about:blank", HTTPStatus(status).phrase, status, detail, list(errors) or UNSET)
    return Response(msgspec.json.encode(body), status, dict(headers or {}), MEDIA_TYPE)
