"""What people did, as every answer sees it: all of it is hidden, a no is no liking, times put it in order."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace

import pytest

from poise.serve.state import past

NUMBERS = itertools.count()
SEA = [f"i{number:02}" for number in range(0, 38, 2)]
MOON = [f"i{number:02}" for number in range(1, 38, 2)]
START = 1_760_000_000_000


@pytest.fixture(scope="module")
def server(start, copy_shop):
    """Return a server of its own, whose models read three events of a person."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(past, "LAST", 3)
        yield start(copy_shop())


@pytest.fixture
def user():
    """Return the id of somebody who has not been here yet."""
    return f"somebody{next(NUMBERS)}"


def did(server, user, items, behaviour="view", **more):
    events = [{"user_id": user, "item_id": item, "behaviour": behaviour, **more} for item in items]
    assert server.client.post("/v1/events", json={"events": events}).json()["accepted"] == len(events)


def profile(server, user):
    return server.client.get(f"/v1/users/{user}/profile").json()


def popular(server):
    return [item["item_id"] for item in server.client.get("/v1/popular?k=40").json()["items"]]


def test_nothing_that_somebody_ever_did_is_shown_again(server, user):
    did(server, user, SEA[:15])
    first = server.recommend(user_id=user, k=5)
    assert first["stage"] == "ranker"
    second = server.recommend(user_id=user, k=30, offset=5, request_id=first["request_id"])
    shown = [item["item_id"] for item in [*first["items"], *second["items"]]]
    assert len(shown) == 25
    assert not set(shown) & set(SEA[:15])
    assert server.shown(user_id=user, candidates=SEA) == server.shown(user_id=user, candidates=SEA[15:])
    assert profile(server, user)["events"] == 15


def test_simpler_stages_hide_all_of_it_too(server, user):
    did(server, user, SEA[:15])
    other = f"{user}-other"
    did(server, other, SEA[15:17])
    served = server.tenant.state.serving_model
    scores = server.tenant.state.popularity.scores

    def fail(*_, **__):
        raise RuntimeError("broken on purpose")

    try:
        pipeline = copy.copy(served.pipeline)
        pipeline.ranker = copy.copy(pipeline.ranker)
        pipeline.ranker.score = fail
        server.tenant.state.serving_model = replace(served, pipeline=pipeline)
        for stage in ("retrieval", "popular", "cached"):
            if stage == "popular":
                broken = copy.copy(served.fallback.ranker)
                broken.score = fail
                pipeline.ranker.members = [
                    broken if member is served.fallback.ranker else member for member in pipeline.ranker.members
                ]
                server.tenant.state.serving_model = replace(server.tenant.state.serving_model)
            if stage == "cached":
                server.recommend(user_id=other, k=40)
                server.tenant.state.popularity.scores = fail
            slate = server.recommend(user_id=user, k=40)
            assert slate["stage"] == stage
            assert slate["items"]
            assert not {item["item_id"] for item in slate["items"]} & set(SEA[:15])
    finally:
        server.tenant.state.serving_model, server.tenant.state.popularity.scores = served, scores
        for stage in ("ranker", "retrieval", "popular"):
            server.tenant.engine.breaker.note_success(stage)


def test_one_thing_done_a_thousand_times_pushes_nothing_out(server, user):
    did(server, user, SEA[:6])
    did(server, user, [SEA[6]] * 1_000)
    assert not set(server.shown(user_id=user, k=40)) & set(SEA[:7])
    assert profile(server, user)["events"] == 1_006
    assert len(profile(server, user)["history"]) == 50


def test_a_history_with_times_is_sorted_by_them(server, user):
    history = [{"item_id": item, "timestamp": START + day} for day, item in enumerate([*SEA[:3], *MOON[:2]])]
    ordered = server.recommend(history=history, k=10)["items"]
    assert server.recommend(history=history[::-1], k=10)["items"] == ordered
    did(server, user, [])
    for event in history[::-1]:
        server.add(user, **event)
    assert server.recommend(user_id=user, k=10)["items"] == ordered
    plain = [event["item_id"] for event in history]
    assert server.recommend(history=plain, k=10)["items"] == ordered  # the newest stands last


