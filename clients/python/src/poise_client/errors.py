"""What a client raises: it cannot send that, the server said no, or the server said nothing."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import httpx
import msgspec


class PoiseClientError(Exception):
    """Something is wrong that who calls can mend, in one line."""


class UsageError(PoiseClientError):
    """What was given cannot be sent: an argument, an address, a record."""


class ApiError(PoiseClientError):
    """The server answered that it will not do what was asked.

    Attributes:
        status: the HTTP status, such as 404.
        title: what that status is called.
        detail: what is wrong and what to do, in words.
        retry_after: seconds after which the server will take it, if it said so.
        problem: the whole problem document (RFC 9457); empty if there was none.
    """

    def __init__(
        self, asked: str, status: int, title: str, detail: str, retry_after: float | None, problem: Mapping[str, Any]
    ) -> None:
        said = " ".join(f"{title}: {detail}".split()) if detail else title
        super().__init__(f"{asked}: {status} {said}")
        self.status = status
        self.title = title
        self.detail = detail
        self.retry_after = retry_after
        self.problem = dict(problem)

    @classmethod
    def of(cls, response: httpx.Response, retry_after: float | None) -> ApiError:
        """Make an error of an answer, which need not come from Poise: proxies answer too."""
        problem = _problem(response)
        try:
            phrase = HTTPStatus(response.status_code).phrase
        except ValueError:
            phrase = "unknown status"
        title, detail = problem.get("title"), problem.get("detail")
        asked = f"{response.request.method} {response.request.url.copy_with(query=None)}"
        return cls(
            asked,
            response.status_code,
            title if isinstance(title, str) else phrase,
            detail if isinstance(detail, str) else "",
            retry_after,
            problem,
        )


class UnreachableError(PoiseClientError):
    """There was no answer: no server, no network, or no patience."""


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(response.content)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}
