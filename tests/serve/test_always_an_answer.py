"""Whatever fails or hangs, there is an answer, in time, by the next simpler stage, and it is counted."""

from __future__ import annotations

import copy
import gc
import itertools
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest

from poise.encoders.text import TextEncoder
from poise.errors import DataError
from poise.serve.clock import Clock
from poise.serve.engine import circuit_breaker, engine
from poise.serve.http import app, items
from poise.serve.state import store_writes
from poise.serve.state.serving_model import ServingModel
from poise.store.errors import StoreError, StoreFull

NUMBERS = itertools.count()
LONG = 5.0  # seconds, far below what hangs takes, and far above what a busy machine needs


@pytest.fixture
def server(copy_shop, start):
    """Return a server of its own that is not in a hurry."""
    return start(copy_shop())


@pytest.fixture
def hasty(copy_shop, start):
    """Return a server that gives a stage half a second."""
    return start(copy_shop("budget = 0.5"))


@pytest.fixture
def hang():
    """Return what hangs until the end of the test."""
    event = threading.Event()
    yield lambda *_, **__: event.wait(60)
    event.set()


def fail(*_, **__):
    raise RuntimeError("broken on purpose")


def unreadable(*_, **__):
    raise StoreError("the store cannot be reached: start the server")


def sabotage(server, *, ranker=None, retriever=None, popular=None, explain=None):
    """Have something done before each stage works: fail, or hang."""
    model = server.tenant.state.serving_model
    pipeline = copy.copy(model.pipeline)
    pipeline.ranker = copy.copy(pipeline.ranker)
    if ranker is not None:
        _before(pipeline.ranker, "score", ranker)
    if explain is not None:
        _before(pipeline, "explain_slates", explain)
    if retriever is not None:
        quickest = model.fallback.ranker
        broken = copy.copy(quickest)
        _before(broken, "score", retriever)
        pipeline.ranker.members = [broken if member is quickest else member for member in pipeline.ranker.members]
    if popular is not None:
        _before(server.tenant.state.popularity, "scores", popular)
    server.tenant.state.serving_model = replace(model, pipeline=pipeline)


def _before(thing, name, fault):
    real = getattr(thing, name)

    def broken(*arguments, **options):
        fault()
        return real(*arguments, **options)

    setattr(thing, name, broken)


def fallbacks(server, failed, why=None):
    return server.metric("poise_fallbacks_total", failed=failed, **({"why": why} if why else {}))


@pytest.mark.parametrize(
    ("broken", "stage"),
    [
        ({}, "ranker"),
        ({"ranker": fail}, "retrieval"),
        ({"ranker": fail, "retriever": fail}, "popular"),
        ({"ranker": fail, "retriever": fail, "popular": fail}, "cached"),
    ],
)
def test_a_failing_stage_falls_back_to_the_next(server, broken, stage):
    before = server.recommend(user_id="u00", k=5)
    sabotage(server, **broken)
    slate = server.recommend(user_id="u00", k=5, explain=True)
    assert slate["stage"] == stage
    assert len(slate["items"]) == 5
    assert all("reasons" in item for item in slate["items"])
    for failed in ("ranker", "popular"):
        assert fallbacks(server, failed, "RuntimeError") == (failed in broken)
    assert fallbacks(server, "retrieval", "RuntimeError") == ("retriever" in broken)
    assert server.metric("poise_slates_total", stage=stage) >= 1
    if stage == "cached":
        assert [item["item_id"] for item in slate["items"]] == [item["item_id"] for item in before["items"]]
        excluded = before["items"][0]["item_id"]
        assert excluded not in server.shown(user_id="u00", exclude=[excluded])
        slate = server.recommend(user_id="nobody")
        assert slate["stage"] == "cached"
        assert slate["items"]


def test_with_all_stages_failing_and_no_cached_slate_the_answer_is_empty(server):
    sabotage(server, ranker=fail, retriever=fail, popular=fail)
    slate = server.recommend(user_id="u00")
    assert (slate["stage"], slate["items"]) == ("cached", [])


