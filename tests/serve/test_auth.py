"""Keys and what they allow, rates, sizes, tenants, and what the log says."""

from __future__ import annotations

import itertools
import json
import socket
import time
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poise.errors import UsageError
from poise.project import Project
from poise.serve import auth
from poise.serve.http.routes import OPERATIONS
from poise.serve.server import Settings, check_settings
from poise.serve.telemetry.logs import log_error, log_request
from poise.store.errors import StoreError

NUMBERS = itertools.count()
SCOPES = ("read", "write", "admin")


def key_for(folder, *scopes, name="test"):
    """Make a key; return its id and what a client sends."""
    with Project(folder).open_store() as store:
        key, token = store.create_key(name, scopes)
    return key.key_id, token


@pytest.fixture(scope="module")
def locked(copy_shop, start):
    """Return a server that wants keys, and one key for each set of scopes."""
    folder = copy_shop()
    keys = {scopes: key_for(folder, *scopes)[1] for n in (1, 2, 3) for scopes in itertools.combinations(SCOPES, n)}
    return start(folder, is_open=False), keys


def request_for(operation):
    """Return a request that does nothing much."""
    path = operation.path.format(item_id="none", user_id="none", request_id="none")
    params = {"q": "sea"} if operation.name == "searchItems" else {}
    content = None if operation.body is None else "" if operation.lines else "{}"
    return {"method": operation.method, "url": path, "params": params, "content": content}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_needs_a_key_with_its_scope(locked, operation):
    server, keys = locked
    request = request_for(operation)
    for header in ({}, bearer("poise_none_such"), {"Authorization": "Basic YTpi"}, {"Authorization": b"Bearer \xe9"}):
        answer = server.client.request(**request, headers=header)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"
    for scopes, token in keys.items():
        answer = server.client.request(**request, headers=bearer(token))
        if operation.scope in scopes:
            assert answer.status_code in (200, 204, 404, 422), answer.text
        else:
            assert answer.status_code == 403
            assert f"needs the scope '{operation.scope}'" in answer.json()["detail"]
            assert token not in answer.text


def test_paths_that_need_no_key(locked):
    server, keys = locked
    for path in ("/health", "/ready", "/openapi.json"):
        assert server.client.get(path).status_code == 200
    assert server.client.get("/metrics").status_code == 401
    assert server.client.get("/metrics", headers=bearer(keys["write",])).status_code == 403
    assert server.client.get("/metrics", headers=bearer(keys["read",])).status_code == 200


def test_another_run_needs_the_scope_admin(locked):
    server, keys = locked
    older, newest = Project(server.settings.folders[0]).runs

    def ask(scopes, run):
        body = {"user_id": "u00", "run": run}
        return server.client.post("/v1/recommendations", json=body, headers=bearer(keys[scopes])).status_code

    assert ask(("read",), older) == 403
    assert ask(("read",), "none such") == 403
    assert ask(("read",), newest) == 200
    assert ask(("read", "admin"), older) == 200


def test_a_browser_may_send_its_key_with_events_and_nothing_else(locked):
    server, keys = locked
    event = {"user_id": "u00", "item_id": "i01"}
    assert server.client.post("/v1/events", params={"key": keys["write",]}, json=event).status_code == 200
    assert server.client.post("/v1/events", params={"key": keys["read",]}, json=event).status_code == 403
    assert server.client.post("/v1/recommendations", params={"key": keys["read",]}, json={}).status_code == 401


def test_the_wrong_secret_for_a_known_key(locked):
    server, keys = locked
    token = keys["read",]
    for wrong in (token[:-1], token + "x", token.swapcase(), token.replace("poise_", "other_"), f"{token}_{token}"):
        assert server.client.get("/v1/popular", headers=bearer(wrong)).status_code == 401


