from __future__ import annotations

import itertools
import json
from collections import Counter

import numpy as np
import pytest

from poise.project import Project

NUMBERS = itertools.count()
ITEMS = [f"i{item:02}" for item in range(40)]
SEA, MOON = ITEMS[0::2], ITEMS[1::2]


@pytest.fixture
def user():
    """Return the id of somebody who has not been here yet."""
    return f"visitor{next(NUMBERS)}"


@pytest.fixture(scope="module")
def content(server):
    """Return what the catalogue says of each item."""
    page = server.client.get("/v1/items?limit=1000").json()
    return {item["item_id"]: item["content"] for item in page["items"]}


def ask(server, **body):
    return server.client.post("/v1/recommendations", content=json.dumps(body))


def test_recommendations_for_a_known_user(server):
    slate = server.recommend(user_id="u00", k=5)
    assert slate["stage"] == "ranker"
    assert slate["run"] == Project(server.settings.folders[0]).runs[-1]
    assert slate["model"] == "Blend"
    shown = [item["item_id"] for item in slate["items"]]
    assert len(shown) == 5
    assert set(shown) <= set(SEA)
    assert not set(shown) & {event.item_id for event in server.tenant.store.history("u00")}
    assert [item["score"] for item in slate["items"]] == sorted(
        (item["score"] for item in slate["items"]), reverse=True
    )
    assert {item["probability"] for item in slate["items"]} == {1.0}
    assert slate["items"][0]["title"] == f"Sea story {int(shown[0][1:])}"
    assert "reasons" not in slate["items"][0]
    assert len(server.recommend(user_id="u00")["items"]) == 10


def test_a_history_in_the_request_gives_the_slate_of_that_user(server):
    events = server.tenant.store.history("u07")
    history = [{"item_id": event.item_id, "behaviour": event.behaviour, "timestamp": event.time} for event in events]
    assert server.shown(history=history, k=30) == server.shown(user_id="u07", k=30)
    assert set(server.shown(history=["i01", "i03"], k=5)) <= set(MOON)


def test_the_server_answers_as_the_run_does(server):
    """The engine and the library, by another way, agree."""
    run = Project(server.settings.folders[0]).run()
    items = [run.pipeline.item_ids.index(["i05", "i09", "i11"]).tolist()]
    slate = run.pipeline.recommend(run.queries(items), k=10)
    expected = run.pipeline.item_ids.ids(slate.items[0])
    assert server.shown(history=["i05", "i09", "i11"], k=10) == list(expected)


def test_seen_items_are_shown_with_hide_seen_off(copy_shop, start):
    folder = copy_shop()
    toml = folder / "poise.toml"
    toml.write_text(toml.read_text().replace("[policy]", "[policy]\nhide_seen = false"))
    server = start(folder)
    assert sorted(server.shown(user_id="u00", k=200)) == ITEMS
    server.add("fan", "i02")
    assert sorted(server.shown(user_id="fan", k=200)) == ITEMS
    assert "i02" not in server.shown(user_id="fan", k=200, exclude=["i02"])


def test_unknown_items_in_a_history_are_ignored(server):
    assert server.shown(history=["i05", "who", "i09"]) == server.shown(history=["i05", "i09"])
    assert server.recommend(history=["who"])["stage"] == "popular"
    assert server.recommend(history=[])["stage"] == "popular"


def test_an_unknown_user_is_shown_popular_and_drawn_items(server, user):
    popular = [item["item_id"] for item in server.client.get("/v1/popular?k=40").json()["items"]]
    slate = server.recommend(user_id=user, k=10, explain=True)
    assert slate["stage"] == "popular"
    assert [item["item_id"] for item in slate["items"][:8]] == popular[:8]
    assert [item["probability"] for item in slate["items"]] == [1.0] * 8 + [2 / 32] * 2
    kinds = [[reason["kind"] for reason in item["reasons"]] for item in slate["items"]]
    assert kinds == [["popular"]] * 8 + [["random"]] * 2


