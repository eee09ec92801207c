"""Reading what comes beside the body: parameters, strictly, and the caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import unquote

from starlette.datastructures import URL
from starlette.requests import Request
from starlette.types import Scope

from poise.options.likeness import SIMILAR_BY
from poise.serve.auth import Caller
from poise.serve.errors import InvalidRequestError
from poise.serve.schema.ids import one_form
from poise_client.schema.fields import MOST_SHOWN, PLAIN

Choice = TypeVar("Choice", bound=str)


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


ID = {"type": "string", "minLength": 1, "maxLength": 256, "pattern": PLAIN}
K = Parameter(name="k", schema={"type": "integer", "minimum": 1, "maximum": MOST_SHOWN, "default": 10}, example=5)
LIMIT = Parameter(name="limit", schema={"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}, example=2)
AFTER = Parameter(name="after", schema=ID, example="50")
Q = Parameter(name="q", schema={"type": "string", "minLength": 1, "maxLength": 1000}, required=True, example="space")
BY = Parameter(name="by", schema={"type": "string", "enum": list(SIMILAR_BY)}, example="content")

_SLASH = "\x1f"  # what a slash in an id is on its way through the routes, where one would part the path; in no id


def with_slashes(scope: Scope) -> Scope:
    """Return a request as it is routed: with slashes that are part of an id, as ``%2F``, kept apart from others."""
    raw: bytes = scope.get("raw_path") or b""
    if b"%2f" not in raw.lower() and b"%1f" not in raw.lower():
        return scope
    parts = [unquote(part).replace(_SLASH, "\x1e") for part in raw.decode("ascii", "replace").split("/")]
    return {**scope, "path": "/".join(part.replace("/", _SLASH) for part in parts)}


def identifier(name: str, example: str) -> Parameter:
    """Return the description of an id in the path."""
    return Parameter(name=name, schema=ID, where="path", required=True, example=example)


def read_id(request: Request, name: str) -> str:
    """Return an id of the path.

    Raises:
        InvalidRequestError: it is too long, holds control signs, or stands for a missing value.
    """
    return one_form(name, _id(name, str(request.path_params[name]).replace(_SLASH, "/")))


def read_text(request: Request, parameter: Parameter) -> str | None:
    """Return a parameter of the query that is a text.

    Raises:
        InvalidRequestError: it is missing, empty, too long, or stands there twice.
    """
    value = _single_value(request, parameter)
    if value is None:
        if parameter.required:
            raise InvalidRequestError(f"the parameter {parameter.name!r} is missing")
        return None
    most = int(parameter.schema["maxLength"])
    if not 1 <= len(value) <= most:
        raise InvalidRequestError(f"{parameter.name}: found {len(value)} signs; allowed: 1 to {most}")
    return _id(parameter.name, value) if "pattern" in parameter.schema else value


def read_int(request: Request, parameter: Parameter) -> int:
    """Return a parameter of the query that is a whole number, or its default.

    Raises:
        InvalidRequestError: it is none, or outside the range.
    """
    value, schema = _single_value(request, parameter), parameter.schema
    if value is None:
        return int(schema["default"])
    low, high = int(schema["minimum"]), int(schema["maximum"])
    if not (value.isascii() and value.isdigit() and len(value) <= 9 and low <= int(value) <= high):
        raise InvalidRequestError(
            f"{parameter.name}: found {value[:50]!r}; allowed: a whole number from {low} to {high}"
        )
    return int(value)


def read_choice(request: Request, parameter: Parameter, choices: Sequence[Choice]) -> Choice | None:
    """Return a parameter of the query that is one of several words, or None if it is not given.

    Raises:
        InvalidRequestError: it is another.
    """
    value = _single_value(request, parameter)
    chosen = next((choice for choice in choices if choice == value), None)
    if value is not None and chosen is None:
        raise InvalidRequestError(f"{parameter.name}: found {value[:50]!r}; allowed: {', '.join(choices)}")
    return chosen


def check_known(request: Request, parameters: tuple[Parameter, ...]) -> None:
    """Refuse unknown parameters: they would be mistaken for ones that do something.

    Raises:
        InvalidRequestError: there is one.
    """
    names = {parameter.name for parameter in parameters if parameter.where == "query"}
    for name in request.query_params:
        if name not in names and not (name == "key" and request.url.path == "/v1/events"):
            allowed = ", ".join(sorted(names)) or "none"
            raise InvalidRequestError(f"there is no parameter {name[:50]!r}; allowed: {allowed}")


def read_caller(request: Request, scope: str) -> Caller:
    """Return the caller of an operation that needs ``scope``."""
    header = request.headers.get("authorization", "")
    token = header[7:] if header[:7].lower() == "bearer " else ""
    if not token and scope == "write" and request.url.path == "/v1/events":
        token = request.query_params.get("key", "")  # sendBeacon cannot set a header
    return Caller(
        token,
        request.client.host if request.client else "",
        _host_name(request.headers.get("host"), request.scope.get("server")),
        request.headers.get("origin"),
    )


@lru_cache(maxsize=1_000)  # taking it apart takes long
def _host_name(header: str | None, server: tuple[str, int | None] | None) -> str:
    headers = [] if header is None else [(b"host", header.encode("latin-1", "replace"))]
    scope = {"scheme": "http", "server": server, "path": "/", "query_string": b"", "headers": headers}
    try:
        return URL(scope=scope).hostname or ""
    except ValueError:  # no address at all
        return ""


def _single_value(request: Request, parameter: Parameter) -> str | None:
    values = request.query_params.getlist(parameter.name)
    if len(values) > 1:
        raise InvalidRequestError(f"{parameter.name} is given {len(values)} times; give it once")
    return values[0] if values else None


def _id(name: str, value: str) -> str:
    if not 1 <= len(value) <= 256 or any(ord(sign) < 32 or ord(sign) == 127 for sign in value):
        raise InvalidRequestError(f"{name}: an id has 1 to 256 signs, none of them a control sign")
    return value
