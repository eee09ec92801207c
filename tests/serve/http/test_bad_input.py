"""Whatever is sent, the answer says what is wrong with it, and the server goes on."""

from __future__ import annotations

import itertools
import json
import socket
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poise.serve.http.routes import OPERATIONS

NUMBERS = itertools.count()
QUICKLY = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), max_examples=25)
DEEP = 50_000
BODIES = {
    "empty": b"",
    "no JSON": b"user_id=a",
    "cut off": b'{"user_id": "a", "item_id"',
    "null": b"null",
    "a number": b"1",
    "a list": b"[]",
    "a text": b'"a"',
    "no fields": b"{}",
    "NaN": b'{"user_id": "a", "item_id": "a", "value": NaN, "k": NaN}',
    "infinite": b'{"user_id": "a", "item_id": "a", "value": 1e999, "k": 1e999}',
    "huge": b'{"user_id": "a", "item_id": "a", "value": ' + b"9" * 5_000 + b"}",
    "huge time": b'{"user_id": "a", "item_id": "a", "timestamp": ' + b"9" * 50 + b"}",
    "a time beyond": b'{"user_id": "a", "item_id": "a", "timestamp": "9999-12-31T23:59:59-23:59"}',
    "no UTF-8": b'{"user_id": "\xff", "item_id": "\xc0\x80"}',
    "UTF-16": '{"user_id": "a", "item_id": "a"}'.encode("utf-16"),
    "a mark before": b'\xef\xbb\xbf{"user_id": "a", "item_id": "a"}',
    "half a pair": b'{"user_id": "\\ud800", "item_id": "a\\udc00"}',
    "half a pair, raw": b'{"user_id": "\xed\xa0\x80", "item_id": "a"}',
    "NUL": b'{"user_id": "a\\u0000b", "item_id": "a\\u0000b"}',
    "NUL inside": b'{"user_id": "a", "item_id": "a", "content": {"a": "\\u0000"}, "context": {"a": "\\u0000"}}',
    "NUL, raw": b'{"user_id": "a\x00b"}',
    "deep lists": b'{"events":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects": b'{"content":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
    "open lists": b"[" * DEEP,
    "open objects": b'{"a":' * DEEP,
    "deep entries": b'{"user_id": "a", "item_id": "a", "context": {"a": ' + b"[" * 500 + b"]" * 500 + b"}}",
    "a list of anything": b'{"events": [null], "items": [1], "users": ["a"]}',
    "no list": b'{"events": {}, "items": 1, "users": null}',
    "many keys": json.dumps({f"key{index}": index for index in range(5_000)}).encode(),
    "much content": json.dumps(
        {"item_id": "a", "user_id": "a", "content": {f"key{index}": 1 for index in range(300)}}
    ).encode(),
    "wrong types": b'{"user_id": 1, "item_id": ["a"], "available": "yes", "content": [], "k": {}, "filters": "all"}',
    "a formula": b'{"user_id": "a", "filters": [{"column": "price; DROP TABLE poise_items", "min": 1}]}',
}


@pytest.fixture(scope="module", autouse=True)
def _sees_events(server):
    """At the end the server still takes in events, and knows of them."""
    yield
    server.add("the last one", "i02")
    assert server.recommend(user_id="the last one")["stage"] == "ranker"


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize(
    "operation", [operation for operation in OPERATIONS if operation.body], ids=lambda operation: operation.name
)
def test_bad_bodies_get_a_problem_document(server, operation, body):
    path = operation.path.format(item_id="i01", user_id="u01")
    answer = server.client.request(operation.method, path, content=body)
    if answer.status_code == 200:  # lines that were refused, or what an open type allows
        assert operation.lines or operation.method == "PATCH" or operation.name in ("recommend", "putItems", "putUsers")
        return
    assert answer.status_code in (400, 404, 413, 422)
    check_problem(answer)


def check_problem(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) <= {"type", "title", "status", "detail", "errors"}
    assert body["status"] == answer.status_code
    assert body["detail"]
    assert "\n" not in body["detail"]
    assert len(body["detail"]) < 1_000


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["u00", "i01", "price", "2025-01-01T00:00:00Z", 1_764_000_000_000]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = sorted(
    {name for operation in OPERATIONS if operation.body for name in operation.body.__struct_encode_fields__}
)


@QUICKLY
@given(
    operation=st.sampled_from([operation for operation in OPERATIONS if operation.body]),
    body=st.dictionaries(st.sampled_from([*FIELDS, "events", "items", "users"]), JSON, max_size=6) | JSON,
)
def test_any_json_body_is_answered(server, operation, body):
    path = operation.path.format(item_id="i01", user_id="u01")
    try:
        content = json.dumps(body).encode()
    except UnicodeEncodeError:
        return
    answer = server.client.request(operation.method, path, content=content)
    assert answer.status_code in (200, 400, 404, 422), answer.text
    if answer.status_code != 200:
        check_problem(answer)


@QUICKLY
@given(body=st.binary(max_size=200))
def test_any_bytes_as_body_are_answered(server, body):
    for path in ("/v1/events", "/v1/import/items", "/v1/recommendations"):
        assert server.client.post(path, content=body).status_code in (200, 400, 422)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)
LABEL = TEXT | st.integers(-(10**12), 10**12) | st.floats(-1e12, 1e12) | st.booleans()
CONTENT = st.dictionaries(
    st.sampled_from(["title", "genres", "country", "price", "stock", "ünknown", "item_id", "id", "events"]),
    st.none() | LABEL | st.lists(TEXT, max_size=4),
    max_size=6,
)


