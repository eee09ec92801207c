from __future__ import annotations

import itertools
import json
import random
import threading

import pytest

from poise.project import Project

NUMBERS = itertools.count()
NOW = 1_764_000_000_000


@pytest.fixture
def user():
    """Return the id of somebody who has not been here yet."""
    return f"visitor{next(NUMBERS)}"


def post(server, body, path="/v1/events"):
    content = body if isinstance(body, bytes | str) else json.dumps(body)
    return server.client.post(path, content=content)


def history(server, user):
    answer = server.client.get(f"/v1/users/{user}/profile")
    return [] if answer.status_code == 404 else [done["item_id"] for done in reversed(answer.json()["history"])]


def test_post_one_event(server, user):
    event = {
        "user_id": user,
        "item_id": "i02",
        "behaviour": "like",
        "value": 4.5,
        "timestamp": NOW,
        "context": {"device": "tv", "hour": 20, "weekend": True, "campaign": None},
    }
    assert post(server, event).json() == {"accepted": 1, "refused": [], "duplicates": 0}
    (done,) = server.client.get(f"/v1/users/{user}/profile").json()["history"]
    assert done == {"item_id": "i02", "title": "Sea story 2", "behaviour": "like", "timestamp": NOW, "value": 4.5}
    (stored,) = server.tenant.store.history(user)
    assert stored.context == {"device": "tv", "hour": 20, "weekend": True}


def test_timestamp_and_behaviour_have_defaults(server, user):
    server.add(user, "i02")
    (done,) = server.client.get(f"/v1/users/{user}/profile").json()["history"]
    assert done["behaviour"] == "view"
    assert done["timestamp"] > NOW


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        (NOW, NOW),
        ("2025-11-24T16:00:00Z", NOW),
        ("2025-11-24T16:00:00", NOW),
        ("2025-11-24T17:00:00.000+01:00", NOW),
    ],
)
def test_timestamps_are_milliseconds_or_text(server, user, given, moment):
    server.add(user, "i02", timestamp=given)
    assert server.tenant.store.history(user)[0].time == moment


@pytest.mark.parametrize("given", [1_764_000_000, "1969-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", 5e12, "today"])
def test_implausible_timestamps_are_refused(server, user, given):
    answer = post(server, {"user_id": user, "item_id": "i02", "timestamp": given})
    assert answer.status_code == 422
    assert "timestamp" in answer.json()["detail"]
    assert not history(server, user)


def test_a_batch_stores_good_events_and_names_bad_ones(server, user):
    batch = [
        {"user_id": user, "item_id": "i01"},
        {"user_id": user},
        {"user_id": user, "item_id": "i02", "value": "much"},
        "event",
        {"user_id": user, "item_id": "i03", "timestamp": "1969-01-01T00:00:00Z"},
        {"user_id": user, "item_id": "i04", "surprise": 1},
        {"user_id": user, "item_id": "i05"},
    ]
    answer = post(server, {"events": batch})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["accepted"], body["duplicates"]) == (2, 0)
    assert [refusal["index"] for refusal in body["refused"]] == [1, 2, 3, 4, 5]
    reasons = [refusal["reason"] for refusal in body["refused"]]
    for reason, words in zip(
        reasons, ["item_id", "$.value", "object", "between 1973 and 2100", "surprise"], strict=True
    ):
        assert words in reason
    assert history(server, user) == ["i01", "i05"]


@pytest.mark.parametrize(
    "event", [{"user_id": "a"}, {"user_id": "a", "item_id": "b", "timestamp": "1969-01-01T00:00:00Z"}]
)
def test_a_batch_of_bad_events_is_200_and_a_single_bad_event_is_422(server, event):
    assert post(server, event).status_code == 422
    for batch in ([event], [event, event]):
        answer = post(server, {"events": batch})
        assert answer.status_code == 200
        assert answer.json()["accepted"] == 0
        assert [refusal["index"] for refusal in answer.json()["refused"]] == list(range(len(batch)))