def test_drawn_items_come_as_often_as_their_probability(server, user, monkeypatch):
    monkeypatch.setattr(server.tenant.engine, "_rng", np.random.default_rng(0))
    rounds = 400
    counts, chances = Counter(), set()
    for _ in range(rounds):
        for drawn in server.recommend(user_id=user, k=10)["items"][8:]:
            counts[drawn["item_id"]] += 1
            chances.add(drawn["probability"])
    assert chances == {2 / 32}
    assert len(counts) == 32
    expected = rounds * 2 / 32
    chi_squared = sum((counts[item] - expected) ** 2 / expected for item in counts)
    assert chi_squared < 45  # 31 degrees of freedom: beyond in one of twenty draws


def test_a_request_without_user_and_history(server):
    slate = server.recommend(k=3)
    assert slate["stage"] == "popular"
    assert len(slate["items"]) == 3


def test_k_above_the_number_of_items(server):
    assert sorted(server.shown(history=["i02"], k=200)) == sorted(set(ITEMS) - {"i02"})


def test_candidates_and_exclude(server):
    few = ["i04", "i06", "i01", "who", "i02"]
    assert sorted(server.shown(history=["i02"], candidates=few)) == ["i01", "i04", "i06"]
    assert sorted(server.shown(history=["i02"], candidates=few, exclude=["i06", "whom"])) == ["i01", "i04"]
    assert sorted(server.shown(candidates=few, exclude=["i06"])) == ["i01", "i02", "i04"]
    assert server.recommend(history=["i02"], candidates=["who"])["items"] == []
    assert server.recommend(user_id="u00", exclude=ITEMS)["items"] == []


FILTERS = [
    ([{"column": "country", "in": ["no"]}], lambda item: item["country"] == "no"),
    ([{"column": "country", "not_in": ["no", "pt"]}], lambda item: item["country"] == "jp"),
    ([{"column": "genres", "in": ["classic", "night"]}], lambda item: {"classic", "night"} & set(item["genres"])),
    ([{"column": "genres", "not_in": ["classic"]}], lambda item: "classic" not in item["genres"]),
    ([{"column": "price", "min": 10, "max": 20}], lambda item: 10 <= item["price"] <= 20),
    ([{"column": "price", "in": [7, 8.0, "9"]}], lambda item: item["price"] in (7, 8, 9)),
    ([{"column": "title", "in": ["Sea story 6"]}], lambda item: item["title"] == "Sea story 6"),
    (
        [{"column": "price", "min": 10}, {"column": "country", "in": ["pt"]}, {"column": "genres", "in": ["sea"]}],
        lambda item: item["price"] >= 10 and item["country"] == "pt" and "sea" in item["genres"],
    ),
    ([{"column": "price", "min": 1000}], lambda item: False),
    ([{"column": "country", "in": [1, True]}], lambda item: False),
]


@pytest.mark.parametrize(("filters", "fits"), FILTERS)
@pytest.mark.parametrize("who", [{"history": ["i02"]}, {"user_id": "nobody"}])
def test_filters(server, content, filters, fits, who):
    expected = {item_id for item_id, item in content.items() if fits(item)} - set(who.get("history", []))
    assert set(server.shown(**who, filters=filters, k=200)) == expected


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"filters": [{"column": "colour", "in": ["red"]}]}, "no column 'colour'"),
        ({"filters": [{"column": "country", "min": 3}]}, "holds no numbers"),
        ({"filters": [{"column": "country", "in": []}]}, "length >= 1"),
        ({"filters": [{"column": "country", "like": "n"}]}, "like"),
        ({"filters": [{"column": "price", "min": "cheap"}]}, "$.filters[0].min"),
        ({"user_id": "u00", "history": []}, "either user_id or history"),
        ({"k": 0}, "$.k"),
        ({"k": 201}, "$.k"),
        ({"k": "5"}, "$.k"),
        ({"offset": 10}, "request_id"),
        ({"offset": -1}, "$.offset"),
        ({"users": "u00"}, "users"),
        ({"history": ["i02"] * 1001}, "$.history"),
        ({"history": [{"item_id": "i02", "timestamp": "1969-01-01T00:00:00Z"}]}, "between 1973 and 2100"),
        ({"candidates": []}, "$.candidates"),
    ],
)
def test_invalid_requests_name_the_error(server, wrong, words):
    answer = ask(server, **wrong)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


