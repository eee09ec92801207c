"""What the API does: each operation once, from which the routes and the OpenAPI document are made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from poise.serve.tenant import Tenant

Answer = Callable[[Request, Tenant], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter in the query or in the path.

    Attributes:
        name: of the parameter.
        schema: what it may be, as JSON Schema.
        where: ``query`` or ``path``.
        required: whether it must be given.
        example: of a value.
    """

    name: str
    schema: Mapping[str, Any]
    where: str = "query"
    required: bool = False
    example: Any = None


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One thing that the API does.

    Attributes:
        method: of HTTP.
        path: with parameters in braces.
        name: by which clients call it.
        summary: what it does, in a line.
        scope: that a key needs; None for what anybody may ask.
        answer: does it.
        parameters: besides the body.
        body: the types that the body may be of; one of them, or many in a list under ``many``.
        many: the name of the list.
        lines: whether the body is one entry a line.
        result: the type of the answer; None where it has no body.
        result_type: the media type of the answer.
        status: of the answer.
        problems: the statuses of errors that it may answer, besides those that all may.
        example: of a body.
    """

    method: str
    path: str
    name: str
    summary: str
    scope: str | None
    answer: Answer
    parameters: tuple[Parameter, ...] = ()
    body: type | None = None
    many: str | None = None
    lines: bool = False
    result: type | None = None
    result_type: str = "application/json"
    status: int = 200
    problems: tuple[int, ...] = ()
    example: Mapping[str, Any] = field(default_factory=dict)