def test_a_cached_slate_of_another_run_is_not_used(server):
    server.recommend(user_id="u00")
    older, _ = server.tenant.project.runs
    server.tenant.store.set("run", older).result()
    server.wait_for(lambda: server.recommend()["run"] == older)
    sabotage(server, ranker=fail, popular=fail)
    slate = server.recommend(user_id="u00")
    assert (slate["stage"], slate["items"]) == ("cached", [])


def test_old_catalogues_and_models_are_released(server):
    for index in range(12):
        assert server.client.patch("/v1/items/i01", json={"content": {"price": index}}).status_code == 200
        server.recommend(user_id=f"u{index:02}")
        server.recommend(user_id=f"u{index:02}", filters=[{"column": "price", "min": 3}])
    older, newest = server.tenant.project.runs
    for run in (older, newest):
        server.tenant.store.set("run", run).result()
        server.wait_for(lambda run=run: server.recommend(user_id="u00")["run"] == run)

    def alive():
        gc.collect()
        return sum(type(value) is ServingModel and value.item_search is finder for value in gc.get_objects())

    finder = server.tenant.state.serving_model.item_search
    server.wait_for(lambda: alive() <= 3)


def test_no_stage_shows_excluded_or_unavailable_items(server):
    wishes = {"exclude": ["i04", "i06"], "filters": [{"column": "country", "in": ["no", "pt"]}]}
    allowed = set(server.shown(history=["i02"], k=200, **wishes))
    for broken in ({"ranker": fail}, {"retriever": fail}, {"popular": fail}):
        sabotage(server, **broken)
        assert set(server.shown(history=["i02"], k=200, **wishes)) <= allowed


@pytest.mark.parametrize(
    ("broken", "stage"), [(["ranker"], "retrieval"), (["ranker", "retriever"], "popular")], ids=["one", "two"]
)
def test_a_stage_over_its_budget_is_skipped_for_the_next(hasty, hang, broken, stage):
    sabotage(hasty, **dict.fromkeys(broken, hang))
    for _ in range(6):
        start = time.perf_counter()
        assert hasty.recommend(user_id="u00")["stage"] in {stage, "popular"}
        assert time.perf_counter() - start < LONG
    assert hasty.metric("poise_slates_total", stage=stage) > 0
    assert fallbacks(hasty, "ranker", "slow") >= 1


def test_the_circuit_breaker_opens_after_failures_and_closes_again(server, monkeypatch):
    broken = threading.Event()
    broken.set()
    calls = []

    def sometimes():
        calls.append(1)
        if broken.is_set():
            fail()

    sabotage(server, ranker=sometimes)
    monkeypatch.setattr(circuit_breaker, "RECOVERY_SECONDS", 1e9)
    for _ in range(8):
        assert server.recommend(user_id="u00")["stage"] == "retrieval"
    assert len(calls) == circuit_breaker.FAILURES
    assert fallbacks(server, "ranker", "resting") == 8 - circuit_breaker.FAILURES
    broken.clear()
    assert server.recommend(user_id="u00")["stage"] == "retrieval"
    monkeypatch.setattr(circuit_breaker, "RECOVERY_SECONDS", 0.0)
    assert server.recommend(user_id="u00")["stage"] == "ranker"


def test_a_slow_explanation_is_left_out(server, hang, monkeypatch):
    monkeypatch.setattr(engine, "EXPLAINED_WITHIN", 0.2)
    sabotage(server, explain=hang)
    start = time.perf_counter()
    slate = server.recommend(user_id="u00", explain=True)
    assert time.perf_counter() - start < LONG
    assert slate["stage"] == "ranker"
    assert all(item["reasons"] == [] for item in slate["items"])
    assert fallbacks(server, "explanation", "TimeoutError") == 1


def test_without_the_store_cached_histories_serve_and_others_get_popular_items(server, monkeypatch):
    shown = server.shown(user_id="u00")
    monkeypatch.setattr(server.tenant.store, "whole_history", unreadable)
    assert server.shown(user_id="u00") == shown
    assert server.recommend(user_id="u01")["stage"] == "popular"
    assert fallbacks(server, "store", "StoreError") == 1


