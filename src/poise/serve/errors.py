"""Why a request is not answered, whatever the protocol; ``http`` puts it in terms of HTTP."""

from __future__ import annotations

from poise.errors import PoiseError


class ServeError(PoiseError):
    """A request that cannot be answered."""


class InvalidRequestError(ServeError):
    """The request is not of the form that is allowed.

    Args:
        detail: what is wrong with it, and what to do.
        pointer: which field of the body is wrong, as a JSON pointer (RFC 6901) in a URI; empty if it is not one.
    """

    def __init__(self, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.pointer = pointer


class NotFoundError(ServeError):
    """There is no such thing."""


class UnauthorizedError(ServeError):
    """There is no key, or it is not known."""


class ForbiddenError(ServeError):
    """The key is not for that."""


class RetryLaterError(ServeError):
    """It cannot be done at the moment.

    Args:
        detail: why, and what to do.
        retry_after: seconds after which it may be tried again.
    """

    def __init__(self, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class OverloadedError(RetryLaterError):
    """More requests than allowed, or than there is room for."""


class UnavailableError(RetryLaterError):
    """Something that is needed is not there."""