def test_an_empty_batch_adds_nothing(server):
    assert post(server, {"events": []}).json() == {"accepted": 0, "refused": [], "duplicates": 0}


def test_events_with_a_known_id_are_duplicates(server, user):
    event = {"user_id": user, "item_id": "i07", "event_id": f"{user}-1"}
    assert post(server, event).json()["accepted"] == 1
    assert post(server, event).json() == {"accepted": 0, "refused": [], "duplicates": 1}
    other = {**event, "event_id": f"{user}-2"}
    batch = [event, other, other, {"user_id": user, "item_id": "i08"}]
    assert post(server, {"events": batch}).json() == {"accepted": 2, "refused": [], "duplicates": 2}
    assert sorted(history(server, user)) == ["i07", "i07", "i08"]


def test_the_same_batch_sent_concurrently_is_stored_once(server, user):
    batch = {
        "events": [{"user_id": user, "item_id": f"i{index:02}", "event_id": f"{user}-{index}"} for index in range(30)]
    }
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(post(server, batch).json())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(answer["accepted"] for answer in answers) == 30
    assert sum(answer["duplicates"] for answer in answers) == 7 * 30
    assert len(history(server, user)) == 30


def test_a_batch_has_at_most_ten_thousand_events(server, user):
    events = [
        {"user_id": f"{user}-{index % 50}", "item_id": f"i{index % 40:02}", "timestamp": NOW + index}
        for index in range(10_001)
    ]
    answer = post(server, {"events": events})
    assert answer.status_code == 422
    assert "10,001" in answer.json()["detail"]
    assert not history(server, f"{user}-0")
    assert post(server, {"events": events[:-1]}).json()["accepted"] == 10_000


def test_import_takes_lines_and_names_bad_ones(server, user):
    lines = [json.dumps({"user_id": user, "item_id": f"i{index:02}", "timestamp": NOW + index}) for index in range(20)]
    lines[3] = "{"
    lines[5] = ""
    lines[9] = json.dumps({"user_id": user, "item_id": "i09", "timestamp": "1969-01-01T00:00:00Z"})
    answer = post(server, "\n".join(lines), "/v1/import/events")
    assert answer.status_code == 200
    assert answer.json()["accepted"] == 17
    assert [refusal["index"] for refusal in answer.json()["refused"]] == [3, 9]
    assert history(server, user) == [f"i{index:02}" for index in range(20) if index not in (3, 5, 9)]


def test_import_streams_more_than_max_body_bytes(copy_shop, start):
    server = start(copy_shop("budget = 10\nmax_body_bytes = 2000"))
    line = json.dumps({"user_id": "streamed", "item_id": "i01"}).encode() + b"\n"

    def parts():
        whole = line * 12_000
        for index in range(0, len(whole), 7_777):  # cuts lines anywhere
            yield whole[index : index + 7_777]

    answer = server.client.post("/v1/import/events", content=parts())
    assert answer.json() == {"accepted": 12_000, "refused": [], "duplicates": 0}
    answer = server.client.post("/v1/import/events", content=line + b'{"user_id": "' + b"x" * 3000)
    assert answer.status_code == 413
    assert "line 2" in answer.json()["detail"]


def test_import_lists_the_first_thousand_bad_lines(server):
    answer = post(server, b"{\n" * 3_000, "/v1/import/events")
    assert [refusal["index"] for refusal in answer.json()["refused"]] == list(range(1_000))


@pytest.fixture(scope="module", params=["sqlite", "sqlite, two workers", "postgresql", "postgresql, two workers"])
def fleet(request, copy_shop, start):
    """Return servers that share one store: one, or two as with --workers 2."""
    workers = 2 if "two" in request.param else 1
    folder, store = copy_shop(), None
    if "postgresql" in request.param:
        store = request.getfixturevalue("new_database")()
        Project(folder).fill_store(store).close()
    return [start(folder, store=store, workers=workers) for _ in range(workers)]