def test_a_hanging_store_is_not_waited_for(hasty, hang, monkeypatch):
    monkeypatch.setattr(engine, "READ_HISTORY_WITHIN", 0.2)
    monkeypatch.setattr(hasty.tenant.store, "whole_history", hang)
    start = time.perf_counter()
    for index in range(8):  # more than there are threads to wait in
        assert hasty.recommend(user_id=f"u{index:02}")["stage"] == "popular"
    assert time.perf_counter() - start < 8 * LONG
    assert fallbacks(hasty, "store", "TimeoutError") == 8
    hasty.add("u40", "i02")
    assert hasty.client.get("/v1/popular").json()["items"]


def test_slates_are_served_when_impressions_cannot_be_written(server, monkeypatch):
    def refuse(impressions):
        future = Future()
        future.set_exception(StoreError("the disk is full"))
        return future

    monkeypatch.setattr(server.tenant.store, "add_impressions", refuse)
    for _ in range(3):
        assert server.recommend(user_id="u00")["stage"] == "ranker"
    server.wait_for(lambda: server.metric("poise_impressions_lost_total") == 3)


def test_reads_that_need_the_store_time_out(server, hang, monkeypatch):
    monkeypatch.setattr(engine, "READ_WITHIN", 0.2)
    request_id = server.recommend(user_id="u00")["request_id"]
    for name in ("item", "user", "items", "users", "impressions", "whole_history"):
        monkeypatch.setattr(server.tenant.store, name, hang)
    start = time.perf_counter()
    for path in (
        "items/i01",
        "users/u01",
        "items",
        "users",
        f"requests/{request_id}",
        "users/u09/profile",
        "users/u01",
    ):
        answer = server.client.get(f"/v1/{path}")
        assert answer.status_code == 503
        assert "too long" in answer.json()["detail"]
    assert time.perf_counter() - start < 7 * LONG
    assert server.client.get("/v1/items/i02/similar").status_code == 200
    assert server.recommend(history=["i02"])["stage"] == "ranker"
    server.add("u00", "i01")


@pytest.mark.parametrize("fault", ["fails", "hangs"])
def test_a_worker_that_cannot_follow_the_store_answers(copy_shop, start, hang, monkeypatch, fault):
    server = start(copy_shop("budget = 0.5"), workers=2)
    monkeypatch.setattr(server.tenant.store, "changes", unreadable if fault == "fails" else hang)
    start_time = time.perf_counter()
    assert server.recommend(history=["i02"])["items"]
    assert time.perf_counter() - start_time < LONG
    assert fallbacks(server, "store") >= 1


def test_an_event_that_cannot_be_stored_is_not_acknowledged(server, monkeypatch):
    real = server.tenant.store.add_events
    event = {"user_id": "u00", "item_id": "i01"}
    for error, status in ((StoreError("the disk is full"), 503), (StoreFull("too many rows wait"), 429)):

        def refuse(events, error=error):
            raise error

        monkeypatch.setattr(server.tenant.store, "add_events", refuse)
        answer = server.client.post("/v1/events", json=event)
        assert answer.status_code == status
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"] == str(error)
    monkeypatch.setattr(server.tenant.store, "add_events", real)
    server.add("u00", "i01")


def test_a_stored_event_is_acknowledged_when_the_store_cannot_be_read(server, monkeypatch):
    assert server.recommend(user_id="u05")["stage"] == "ranker"
    monkeypatch.setattr(server.tenant.store, "changes", unreadable)
    server.add("late", "i02")
    assert server.client.post("/v1/items", json={"item_id": "late", "content": {"title": "Late"}}).status_code == 200
    assert server.client.patch("/v1/items/late", json={"available": False}).status_code == 200
    assert server.client.delete("/v1/items/late").status_code == 204
    assert server.client.delete("/v1/users/u05").status_code == 200
    assert server.recommend(user_id="u05")["stage"] == "popular"
    monkeypatch.undo()
    server.wait_for(lambda: server.tenant.store.version() == server.tenant.state.change_feed.seen)
    assert server.recommend(user_id="late")["stage"] == "ranker"


def test_writing_events_to_a_hanging_store_times_out(server, monkeypatch):
    monkeypatch.setattr(store_writes, "WRITTEN_WITHIN", 0.3)
    monkeypatch.setattr(server.tenant.store, "add_events", lambda events: Future())
    start = time.perf_counter()
    answer = server.client.post("/v1/events", json={"user_id": "u00", "item_id": "i01"})
    assert time.perf_counter() - start < LONG
    assert answer.status_code == 503
    assert "event_id" in answer.json()["detail"]