@QUICKLY
@given(content=CONTENT, available=st.booleans())
def test_any_item_content_is_stored_and_leaves_the_catalogue_working(server, content, available):
    item_id = f"odd{next(NUMBERS) % 5}"
    body = {"item_id": item_id, "content": content, "available": available}
    assert server.client.post("/v1/items", json=body).json()["accepted"] == 1
    stored = server.client.get(f"/v1/items/{item_id}").json()
    assert stored == {**body, "content": {name: value for name, value in content.items() if value is not None}}
    slate = server.recommend(history=["i02"], k=200)
    assert slate["stage"] == "ranker"
    assert (item_id in [item["item_id"] for item in slate["items"]]) == available
    cheap = server.shown(history=["i02"], filters=[{"column": "price", "max": 10}], k=200)
    number = content.get("price")
    if isinstance(number, int | float) and not isinstance(number, bool):
        assert (item_id in cheap) == (available and number <= 10)
    for path in ("search?q=story", f"items/{item_id if available else 'i02'}/similar", "popular", "users/u00/profile"):
        assert server.client.get(f"/v1/{path}").status_code == 200


@QUICKLY
@given(values=st.lists(LABEL, min_size=1, max_size=5), column=st.sampled_from(["title", "genres", "country", "price"]))
def test_any_filter_values_are_answered(server, values, column):
    inside = server.shown(history=["i02"], filters=[{"column": column, "in": values}], k=200)
    outside = server.shown(history=["i02"], filters=[{"column": column, "not_in": values}], k=200)
    everything = server.shown(history=["i02"], k=200)
    assert sorted([*inside, *outside]) == sorted(everything)


@QUICKLY
@given(text=TEXT.filter(bool))
def test_sql_and_markup_in_ids_are_only_ids(server, text):
    text = text if text.isprintable() else "x'; DELETE FROM poise_events; --"
    server.add(text, "i02")
    path = quote(text, safe="")
    if text not in (".", ".."):  # which clients take out of a path
        assert server.client.get(f"/v1/users/{path}/profile").json()["user_id"] == text
    assert server.shown(user_id=text, k=3)
    assert len(server.client.get("/v1/search", params={"q": text}).json()["items"]) >= 0


@QUICKLY
@given(
    query=st.dictionaries(st.sampled_from(["k", "q", "limit", "after", "key", "x"]), st.text(max_size=10), max_size=3)
)
def test_any_query_string_is_answered(server, query):
    try:
        params = {name: value.encode() for name, value in query.items()}
    except UnicodeEncodeError:
        return
    for path in ("popular", "search", "items", "users", "items/i02/similar"):
        answer = server.client.get(f"/v1/{path}", params=params)
        assert answer.status_code in (200, 422)
        if answer.status_code != 200:
            check_problem(answer)


@pytest.mark.parametrize(
    "line",
    [
        b"GET /v1/items/%FF%FE HTTP/1.1",
        b"GET /v1/items/%ED%A0%80 HTTP/1.1",
        b"GET /v1/items/%00 HTTP/1.1",
        b"GET /v1/items/%2F%2f HTTP/1.1",
        b"GET /v1/items/\xff HTTP/1.1",
        b"GET /v1/items/%zz HTTP/1.1",
        b"GET /v1/items/" + b"x" * 60_000 + b" HTTP/1.1",
        b"GET /v1/search?q=%FF%FE HTTP/1.1",
        b"GET /v1/search?q=%ED%A0%80 HTTP/1.1",
        b"GET /v1/search?%FF=1 HTTP/1.1",
        b"GET http://elsewhere/v1/popular HTTP/1.1",
        b"GET //v1/popular HTTP/1.1",
        b"GET * HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"BREW /v1/popular HTTP/1.1",
        b"TRACE /v1/popular HTTP/1.1",
        b"GET /v1/popular HTTP/9.9",
        b"HEAD /v1/popular HTTP/1.1",
        b"PUT /v1/popular HTTP/1.1",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"",
    ],
)
def test_malformed_request_lines(server, line):
    with socket.create_connection(server.url.removeprefix("http://").split(":"), timeout=20) as connection:
        connection.sendall(line + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    status = answer.split(b" ", 2)[1:2]
    assert not answer or status[0] in (b"200", b"400", b"404", b"405", b"422"), answer[:200]


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: -1",
        b"Content-Length: 1e3",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: gzip",
        b"Content-Encoding: gzip\r\nContent-Length: 2",
        b"Expect: 100-continue\r\nContent-Length: 0",
        b"X: " + b"y" * 100_000,
        b"Host: [",
        b"Host: \xff",
        b"Host: a@b:c",
        b"Origin: http://[",
        b"Origin: \xff",
        b"Authorization: Bearer \xff\xfe",
        b"Cookie: \xff=\xfe; =;;",
    ],
)
def test_malformed_headers(server, headers):
    with socket.create_connection(server.url.removeprefix("http://").split(":"), timeout=20) as connection:
        host = b"" if headers.startswith(b"Host") else b"Host: localhost\r\n"
        head = b"POST /v1/events HTTP/1.1\r\n" + host + b"Connection: close\r\n" + headers
        connection.sendall(head + b"\r\n\r\n{}\r\n0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    lines = [line for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    assert all(not line.startswith(b"HTTP/1.1 5") for line in lines), answer[:300]


def test_unknown_paths_and_methods(server):
    for method, path, status in (("GET", "/v2/items", 404), ("GET", "/v1/items/", 404), ("PUT", "/v1/items", 405)):
        answer = server.client.request(method, path)
        assert answer.status_code == status
        check_problem(answer)
    assert server.client.put("/v1/items").headers["allow"]
    assert server.client.head("/v1/items").status_code == 200