def test_the_next_request_takes_an_event_into_account(fleet, user):
    draw = random.Random(0)
    done = []
    for index in range(50):
        taker, worker = draw.choice(fleet), draw.choice(fleet)
        fresh = [f"i{item:02}" for item in range(40) if f"i{item:02}" not in done]
        item = draw.choice(fresh) if len(fresh) > 2 else draw.choice(done)
        taker.add(user, item, timestamp=NOW + index)
        done.append(item)
        slate = worker.recommend(user_id=user, k=40)
        shown = {shown_item["item_id"] for shown_item in slate["items"]}
        assert slate["stage"] == ("ranker" if shown else "popular")
        assert not shown & set(done)
        assert len(shown) == 40 - len(set(done))
        assert history(worker, user) == done


def test_an_event_with_a_request_id_is_its_feedback(fleet, user):
    slate = fleet[0].recommend(user_id=user, k=3)
    first = slate["items"][0]["item_id"]
    fleet[-1].add(user, first, behaviour="view", request_id=slate["request_id"])
    fleet[-1].add(user, first, behaviour="like", request_id=slate["request_id"])
    body = fleet[-1].client.get(f"/v1/requests/{slate['request_id']}").json()
    assert [(item["item_id"], item["feedback"]) for item in body["items"]] == [
        (first, ["view", "like"]),
        *((item["item_id"], []) for item in slate["items"][1:]),
    ]


def test_an_item_put_to_one_worker_is_shown_by_the_other(fleet):
    item_id = f"new{next(NUMBERS)}"
    answer = fleet[0].client.post("/v1/items", json={"item_id": item_id, "content": {"title": "Sea story, the last"}})
    assert answer.json()["accepted"] == 1
    assert item_id in fleet[-1].shown(history=["i02"], k=60)
    assert fleet[-1].client.delete(f"/v1/items/{item_id}").status_code == 204
    assert item_id not in fleet[0].shown(history=["i02"], k=60)


def test_popularity_rises_with_every_event(fleet, user):
    def score():
        items = fleet[-1].client.get("/v1/popular?k=40").json()["items"]
        return {item["item_id"]: item["score"] for item in items}.get("i39", 0.0)

    before = score()
    for index in range(5):
        fleet[0].add(f"{user}-{index}", "i39")
    assert score() > before


def test_events_are_counted_in_the_metrics(server, user):
    before = server.metric("poise_events_total", outcome="accepted")
    server.add(user, "i01", event_id=user)
    post(server, {"events": [{"user_id": user, "item_id": "i01", "event_id": user}, {}]})
    assert server.metric("poise_events_total", outcome="accepted") == before + 1
    assert server.metric("poise_events_total", outcome="duplicate") >= 1
    assert server.metric("poise_events_total", outcome="refused") >= 1
    text = server.client.get("/metrics").text
    assert 'poise_events_total{outcome="accepted"}' in text


def test_ids_have_the_form_that_those_of_files_have(server, user):
    events = [{"user_id": f" {user}\u00a0", "item_id": "i02 "}, {"user_id": "NULL", "item_id": "i02"}]
    answer = post(server, {"events": events}).json()
    assert answer["accepted"] == 1
    assert [refusal["index"] for refusal in answer["refused"]] == [1]
    assert "stands for a missing value" in answer["refused"][0]["reason"]
    assert history(server, user) == history(server, f"{user}%20") == ["i02"]
    lines = "\n".join(
        map(json.dumps, [{"user_id": f"\u2003{user}", "item_id": "i03"}, {"user_id": "", "item_id": "x"}])
    )
    answer = post(server, lines + "\nnonsense\n", "/v1/import/events").json()
    assert history(server, user) == ["i02", "i03"]
    assert "the line is no JSON" in answer["refused"][-1]["reason"]
    asked = {"user_id": f"{user} ", "k": 3, "exclude": ["i05 "]}
    shown = server.client.post("/v1/recommendations", json=asked).json()["items"]
    assert not {"i02", "i03", "i05"} & {item["item_id"] for item in shown}
