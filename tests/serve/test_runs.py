"""Which run is served: the promoted one, or the latest that is whole; and how another takes its place."""

from __future__ import annotations

import json
import shutil
import threading

import httpx
import pytest

from poise.project import Project
from poise.serve.state.serving_state import ServingState


@pytest.fixture
def folder(copy_shop):
    return copy_shop()


def runs_of(folder):
    return Project(folder).runs


def ruin(folder, name):
    """Cut a file of a run off."""
    model = folder / "runs" / name / "pipeline" / "model.json"
    model.write_bytes(model.read_bytes()[:100])


def test_promoting_a_run_fails_no_request(folder, start):
    server = start(folder)
    older, newest = runs_of(folder)
    store = Project(folder).open_store()
    stop, answers = threading.Event(), []

    def hammer(number):
        with httpx.Client(base_url=server.url, timeout=30, verify=False) as client:
            while not stop.is_set():
                answer = client.post("/v1/recommendations", json={"user_id": f"u{number:02}", "k": 5})
                answers.append((answer.status_code, answer.json().get("run"), answer.json().get("stage")))

    threads = [threading.Thread(target=hammer, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        for name in (older, newest, older):
            store.set("run", name).result()
            server.wait_for(lambda name=name: [run for _, run, _ in answers[-20:]] == [name] * 20)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        store.close()
    assert {(status, stage) for status, _, stage in answers} == {(200, "ranker")}
    assert {run for _, run, _ in answers} == {older, newest}
    assert server.client.get("/ready").json()["run"] == older


def test_the_promoted_run_is_served_after_a_restart(folder, start):
    older, newest = runs_of(folder)
    assert start(folder).recommend(user_id="u00")["run"] == newest
    with Project(folder).open_store() as store:
        store.set("run", older).result()
    assert start(folder).recommend(user_id="u00")["run"] == older
    assert start(folder, run=newest).recommend(user_id="u00")["run"] == newest


def test_a_damaged_newest_run_falls_back_to_the_one_before(folder, start, caplog):
    older, newest = runs_of(folder)
    ruin(folder, newest)
    with caplog.at_level("INFO", "poise.serve"):
        assert start(folder).recommend(user_id="u00")["run"] == older
    assert any(newest in line and "damaged" in line for line in caplog.messages)


def test_a_damaged_promoted_run_falls_back_to_the_latest(folder, start):
    older, newest = runs_of(folder)
    with Project(folder).open_store() as store:
        store.set("run", older).result()
    shutil.rmtree(folder / "runs" / older / "pipeline")
    assert start(folder).recommend(user_id="u00")["run"] == newest


def test_promoting_a_damaged_run_keeps_the_present_one(folder, start, caplog):
    server = start(folder)
    older, newest = runs_of(folder)
    ruin(folder, older)
    with caplog.at_level("INFO", "poise.serve"):
        server.tenant.store.set("run", older).result()
        server.wait_for(lambda: any(older in line for line in caplog.messages))
    assert server.recommend(user_id="u00")["run"] == newest
    server.tenant.store.set("run", "none such").result()
    server.add("u00", "i01")
    assert server.recommend(user_id="u00")["run"] == newest
    answer = server.client.post("/v1/recommendations", json={"user_id": "u00", "run": older})
    assert answer.status_code == 404
    assert "damaged" in answer.json()["detail"]


def test_without_a_usable_run_the_server_is_up_and_says_why(folder, start):
    for name in runs_of(folder):
        ruin(folder, name)
    server = start(folder, ready=False)
    server.wait_for(lambda: server.client.get("/ready").json()["status"] == "failed")
    assert server.client.get("/ready").status_code == 503
    assert "fit again" in server.client.get("/ready").json()["reason"]
    assert server.client.get("/health").status_code == 200
    answer = server.client.post("/v1/recommendations", json={})
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"


SAGA = {"item_id": "saga", "content": {"title": "Sea saga", "genres": ["sea", "ships"], "country": "no", "price": 3}}


def places(server):
    shown = server.shown(history=["i02", "i04"], k=200)
    by_meaning = server.client.get("/v1/search?q=ocean&k=200").json()["items"]
    return shown.index("saga"), "saga" in [item["item_id"] for item in by_meaning]


def test_a_new_item_ranks_the_same_after_a_restart(folder, start):
    first = start(folder)
    first.client.post("/v1/items", json=SAGA)
    expected = places(first)
    assert expected[1]
    first.close()
    second = start(folder)
    second.wait_for(lambda: "saga" in second.shown(history=["i02"], k=200))
    second.wait_for(lambda: places(second) == expected)


def test_a_new_item_ranks_the_same_in_a_promoted_run(folder, start):
    older, newest = runs_of(folder)
    server = start(folder)
    server.client.post("/v1/items", json=SAGA)
    expected = places(server)
    for name in (older, newest):
        server.tenant.store.set("run", name).result()
        server.wait_for(lambda name=name: server.recommend()["run"] == name)
    server.wait_for(lambda: "saga" in server.shown(history=["i02"], k=200))
    server.wait_for(lambda: places(server) == expected)


def test_a_new_item_is_ranked_by_content_whichever_task_encodes_it(folder, start, monkeypatch):
    """At the start the whole catalogue is encoded for searching, and new items for ranking: either may be first."""
    first = start(folder)
    first.client.post("/v1/items", json=SAGA)
    expected = places(first)
    first.close()
    real, done = ServingState.encode_new, threading.Event()

    def all_then_new(live):
        live.encode_all()
        real(live)
        done.set()

    monkeypatch.setattr(ServingState, "encode_new", all_then_new)
    second = start(folder)
    assert done.wait(20)
    assert places(second) == expected


def test_an_item_with_an_event_is_no_longer_new(folder, start):
    def reasons(server):
        slate = server.recommend(history=["i02"], k=200, explain=True)["items"]
        return {reason["kind"] for item in slate if item["item_id"] == "saga" for reason in item["reasons"]}

    first = start(folder)
    first.client.post("/v1/items", json=SAGA)
    assert "new" in reasons(first)
    first.add("u00", "saga")
    assert "new" not in reasons(first)
    first.close()
    second = start(folder)
    second.wait_for(lambda: "saga" in second.shown(history=["i02"], k=200))
    assert "new" not in reasons(second)
    second.tenant.store.set("run", runs_of(folder)[0]).result()
    second.tenant.store.set("run", runs_of(folder)[1]).result()
    second.client.post("/v1/items", json={**SAGA, "item_id": "another saga"})
    assert "new" not in reasons(second)


def test_another_run_knows_new_and_deleted_items(folder, start):
    older, _ = runs_of(folder)
    server = start(folder)
    server.recommend(user_id="u00", run=older)
    server.client.post("/v1/items", json=SAGA)
    assert "saga" in server.shown(history=["i02"], run=older, k=200)
    server.client.delete("/v1/items/saga")
    assert "saga" not in server.shown(history=["i02"], run=older, k=200)


def test_a_run_without_metadata_of_later_versions_is_served(folder, start):
    for name in runs_of(folder):
        path = folder / "runs" / name / "run.json"
        metadata = json.loads(path.read_text())
        path.write_text(json.dumps({key: metadata[key] for key in metadata if key not in ("behaviours", "liked_from")}))
    assert start(folder).recommend(user_id="u00")["stage"] == "ranker"