def test_a_revoked_key_is_no_longer_valid(locked, monkeypatch):
    server, _ = locked
    key_id, token = key_for(server.settings.folders[0], "read")
    assert server.client.get("/v1/popular", headers=bearer(token)).status_code == 200
    with Project(server.settings.folders[0]).open_store() as store:
        assert store.revoke_key(key_id)
    monkeypatch.setattr(auth, "TRUSTED_FOR", 0.0)
    assert server.client.get("/v1/popular", headers=bearer(token)).status_code == 401


def test_a_cached_key_works_without_the_store(locked, monkeypatch):
    def unreadable(token):
        raise StoreError("the store cannot be reached")

    server, keys = locked
    _, unseen = key_for(server.settings.folders[0], "read")
    assert server.client.get("/v1/popular", headers=bearer(keys["read",])).status_code == 200
    monkeypatch.setattr(auth, "TRUSTED_FOR", 0.0)
    monkeypatch.setattr(server.tenant.store, "check_key", unreadable)
    assert server.client.get("/v1/popular", headers=bearer(keys["read",])).status_code == 200
    answer = server.client.get("/v1/popular", headers=bearer(unseen))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1


def test_the_audit_log_names_the_key(locked):
    server, _ = locked
    key_id, token = key_for(server.settings.folders[0], "admin")
    assert server.client.delete("/v1/users/u44", headers=bearer(token)).status_code == 200
    act = server.tenant.store.audit(1)[0]
    assert (act.act, act.actor) == ("erase_user", key_id)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_a_public_address_is_refused_without_keys(host):
    with pytest.raises(UsageError, match="there are no API keys: make one with 'poise keys create"):
        check_settings(Settings(folders=["shop"], host=host), keys=[0])
    check_settings(Settings(folders=["shop"], host=host), keys=[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_loopback_may_be_served_without_keys(host):
    check_settings(Settings(folders=["shop"], host=host), keys=[0])
    with pytest.raises(UsageError, match="told apart by their API keys"):
        check_settings(Settings(folders=["shop", "other"], host=host), keys=[1, 0])


def test_the_rate_limit(copy_shop, start):
    folder = copy_shop("rate = 5")
    hasty, patient = (key_for(folder, "read")[1] for _ in range(2))
    server = start(folder, is_open=False)
    answers = [server.client.get("/v1/popular", headers=bearer(hasty)) for _ in range(40)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers[:10]} == {200}
    assert refused
    assert {refusal.headers["retry-after"] for refusal in refused} == {"1"}
    assert {refusal.headers["content-type"] for refusal in refused} == {"application/problem+json"}
    assert server.client.get("/v1/popular", headers=bearer(patient)).status_code == 200
    server.wait_for(lambda: server.client.get("/v1/popular", headers=bearer(hasty)).status_code == 200)


# Bodies


@pytest.fixture(scope="module")
def narrow(copy_shop, start):
    """Return a server that takes bodies of 2,000 bytes."""
    return start(copy_shop("budget = 10\nmax_body_bytes = 2000"))


WITH_BODY = [operation for operation in OPERATIONS if operation.body is not None]


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda operation: operation.name)
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "not declared"])
def test_bodies_over_max_body_bytes_are_refused(narrow, operation, declared):
    path = operation.path.format(item_id="i01", user_id="u01")
    content = b'{"user_id": "' + b"x" * 3_000
    body = content if declared else iter([content[index : index + 500] for index in range(0, len(content), 500)])
    answer = narrow.client.request(operation.method, path, content=body)
    assert answer.status_code == 413
    assert "2,000" in answer.json()["detail"]
    assert narrow.client.get("/health").status_code == 200


