"""Errors are problem documents by RFC 9457, which name the field that is wrong."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from poise.errors import DataError
from poise.serve.errors import (
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    ServeError,
    UnauthorizedError,
    UnavailableError,
)
from poise.serve.http.problems import STATUS, LargeBodyError, ManyBodiesError, problem_of
from poise.store.errors import StoreError, StoreFull


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (InvalidRequestError("no"), 422, {}),
        (UnauthorizedError("no"), 401, {"www-authenticate": "Bearer"}),
        (ForbiddenError("no"), 403, {}),
        (NotFoundError("no"), 404, {}),
        (LargeBodyError("no"), 413, {"connection": "close"}),
        (OverloadedError("no", retry_after=7), 429, {"retry-after": "7"}),
        (ManyBodiesError("no"), 429, {"connection": "close", "retry-after": "1"}),
        (UnavailableError("no", retry_after=5), 503, {"retry-after": "5"}),
        (StoreFull("no"), 429, {"retry-after": "1"}),
        (StoreError("no"), 503, {"retry-after": "2"}),
    ],
)
def test_each_error_has_a_status_and_headers(error: Exception, status: int, headers: dict[str, str]) -> None:
    answer = problem_of(error)
    assert answer.status_code == status
    sent_headers = dict(answer.headers)
    assert sent_headers.pop("content-type") == "application/problem+json"
    sent_headers.pop("content-length")
    assert sent_headers == headers
    body = msgspec.json.decode(answer.body)
    assert (body["type"], body["status"], body["detail"]) == ("about:blank", status, "no")
    assert "errors" not in body


def test_unforeseen_errors_reveal_nothing() -> None:
    for error in (RuntimeError("a secret"), DataError("a secret")):
        answer = problem_of(error)
        assert answer.status_code == 500
        assert b"secret" not in answer.body


def test_every_error_of_the_server_has_a_status() -> None:
    def leaves(kind: type) -> list[type]:
        return [leaf for child in kind.__subclasses__() for leaf in leaves(child)] or [kind]

    assert all(set(leaf.__mro__) & set(STATUS) for leaf in leaves(ServeError))


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"k": "many"}, "#/k"),
        ({"k": 0}, "#/k"),
        ({"filters": [{"column": "price", "max": 1}, {"column": "price", "min": "low"}]}, "#/filters/1/min"),
        ({"filters": [{"column": "price", "least": 1}]}, "#/filters/0/least"),
        ({"filters": [{}]}, "#/filters/0/column"),
        ({"history": ["i01", {"behaviour": "like"}]}, "#/history/1/item_id"),
        ({"how/many": 3}, "#/how~1many"),
        ({"context": {"place": []}}, "#/context"),
        ({"filters": [{"column": "price", "max": 9}, {"column": "colour", "in": ["red"]}]}, "#/filters/1/column"),
        ({"filters": [{"column": "country", "min": 1}]}, "#/filters/0"),
    ],
)
def test_the_wrong_field_is_named_by_a_json_pointer(server: Any, body: dict[str, Any], pointer: str) -> None:
    answer = server.client.post("/v1/recommendations", json=body)
    assert answer.status_code == 422
    problem_body = answer.json()
    assert problem_body["errors"] == [{"pointer": pointer, "detail": problem_body["detail"]}]


def test_a_wrong_field_of_a_single_entry_is_named(server: Any) -> None:
    body = server.client.post("/v1/events", json={"user_id": "ann", "item_id": 5}).json()
    assert body["errors"][0]["pointer"] == "#/item_id"
    body = server.client.post("/v1/events", json={"user_id": "ann"}).json()
    assert body["errors"][0]["pointer"] == "#/item_id"