@pytest.mark.parametrize(
    ("behaviour", "value"), [("dislike", None), ("skip", None), ("hide", None), ("rate", 1.0), ("rating", 2)]
)
def test_a_no_is_hidden_and_is_no_liking_and_no_reason(server, user, behaviour, value):
    did(server, user, MOON[:3], behaviour, value=value)
    before = popular(server)
    slate = server.recommend(user_id=user, k=40, explain=True)
    assert slate["stage"] == "popular"  # nothing is known that a model could go by
    assert not {item["item_id"] for item in slate["items"]} & set(MOON[:3])
    did(server, user, [SEA[0]], "like")
    slate = server.recommend(user_id=user, k=40, explain=True)
    assert slate["stage"] == "ranker"
    assert not {item["item_id"] for item in slate["items"]} & {*MOON[:3], SEA[0]}
    reasons = [reason["text"] for item in slate["items"] for reason in item["reasons"] if reason["kind"] == "history"]
    assert reasons
    assert all("Sea story 0" in text for text in reasons)
    after = popular(server)
    assert set(after) == {*before, SEA[0]}
    assert all(abs(after.index(item) - before.index(item)) < 4 for item in MOON[:3] if item in before)
    assert not profile(server, user)["interests"]
    assert [event["behaviour"] for event in profile(server, user)["history"]] == ["like", *[behaviour] * 3]


def test_a_later_yes_counts_and_an_unlike_takes_the_like_back(server, user):
    did(server, user, [MOON[0]], "dislike")
    assert server.recommend(user_id=user)["stage"] == "popular"
    did(server, user, [MOON[0]], "like")
    assert server.recommend(user_id=user)["stage"] == "ranker"
    did(server, user, [MOON[0]], "unlike")
    slate = server.recommend(user_id=user, k=40)
    assert slate["stage"] == "popular"
    assert MOON[0] not in {item["item_id"] for item in slate["items"]}


def test_a_no_in_a_given_history_is_a_no(server):
    history = [{"item_id": item, "behaviour": "dislike"} for item in MOON[:3]]
    slate = server.recommend(history=history, k=40)
    assert slate["stage"] == "popular"
    assert not {item["item_id"] for item in slate["items"]} & set(MOON[:3])


def test_what_only_was_shown_says_nothing(server, user):
    did(server, user, SEA[:3], "impression")
    assert set(SEA[:3]) <= set(server.shown(user_id=user, k=40))


def test_one_click_does_not_make_an_unknown_item_popular_for_everybody(server, user):
    popular = [item["item_id"] for item in server.client.get("/v1/popular?k=10").json()["items"]]
    server.client.post("/v1/items", json={"item_id": "unknown", "content": {"title": "Unknown"}})
    for _ in range(50):
        server.add(user, "unknown")
    after = [item["item_id"] for item in server.client.get("/v1/popular?k=10").json()["items"]]
    assert "unknown" not in after
    assert after == popular
    for number in range(40):
        server.add(f"{user}-{number}", "unknown")
    assert server.client.get("/v1/popular?k=10").json()["items"][0]["item_id"] == "unknown"  # a trend is found


@pytest.mark.parametrize("path", ["/v1/events", "/v1/import/events"])
def test_events_for_unknown_items_get_a_hint(server, user, path):
    answer = server.client.post(path, json={"user_id": user, "item_id": f"nowhere-{user}"}).json()
    assert answer["accepted"] == 1
    assert answer["unknown_items"] == [f"nowhere-{user}"]
    assert "not in the catalogue" in answer["hint"]
    events = [{"user_id": user, "item_id": f"nowhere-{user}-{number % 40}"} for number in range(80)]
    answer = server.client.post("/v1/events", json={"events": [*events, {"user_id": user, "item_id": "i00"}]}).json()
    assert answer["accepted"] == 81
    assert answer["unknown_items"] == [f"nowhere-{user}-{number}" for number in range(10)]
    assert len(answer["hint"]) < 300
    assert set(server.client.post(path, json={"user_id": user, "item_id": "i00"}).json()) == {
        "accepted",
        "duplicates",
        "refused",
    }


@pytest.mark.parametrize("when", ["2099-01-01T00:00:00Z", "1975-01-01T00:00:00Z"])
def test_times_that_files_may_not_have_are_refused_over_http_as_well(server, user, when):
    answer = server.client.post("/v1/events", json={"user_id": user, "item_id": "i00", "timestamp": when})
    assert answer.status_code == 422
    assert when[:10] in answer.json()["detail"]
    assert "[data.cleaning]" in answer.json()["detail"]
    both = {"events": [{"user_id": user, "item_id": "i00", "timestamp": when}, {"user_id": user, "item_id": "i02"}]}
    answer = server.client.post("/v1/events", json=both).json()
    assert (answer["accepted"], answer["refused"][0]["index"]) == (1, 0)
