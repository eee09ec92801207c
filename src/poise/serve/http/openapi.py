"""The OpenAPI document, made of the operations and of the types that bodies are checked by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from poise._version import __version__
from poise.serve.http.problems import MEDIA_TYPE
from poise.serve.http.routes import Operation
from poise_client.schema.fields import MOST_AT_ONCE
from poise_client.schema.health import Health
from poise_client.schema.problems import Problem

_PROBLEMS = {
    400: "The body is no JSON.",
    401: "There is no API key, or nobody knows it.",
    403: "The API key is not for that.",
    404: "There is no such thing.",
    408: "The body took too long to come.",
    413: "The body is too large.",
    422: "The body or a parameter is not what is allowed.",
    429: "More requests than allowed, or than there is room for; Retry-After says when to try again.",
    503: "It cannot be done at the moment; try again.",
}
_ALWAYS = (401, 403, 429, 503)
_GROUPS = {
    "Recommendations": "What to show: to a person, beside an item, for a search.",
    "Events": "What people do. An event counts in the next answer.",
    "Items": "The catalogue. What is put in can be recommended at once.",
    "Users": "Who people are, what is believed of them, and how they are forgotten.",
    "Server": "Whether it is well.",
}


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the document, as OpenAPI 3.1."""
    types = {kind for operation in operations for kind in (operation.body, operation.result) if kind is not None}
    kinds = sorted({*types, Problem, Health}, key=lambda kind: kind.__name__)
    _, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    for component in components.values():  # the rest of a docstring is for readers of Python
        component["description"] = component["description"].split("\n", maxsplit=1)[0]
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    for path, summary in (("/health", "Whether the process lives."), ("/ready", "Whether it can answer requests.")):
        answers = {"200": _answer("It can.", "application/json", _reference(Health))}
        if path == "/ready":
            answers["503"] = _answer("Not yet.", "application/json", _reference(Health))
        paths[path] = {
            "get": {
                "operationId": path[1:],
                "summary": summary,
                "tags": ["Server"],
                "responses": answers,
                "security": [],
            }
        }
    responses = {"200": _answer("Prometheus' text format.", "text/plain", {"type": "string"})} | _problems(_ALWAYS)
    paths["/metrics"] = {
        "get": {
            "operationId": "metrics",
            "summary": "What the server counts.",
            "tags": ["Server"],
            "responses": responses,
        }
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Poise",
            "version": __version__,
            "description": "Live, personal recommendations. Errors are problem details by RFC 9457.",
        },
        "tags": [{"name": name, "description": description} for name, description in _GROUPS.items()],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "poise keys create"}},
        },
        "security": [{"key": []}],
    }


def _operation(operation: Operation) -> dict[str, Any]:
    problems = {*_ALWAYS, 422, *operation.problems}
    if operation.body is not None:
        problems |= {400, 408, 413}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [_group(operation.path)],
    }
    if operation.scope is not None:
        described["description"] = f"Needs the scope `{operation.scope}`."
    if operation.parameters:
        described["parameters"] = [
            {
                "name": parameter.name,
                "in": parameter.where,
                "required": parameter.required,
                "schema": dict(parameter.schema),
                "example": parameter.example,
            }
            for parameter in operation.parameters
        ]
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _body(operation)}
    done = "Done." if operation.result is None else (operation.result.__doc__ or "").split("\n", maxsplit=1)[0]
    described["responses"] = {
        str(operation.status): {"description": done}
        if operation.result is None
        else _answer(done, operation.result_type, _reference(operation.result))
    } | _problems(problems)
    return described


def _group(path: str) -> str:
    """Return under which heading of the documentation a path stands, by what it is of."""
    if path.endswith("/similar"):
        return "Recommendations"
    return next((group for group in ("Events", "Items", "Users") if f"/{group.lower()}" in path), "Recommendations")


def _problems(statuses: Iterable[int]) -> dict[str, Any]:
    return {str(status): _answer(_PROBLEMS[status], MEDIA_TYPE, _reference(Problem)) for status in sorted(statuses)}


def _body(operation: Operation) -> dict[str, Any]:
    assert operation.body is not None
    schema: dict[str, Any]
    if operation.lines:
        schema = {"type": "string", "description": f"One {operation.body.__name__} a line, as JSON."}
        return {"application/x-ndjson": {"schema": schema, "example": msgspec.json.encode(operation.example).decode()}}
    schema = _reference(operation.body)
    if operation.many:
        several: dict[str, Any] = {
            "type": "object",
            "properties": {operation.many: {"type": "array", "items": schema, "maxItems": MOST_AT_ONCE}},
            "required": [operation.many],
            "additionalProperties": False,
        }
        schema = {"anyOf": [schema, several]}
    return {"application/json": {"schema": schema, "example": dict(operation.example)}}


def _answer(description: str, media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _reference(kind: type) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