def test_search_falls_back_to_words_without_the_encoder(server, monkeypatch):
    def away(self, texts):
        raise DataError("the encoder cannot be had")

    server.wait_for(lambda: len(server.client.get("/v1/search?q=lunar").json()["items"]) == 10)
    monkeypatch.setattr(TextEncoder, "encode", away)
    assert server.client.get("/v1/search?q=moon+17").json()["items"][0]["item_id"] == "i17"
    assert server.client.get("/v1/search?q=lunar").json()["items"] == []
    assert fallbacks(server, "encoder", "DataError") == 2
    saga = {"item_id": "saga", "content": {"title": "Sea saga", "genres": ["sea"]}}
    assert server.client.post("/v1/items", json=saga).json()["accepted"] == 1
    assert server.client.get("/v1/search?q=saga").json()["items"][0]["item_id"] == "saga"
    monkeypatch.undo()
    server.wait_for(lambda: "saga" in server.shown(history=["i02"], k=200))


def test_new_items_are_accepted_while_the_encoder_hangs(server, hang, monkeypatch):
    monkeypatch.setattr(items, "ENCODED_WITHIN", 0.1)
    monkeypatch.setattr(TextEncoder, "encode", hang)
    for index in range(12):  # more than there are threads to wait in
        server.client.post("/v1/items", json={"item_id": f"saga{index}", "content": {"title": "Sea saga"}})
    assert len(server.client.get("/v1/search?q=saga&k=20").json()["items"]) == 12
    server.add("u00", "i01")
    assert server.recommend(user_id="u33")["stage"] == "ranker"


def test_a_hanging_encoder_blocks_nothing_else(server, hang, monkeypatch):
    server.wait_for(lambda: len(server.client.get("/v1/search?q=lunar").json()["items"]) == 10)
    monkeypatch.setattr(TextEncoder, "encode", hang)
    start = time.perf_counter()
    with ThreadPoolExecutor(12) as pool:  # more than there are threads to wait in
        answers = list(pool.map(lambda _: server.client.get("/v1/search?q=moon+17"), range(12)))
    assert time.perf_counter() - start < LONG
    assert all(answer.json()["items"][0]["item_id"] == "i17" for answer in answers)
    assert fallbacks(server, "encoder") == 12
    start = time.perf_counter()
    server.add("u00", "i01")
    assert server.client.get("/v1/users/u00/profile").status_code == 200
    assert server.client.get("/v1/items/i02/similar").status_code == 200
    assert server.recommend(user_id="u33")["stage"] == "ranker"
    assert time.perf_counter() - start < LONG


def ask_many(server, many, **body):
    """Ask all at once; return the statuses and the answers."""
    with ThreadPoolExecutor(many) as pool:
        return list(pool.map(lambda _: server.client.post("/v1/recommendations", json=body), range(many)))


def test_requests_beyond_the_queue_are_refused_with_429(copy_shop, start):
    server = start(copy_shop("budget = 30\nqueue = 8\nbatch = 2"))
    waiting = []

    def slow():
        waiting.append(len(server.tenant.engine.ranker))
        time.sleep(0.1)

    sabotage(server, ranker=slow)
    answers = ask_many(server, 40, user_id="u00")
    by_status = {status: [answer for answer in answers if answer.status_code == status] for status in (200, 429)}
    assert sum(map(len, by_status.values())) == 40
    assert len(by_status[200]) >= 8
    assert by_status[429]
    assert {answer.json()["stage"] for answer in by_status[200]} == {"ranker"}
    for answer in by_status[429]:
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["content-type"] == "application/problem+json"
    assert max(waiting) <= 8
    assert server.recommend(user_id="u00")["stage"] == "ranker"
    assert len(server.tenant.engine.ranker) == 0