@pytest.mark.parametrize("who", [{"user_id": "pager"}, {"user_id": "u12"}, {"history": ["i02", "i04"]}])
def test_pages_never_repeat_an_item_while_events_arrive(server, who):
    first = server.recommend(**who, k=7)
    seen = [shown["item_id"] for shown in first["items"]]
    while True:
        for item in ("i20", "i21", seen[0]):
            server.add(who.get("user_id", "other"), item)
        page = server.recommend(**who, k=7, offset=len(seen), request_id=first["request_id"])
        assert page["request_id"] == first["request_id"]
        if not page["items"]:
            break
        seen += [shown["item_id"] for shown in page["items"]]
    assert len(seen) == len(set(seen))
    assert len(seen) >= 30
    body = server.client.get(f"/v1/requests/{first['request_id']}").json()
    assert [shown["item_id"] for shown in body["items"]] == seen


def test_a_page_requested_again_is_the_same(server, user):
    server.add(user, "i02")
    first = server.recommend(user_id=user, k=5)
    body = {"user_id": user, "k": 5, "offset": 5, "request_id": first["request_id"]}
    second = server.recommend(**body)
    server.add(user, second["items"][1]["item_id"])
    server.add(user, "i39")
    again = server.recommend(**body)
    assert [item["item_id"] for item in again["items"]] == [item["item_id"] for item in second["items"]]
    assert [item["score"] for item in again["items"]] == pytest.approx([item["score"] for item in second["items"]])
    assert len(server.client.get(f"/v1/requests/{first['request_id']}").json()["items"]) == 10
    gone = second["items"][0]["item_id"]
    assert gone not in server.shown(**body, exclude=[gone])
    third = server.shown(**{**body, "offset": 10})
    assert not {item["item_id"] for item in [*first["items"], *second["items"]]} & set(third)


def test_a_page_of_an_unknown_request(server):
    assert ask(server, user_id="u00", offset=10, request_id="0" * 24).status_code == 404
    request_id = server.recommend(user_id="u00")["request_id"]
    assert ask(server, user_id="u01", offset=10, request_id=request_id).status_code == 404
    assert ask(server, offset=10, request_id=request_id).status_code == 404


def test_reasons_name_the_behaviour(server, user):
    server.add(user, "i02", behaviour="like")
    server.add(user, "i04", behaviour="view")
    first = server.recommend(user_id=user, k=3, explain=True)["items"][0]
    (reason, *_) = first["reasons"]
    assert reason["kind"] == "history"
    assert "Sea story 2" in reason["text"] or "Sea story 4" in reason["text"]
    assert 0 < reason["share"] <= 1


def test_the_scenario_is_stored_with_the_impression(server):
    request_id = server.recommend(user_id="u00", scenario="home", context={"device": "tv"})["request_id"]
    server.client.get(f"/v1/requests/{request_id}")
    (page,) = server.tenant.store.impressions(request_id)
    assert page.scenario == "home"


def test_an_impression_has_all_that_learning_from_it_needs(server):
    body = {"user_id": "u00", "k": 5, "scenario": "home", "context": {"device": "tv"}}
    filters = [{"column": "price", "max": 30}]
    allowed = {f"i{item:02}" for item in range(26)}
    seen = {event.item_id for event in server.tenant.store.history("u00")}
    slate = server.recommend(**body, filters=filters, exclude=["i01", "i39", "nowhere"])
    server.client.get(f"/v1/requests/{slate['request_id']}")
    (page,) = server.tenant.store.impressions(slate["request_id"])
    assert page.items == [item["item_id"] for item in slate["items"]]
    assert page.sources == ["catalogue"] * 5
    assert page.context == {"device": "tv"}
    assert page.filters == filters
    assert page.n_eligible == len(allowed - seen - {"i01"})
    assert (page.arm, page.features) == (None, None)


def test_recommendations_of_another_run(server):
    older, newest = Project(server.settings.folders[0]).runs
    slate = server.recommend(user_id="u00", run=older, k=5)
    assert (slate["run"], slate["model"]) == (older, "ItemKNN")
    assert set(slate["items"][0]) >= {"item_id", "title", "score"}
    assert server.recommend(user_id="u00", run=newest)["run"] == newest
    answer = ask(server, user_id="u00", run="who")
    assert answer.status_code == 404
    assert "no run 'who'" in answer.json()["detail"]
