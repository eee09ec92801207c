"""Reading parameters of the query, strictly."""

from __future__ import annotations

from urllib.parse import unquote

from starlette.requests import Request
from starlette.types import Scope

from poise.serve.http.operations import Parameter
from poise.serve.schema.problems import BadRequestError
from poise_client.schema.fields import MOST_SHOWN, PLAIN

ID = {"type": "string", "minLength": 1, "maxLength": 256, "pattern": PLAIN}
K = Parameter(name="k", schema={"type": "integer", "minimum": 1, "maximum": MOST_SHOWN, "default": 10}, example=5)
LIMIT = Parameter(name="limit", schema={"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}, example=2)
AFTER = Parameter(name="after", schema=ID, example="50")
Q = Parameter(name="q", schema={"type": "string", "minLength": 1, "maxLength": 1000}, required=True, example="space")

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
        BadRequestError: it is too long, or holds control signs.
    """
    return _id(name, str(request.path_params[name]).replace(_SLASH, "/"))


def read_text(request: Request, parameter: Parameter) -> str | None:
    """Return a parameter of the query that is a text.

    Raises:
        BadRequestError: it is missing, empty, too long, or stands there twice.
    """
    value = _one(request, parameter)
    if value is None:
        if parameter.required:
            raise BadRequestError(f"the parameter {parameter.name!r} is missing")
        return None
    most = int(parameter.schema["maxLength"])
    if not 1 <= len(value) <= most:
        raise BadRequestError(f"{parameter.name}: found {len(value)} signs; allowed: 1 to {most}")
    return _id(parameter.name, value) if "pattern" in parameter.schema else value


def read_int(request: Request, parameter: Parameter) -> int:
    """Return a parameter of the query that is a whole number, or its default.

    Raises:
        BadRequestError: it is none, or outside the range.
    """
    value, schema = _one(request, parameter), parameter.schema
    if value is None:
        return int(schema["default"])
    low, high = int(schema["minimum"]), int(schema["maximum"])
    if not (value.isascii() and value.isdigit() and len(value) <= 9 and low <= int(value) <= high):
        raise BadRequestError(f"{parameter.name}: found {value[:50]!r}; allowed: a whole number from {low} to {high}")
    return int(value)


def check_known(request: Request, parameters: tuple[Parameter, ...]) -> None:
    """Refuse parameters that nobody reads: they would be mistaken for ones that do something.

    Raises:
        BadRequestError: there is one.
    """
    known = {parameter.name for parameter in parameters if parameter.where == "query"}
    for name in request.query_params:
        if name not in known and not (name == "key" and request.url.path == "/v1/events"):
            allowed = ", ".join(sorted(known)) or "none"
            raise BadRequestError(f"there is no parameter {name[:50]!r}; allowed: {allowed}")


def _one(request: Request, parameter: Parameter) -> str | None:
    values = request.query_params.getlist(parameter.name)
    if len(values) > 1:
        raise BadRequestError(f"{parameter.name} is given {len(values)} times; give it once")
    return values[0] if values else None


def _id(name: str, value: str) -> str:
    if not 1 <= len(value) <= 256 or any(ord(sign) < 32 or ord(sign) == 127 for sign in value):
        raise BadRequestError(f"{name}: an id has 1 to 256 signs, none of them a control sign")
    return value