def test_a_full_queue_behind_a_stuck_ranker_falls_back(copy_shop, start, hang):
    server = start(copy_shop("budget = 0.5\nqueue = 4"))
    sabotage(server, ranker=hang)
    ask_many(server, 12, user_id="u00")
    answers = [server.client.post("/v1/recommendations", json={"user_id": "u00"}) for _ in range(4)]
    assert {answer.status_code for answer in answers} == {200}
    assert len(server.tenant.engine.ranker) <= 4


def test_too_many_concurrent_requests_are_refused(server, monkeypatch):
    gates = []

    def later(events):
        gates.append(Future())
        return gates[-1]

    monkeypatch.setattr(app, "MOST_AT_WORK", 3)
    real = server.tenant.store.add_events
    monkeypatch.setattr(server.tenant.store, "add_events", later)
    with ThreadPoolExecutor(3) as pool:
        event = {"user_id": "u00", "item_id": "i01"}
        at_work = [pool.submit(server.client.post, "/v1/events", json=event) for _ in range(3)]
        server.wait_for(lambda: len(gates) == 3)
        refused = server.client.post("/v1/recommendations", json={"user_id": "u00"})
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert server.client.get("/health").status_code == 200
        for gate in gates:
            gate.set_result(real([]).result())
        assert [future.result().status_code for future in at_work] == [200] * 3
    assert server.recommend(user_id="u00")["stage"] == "ranker"


def test_a_client_that_disconnects_leaves_nothing_behind(server):
    gate = threading.Event()
    sabotage(server, ranker=lambda: gate.wait(60))
    for _ in range(5):
        with pytest.raises(httpx.ReadTimeout):
            server.client.post("/v1/recommendations", json={"user_id": "u00"}, timeout=httpx.Timeout(30, read=0.05))
    assert server.app.state.server.answering == 5
    gate.set()
    server.wait_for(lambda: server.app.state.server.answering == 0)
    assert len(server.tenant.engine.ranker) == 0


def test_a_request_at_work_when_the_server_stops_gets_503(server, monkeypatch, caplog):
    sent = threading.Event()

    def never(events):
        sent.set()
        return Future()

    monkeypatch.setattr(server.tenant.store, "add_events", never)
    event = {"user_id": "u00", "item_id": "i01"}
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(httpx.post, f"{server.url}/v1/events", json=event, timeout=30)
        assert sent.wait(10)
        server.close()
        answer = future.result()
    assert answer.status_code == 503
    assert "stopping" in answer.json()["detail"]
    assert "Traceback" not in caplog.text


def test_losing_and_regaining_the_store_is_logged_once(server, monkeypatch, caplog):
    tries = []

    def away(*_):
        tries.append(1)
        unreadable()

    with caplog.at_level("INFO", "poise.serve"):
        monkeypatch.setattr(server.tenant.store, "changes", away)
        server.wait_for(lambda: len(tries) > 2)
        monkeypatch.undo()
        server.wait_for(lambda: "are back" in caplog.text)
    assert caplog.text.count("cannot be reached") == 1


def test_one_failing_change_does_not_stop_later_ones(server, monkeypatch):
    real, broken = server.tenant.state.change_feed.take, []

    async def take(changes):
        if not broken:
            broken.append(changes)
            raise RuntimeError("broken on purpose")
        await real(changes)

    monkeypatch.setattr(server.tenant.state.change_feed, "take", take)
    server.add("first", "i02")
    assert broken
    server.add("second", "i04")
    assert server.recommend(user_id="first")["stage"] == "ranker"
    assert server.recommend(user_id="second")["stage"] == "ranker"


def test_a_system_clock_that_jumps(copy_shop, start):
    jumps = [0]
    server = start(copy_shop(), clock=Clock(lambda: time.time() + jumps[-1], time.monotonic))
    for number, jump in enumerate((0, -86_400, 365 * 86_400, -5 * 365 * 86_400, 0)):
        jumps.append(jump)
        user = f"traveller{number}"
        for item in ("i02", "i04", "i06"):
            server.add(user, item)
            server.add("all the time", item)
            for who in (user, "all the time"):
                slate = server.recommend(user_id=who, k=40)
                assert slate["stage"] == "ranker"
                assert item not in [shown["item_id"] for shown in slate["items"]]
        assert server.client.get("/v1/popular").json()["items"]
        assert server.client.get("/metrics").status_code == 200
