"""Ten sets of files go all the way as they are: ``init``, ``check``, ``fit``, ``recommend``, ``serve``."""

import json
import socket
import threading
import time

import httpx
import pytest
import uvicorn

from poise.project import Project
from poise.serve.http.app import make_app
from poise.serve.http.connections import Connection
from poise.serve.server import Settings, open_tenants

USERS = {
    "warenhaus": "K0003",
    "supermarket": "1003",
    "tourism": "3",
    "music": "3",
    "school": "pupil3@school.example",
    "clicks": "v3",
    "shangcheng": "U3",
    "superstore": "CG-00003",
    "games": "151603703",
    "bibliotheque": "L3",
}


@pytest.mark.parametrize("name", USERS)
def test_a_shop_is_served_from_its_files_without_an_edit(poise, own_files, name):
    folder, user = own_files(name), USERS[name]
    for command in (["init", folder], ["check", "-p", folder], ["fit", "-p", folder]):
        result = poise(*command)
        assert result.code == 0, result.err
        assert "1970" not in result.out
    result = poise("recommend", "-p", folder, "--user", user, "-k", 3, "--json")
    assert result.code == 0, result.err
    (answer,) = json.loads(result.out)
    assert answer["items"]
    assert answer["history"]
    served = _served(folder, user)
    assert served
    if Project(folder).config.policy.hide_seen:
        known = {event["item_id"] for event in answer["history"]}
        assert not known & {item["item_id"] for item in [*answer["items"], *served]}


def _served(folder, user):
    """Return what a server recommends, over a real socket."""
    Project(folder).fill_store().close()
    app = make_app(lambda: open_tenants(Settings([str(folder)], is_open=True)))
    server = uvicorn.Server(uvicorn.Config(app, http=Connection, log_level="warning", timeout_graceful_shutdown=2))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            return _ask(f"http://127.0.0.1:{listening.getsockname()[1]}", user)
        finally:
            server.should_exit = True
            thread.join(10)


def _ask(url, user):
    with httpx.Client(base_url=url, timeout=30, verify=False) as client:
        until = time.monotonic() + 30
        while not _is_ready(client):
            assert time.monotonic() < until
            time.sleep(0.01)
        answer = client.post("/v1/recommendations", json={"user_id": user, "k": 3})
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]


def _is_ready(client):
    try:
        return client.get("/ready").status_code == 200
    except httpx.ConnectError:
        return False