def test_a_huge_body_is_refused_before_it_is_sent(narrow):
    with socket.create_connection(narrow.url.removeprefix("http://").split(":"), timeout=20) as connection:
        connection.sendall(b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 413")


def test_a_body_that_does_not_come_times_out(narrow, monkeypatch):
    monkeypatch.setattr("poise.serve.http.request_bodies.WITHIN", 0.3)
    for path in ("/v1/events", "/v1/import/events"):
        with socket.create_connection(narrow.url.removeprefix("http://").split(":"), timeout=20) as connection:
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
            connection.sendall(head.encode() + b'{"user_id":')
            answer = b""
            while part := connection.recv(1000):  # until it is closed
                answer += part
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"application/problem+json" in answer


def test_a_head_that_does_not_come_times_out(narrow, monkeypatch):
    monkeypatch.setattr("poise.serve.http.connections.WITHIN", 0.3)
    whole = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for sent in (b"", b"GET /health HT", whole, whole + b"GET /health HTTP/1.1\r\nHost"):
        with socket.create_connection(narrow.url.removeprefix("http://").split(":"), timeout=20) as connection:
            connection.sendall(sent)
            answer = b""
            while sent != whole and (part := connection.recv(1000)):  # until it is closed
                answer += part
            if sent.startswith(whole):
                answer = answer or connection.recv(1000)
                assert answer.startswith(b"HTTP/1.1 200")


def test_the_bodies_in_flight_have_a_total_limit(narrow, monkeypatch):
    monkeypatch.setattr("poise.serve.http.request_bodies.HELD", 3_000)
    address = narrow.url.removeprefix("http://").split(":")
    head = b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1900\r\n\r\n"
    with socket.create_connection(address, timeout=20) as first, socket.create_connection(address, timeout=20) as other:
        first.sendall(head + b" " * 1_800)
        narrow.wait_for(lambda: narrow.app.state.server.answering == 1)
        narrow.client.get("/health")
        other.sendall(head + b" " * 1_800)
        answer = other.recv(1000)
        assert answer.startswith(b"HTTP/1.1 429")
        assert b"retry-after: 1" in answer.lower()
        event = b'{"user_id": "slow", "item_id": "i01"}'
        first.sendall(b" " * (100 - len(event)) + event)
        assert first.recv(1000).startswith(b"HTTP/1.1 200")
    narrow.add("quick", "i01")


# Tenants

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@pytest.fixture(scope="module")
def tenants(copy_shop, start):
    """Return a server of two projects in one database, and a key for each."""
    folders, tokens = [copy_shop(), copy_shop()], []
    shared = folders[0] / "live.sqlite"
    text = (folders[1] / "poise.toml").read_text().replace('name = "shop"', 'name = "other"')
    (folders[1] / "poise.toml").write_text(f'{text}\nstore = "{shared}"\n')
    Project(folders[1]).fill_store().close()
    tokens = [key_for(folder, *SCOPES)[1] for folder in folders]
    server = start(*folders, is_open=False)
    clients = [httpx.Client(base_url=server.url, headers=bearer(token), timeout=30, verify=False) for token in tokens]
    yield clients
    for client in clients:
        client.close()


def everything_of(client, user, item, query, request_id):
    """Return all that a tenant can be told of a user, an item, a word and a request."""
    paths = [
        f"/v1/users/{quote(user, safe='')}",
        f"/v1/users/{quote(user, safe='')}/profile",
        f"/v1/items/{quote(item, safe='')}",
        f"/v1/items/{quote(item, safe='')}/similar",
        f"/v1/requests/{request_id}",
        "/v1/items?limit=1000",
        "/v1/users?limit=1000",
        "/v1/popular?k=200",
    ]
    answers = [client.get(path) for path in paths]
    answers.append(client.get("/v1/search", params={"q": query, "k": 200}))
    for event in ({"history": ["i02"]}, {"user_id": user}, {"candidates": [item]}, {"history": [item]}):
        answers.append(client.post("/v1/recommendations", json={**event, "k": 200}))
    answers.append(client.post("/v1/recommendations", json={"user_id": user, "offset": 1, "request_id": request_id}))
    return [(answer.status_code, answer.json()) for answer in answers]


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(names=st.tuples(NAMES, NAMES), owner=st.sampled_from([0, 1]))
def test_tenants_see_nothing_of_each_other(tenants, names, owner):
    mark = f"mark{next(NUMBERS)}"
    user, item = (f"{name}-{mark}" for name in names)
    mine, theirs = tenants[owner], tenants[1 - owner]
    before = theirs.get("/v1/popular?k=200").json(), theirs.get("/v1/items?limit=1000").json()
    mine.post("/v1/users", json={"user_id": user, "content": {"note": mark}}).raise_for_status()
    mine.post("/v1/items", json={"item_id": item, "content": {"title": f"Sea story {mark}"}}).raise_for_status()
    mine.post("/v1/events", json={"user_id": user, "item_id": item, "event_id": mark}).raise_for_status()
    slate = mine.post("/v1/recommendations", json={"user_id": user}).raise_for_status().json()
    mine.post("/v1/events", json={"user_id": user, "item_id": "i01", "request_id": slate["request_id"]})
    seen = everything_of(mine, user, item, mark, slate["request_id"])
    assert [status for status, _ in seen].count(200) >= len(seen) - 1
    assert mark in json.dumps(seen)

    contents = everything_of(theirs, user, item, mark, slate["request_id"])
    assert mark not in json.dumps([body for status, body in contents if status == 200])
    assert [status for status, _ in contents[:5]] == [404] * 5
    assert (theirs.get("/v1/popular?k=200").json(), theirs.get("/v1/items?limit=1000").json()) == before
    event = {"user_id": user, "item_id": "i01", "event_id": mark}
    assert theirs.post("/v1/events", json=event).json()["accepted"] == 1  # the id is another's
    assert theirs.delete(f"/v1/users/{quote(user, safe='')}").json()["erased"]["events"] == 1
    assert [status for status, _ in everything_of(mine, user, item, mark, slate["request_id"])] == [s for s, _ in seen]


def test_a_key_of_one_tenant_cannot_use_the_runs_of_another(tenants):
    runs = [client.get("/metrics").text for client in tenants]
    assert all("poise_run{" in text for text in runs)


# What is written down


def test_the_log_holds_no_ids_nor_keys_nor_contents(locked, caplog, monkeypatch):
    server, keys = locked
    secret = "ragnhild.aaseth"
    everything = keys["read", "write", "admin"]
    with caplog.at_level("DEBUG"):
        for client_key in (everything, keys["read",], f"poise_{secret}_{secret}"):
            headers = bearer(client_key)
            for operation in OPERATIONS:
                request = request_for(operation)
                request["url"] = request["url"].replace("none", secret)
                server.client.request(**request, headers=headers)
            body = {"user_id": secret, "item_id": secret, "context": {"note": secret}}
            server.client.post("/v1/events", json=body, headers=headers)
            server.client.post("/v1/events", content=f'{{"user_id": "{secret}", ', headers=headers)
            server.client.post("/v1/recommendations", json={"user_id": secret, "run": secret}, headers=headers)
            server.client.get("/v1/search", params={"q": secret}, headers=headers)
            server.client.get(f"/v1/nowhere/{secret}", headers=headers)

        def fail(*_):
            raise RuntimeError(f"cannot do this for {secret}")

        monkeypatch.setattr(server.tenant.store, "item", fail)
        assert server.client.get(f"/v1/items/{secret}", headers=bearer(everything)).status_code == 500
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert any("/v1/users/{user_id}/profile" in line for line in ours)
    assert any("RuntimeError" in line for line in ours)
    for line in ours:
        assert secret not in line
        assert not any(token.split("_", 2)[2] in line for token in keys.values())


def test_the_log_is_json_by_line(caplog):
    with caplog.at_level("DEBUG", "poise.serve"):
        log_request("GET", "/v1/items/{item_id}", 200, 0.01)
        log_request("GET", "/v1/items/{item_id}", 503, 1.0)
        log_error(ValueError("secret"))
    lines = [json.loads(line) for line in caplog.messages]
    assert [line["what"] for line in lines] == ["request", "request", "error"]
    assert lines[1]["status"] == 503
    assert "secret" not in caplog.text
    assert abs(time.time() - time.mktime(time.strptime(lines[0]["time"], "%Y-%m-%dT%H:%M:%SZ")) + time.timezone) < 60
