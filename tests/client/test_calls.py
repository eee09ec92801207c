"""What is sent, and what comes back: the same for both clients."""

import inspect
import os
import subprocess
import sys
import sysconfig
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

import poise
import poise_client
from poise_client import (
    Accepted,
    ApiError,
    AsyncClient,
    Client,
    Event,
    Filter,
    HistoryEvent,
    Item,
    PoiseClientError,
    Reason,
    Refusal,
    ScoredItem,
    UsageError,
    User,
)

SOURCE = Path(__file__).parents[2] / "clients" / "python" / "src"


def test_an_event_gets_an_id_and_a_timestamp(shop, client):
    before = datetime.now(UTC).timestamp() * 1000
    assert client.send_event(Event("anna", "lamp", value=2, context={"device": "phone"})) == Accepted(1)
    sent = shop.seen[0].body
    assert sent["user_id"] == "anna"
    assert sent["behaviour"] == "view"
    assert sent["context"] == {"device": "phone"}
    assert len(sent["event_id"]) == 32
    assert before - 1 <= sent["timestamp"] <= before + 10_000
    assert "request_id" not in sent


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (1_700_000_000_123, 1_700_000_000_123),
        (datetime(2026, 1, 1, 0, 0, 1), 1_767_225_601_000),
        (datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), 1_767_225_600_000),
    ],
)
def test_timestamps_are_sent_in_milliseconds_and_are_utc_without_a_zone(shop, client, given, sent):
    client.send_event(Event("anna", "lamp", timestamp=given, event_id="e1"))
    assert shop.events["e1"]["timestamp"] == sent


def test_many_events_are_sent_in_bodies_of_a_thousand_and_refusals_are_named(shop, client):
    events = [Event("anna", "" if place in (3, 2_100) else f"i{place}") for place in range(2_500)]
    answer = client.send_events(iter(events))
    assert answer == Accepted(2_498, 0, [Refusal(3, "item_id is empty"), Refusal(2_100, "item_id is empty")])
    assert [len(request.body["events"]) for request in shop.seen] == [1_000, 1_000, 500]
    assert client.send_events([]) == Accepted(0)
    assert len(shop.seen) == 3


def test_a_body_that_is_too_large_is_halved(shop, client):
    shop.largest = 3_000
    items = [Item(f"i{place:02}", {"title": "x" * (4_000 if place == 5 else 100)}) for place in range(40)]
    answer = client.put_items(items)
    assert answer.accepted == 39
    assert answer.refused == [Refusal(5, "the body is larger than 3000 bytes")]
    assert list(shop.items) == ["lamp", *(f"i{place:02}" for place in range(40) if place != 5)]


def test_a_single_bad_event_is_an_error_with_its_problem_document(shop, client):
    with pytest.raises(ApiError, match=r"POST http://127\S+/v1/events: 422 Unprocessable: item_id is empty") as caught:
        client.send_event(Event("anna", ""))
    assert isinstance(caught.value, PoiseClientError)
    assert (caught.value.status, caught.value.title, caught.value.detail) == (422, "Unprocessable", "item_id is empty")
    assert caught.value.problem["type"] == "about:blank"
    assert "\n" not in str(caught.value)


def test_invalid_arguments_are_refused_before_sending(shop, client):
    with pytest.raises(UsageError, match="cannot be sent as JSON"):
        client.put_item(Item("lamp", {"picture": object()}))
    with pytest.raises(UsageError, match="an event is a poise_client.Event, not dict"):
        client.send_event({"user_id": "anna"})
    with pytest.raises(UsageError, match="an id is empty"):
        client.get_item("")
    assert not shop.seen


@pytest.mark.parametrize("item_id", ["a/b", "50% off?", "..", "Lampe für später", "a b", "#1"])
def test_any_id_is_escaped_in_the_path(shop, client, item_id):
    client.put_item(Item(item_id, {"price": 79}))
    assert client.get_item(item_id).item_id == item_id
    client.delete_item(item_id)
    assert list(shop.items) == ["lamp"]


def test_items_and_users(shop, client):
    lamp = Item("lamp", {"title": "Lamp", "tags": ["light", "brass"], "price": 79, "new": True})
    assert client.put_item(lamp) == Accepted(1)
    assert client.get_item("lamp") == lamp
    changed = client.patch_item("lamp", {"price": 70.5, "new": None}, available=False)
    assert changed == Item("lamp", {"title": "Lamp", "tags": ["light", "brass"], "price": 70.5}, available=False)
    assert client.patch_item("lamp", available=True).available
    assert shop.seen[-1].body == {"available": True}
    assert client.put_users([User("anna", {"age": 30}), User("ben")]) == Accepted(2)
    assert client.put_user(User("chen")) == Accepted(1)
    assert client.patch_user("anna", {"city": "Bonn"}) == User("anna", {"age": 30, "city": "Bonn"})
    assert client.get_user("anna").content["city"] == "Bonn"
    with pytest.raises(ApiError, match="404 Not Found: there is no item 'sofa'"):
        client.delete_item("sofa")


def test_an_item_with_fields_of_a_later_server_can_be_read_and_put_back(shop, client):
    shop.items["lamp"] |= {"content": {"sizes": [1, 2], "text": "x" * 30_000}, "a field of a later version": 1}
    lamp = client.get_item("lamp")
    assert lamp == Item("lamp", {"sizes": [1, 2], "text": "x" * 30_000})
    assert client.put_item(lamp) == Accepted(1)


def test_fields_that_are_none_are_left_out_of_the_body(shop, client):
    client.recommend("anna", filters=[Filter("price", least=10, most=None)], history=None)
    assert shop.seen[-1].body == {"user_id": "anna", "k": 10, "filters": [{"column": "price", "min": 10}]}


def test_filters_and_history_events_may_be_what_json_would_say_of_them(shop, client):
    history = [{"item_id": "lamp", "behaviour": "like", "value": 5}, "desk"]
    client.recommend(history=history, filters=[{"column": "price", "max": 10}, {"column": "tags", "in": ["a"]}])
    body = shop.seen[-1].body
    assert body["filters"] == [{"column": "price", "max": 10}, {"column": "tags", "in": ["a"]}]
    assert body["history"] == [{"item_id": "lamp", "behaviour": "like", "value": 5}, "desk"]
    with pytest.raises(UsageError, match="a filter such as"):
        client.recommend("anna", filters=[{"column": "price", "maximum": 10}])
    with pytest.raises(UsageError, match="in a history"):
        client.recommend(history=[{"item": "lamp"}])


def test_paging_through_items_and_users(shop, client):
    client.put_items([Item("desk"), Item("sofa")])
    page = client.list_items(limit=2)
    assert ([item.item_id for item in page.items], page.next) == (["desk", "lamp"], "lamp")
    rest = client.list_items(limit=2, after=page.next)
    assert ([item.item_id for item in rest.items], rest.next) == (["sofa"], None)
    assert shop.seen[1].query == {"limit": "2"}


def test_recommendations(shop, client):
    slate = client.recommend("anna", explain=True)
    assert (slate.request_id, slate.run, slate.model, slate.stage) == ("q1", "2026-01-01", "EASE", "ranker")
    [item] = slate.items
    assert (item.item_id, item.title, item.score, item.probability) == ("lamp", "Lamp", 1.5, 1.0)
    assert item.reasons == [Reason("history", 0.7, "because you viewed Desk")]
    assert shop.seen[-1].body == {"user_id": "anna", "k": 10, "explain": True}
    assert client.recommend("anna").items[0].reasons == ()


def test_all_arguments_of_recommend(shop, client):
    client.recommend(
        history=["desk", HistoryEvent(item_id="lamp", behaviour="purchase", timestamp=datetime(2026, 1, 1))],
        k=3,
        scenario="home",
        context={"device": "tv"},
        candidates=["sofa"],
        filters=[Filter("price", least=10, most=20), Filter("tags", is_in=["a"]), Filter("tags", not_in=["b"])],
        exclude=["desk"],
        offset=3,
        request_id="q1",
        run="other",
    )
    assert shop.seen[-1].body == {
        "history": ["desk", {"item_id": "lamp", "behaviour": "purchase", "timestamp": 1_767_225_600_000}],
        "k": 3,
        "scenario": "home",
        "context": {"device": "tv"},
        "candidates": ["sofa"],
        "filters": [
            {"column": "price", "min": 10, "max": 20},
            {"column": "tags", "in": ["a"]},
            {"column": "tags", "not_in": ["b"]},
        ],
        "exclude": ["desk"],
        "offset": 3,
        "request_id": "q1",
        "run": "other",
    }


def test_search_similar_and_popular(shop, client):
    desk = [ScoredItem("desk", "Desk", 2.0)]
    assert client.similar("lamp", k=1) == desk
    assert client.popular(k=2) == desk
    assert client.search("oak & brass", k=3) == desk
    assert [(request.path, request.query) for request in shop.seen] == [
        ("/v1/items/lamp/similar", {"k": "1"}),
        ("/v1/popular", {"k": "2"}),
        ("/v1/search", {"q": "oak & brass", "k": "3"}),
    ]


def test_profile_request_and_erasure_of_users(shop, client):
    profile = client.profile("anna")
    assert (profile.events, profile.words, profile.content) == (1, "likes light", {"age": 30})
    assert (profile.history[0].title, profile.interests[0].times_average) == ("Lamp", 2.0)
    assert client.request("q1").items[0].feedback == ["click"]
    assert client.feedback("q1", "lamp", "anna") == Accepted(1)
    [event] = shop.events.values()
    assert (event["behaviour"], event["request_id"]) == ("click", "q1")
    receipt = client.erase_user("anna")
    assert (receipt.receipt_id, receipt.erased["events"], receipt.runs_holding_the_user) == ("r1", 2, ["2026-01-01"])


def test_health_and_readiness(shop, client):
    assert client.health().run == "2026-01-01"
    assert client.ready() is True
    shop.fail(status=503)
    assert client.ready() is False


def test_the_key_goes_into_the_header_and_into_no_message(shop, connect):
    client = connect(key="poise_ab_secret")
    client.health()
    assert shop.seen[-1].headers["authorization"] == "Bearer poise_ab_secret"
    assert "secret" not in repr(client.client)


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://localhost", "http://", "http://a:port", "http://anna:pw@localhost"]
)
def test_wrong_addresses_and_keys_are_refused_at_once(connect, url):
    with pytest.raises(UsageError, match="address") as caught:
        connect(url=url)
    assert "pw" not in str(caught.value)
    with pytest.raises(UsageError, match="key"):
        connect(key="poise_a\n")


def test_the_sync_and_async_clients_have_the_same_methods():
    def public(kind):
        names = [name for name in vars(kind) if not name.startswith("_")]
        return {name: str(inspect.signature(getattr(kind, name))) for name in names if name not in ("batch", "close")}

    assert public(Client) == public(AsyncClient)
    assert "-> 'list[ScoredItem]'" in public(Client)["similar"]
    assert not inspect.iscoroutinefunction(Client.similar)
    assert inspect.iscoroutinefunction(AsyncClient.similar)


def test_the_client_needs_nothing_of_poise():
    packages = sysconfig.get_paths()
    path = os.pathsep.join([str(SOURCE), packages["purelib"], packages["platlib"]])
    code = "import sys, poise_client.schema.problems; print(*{name.split('.')[0] for name in sys.modules})"
    # without site, no editable install of Poise puts its own sources on the path
    run = [sys.executable, "-S", "-c", code]
    completed = subprocess.run(
        run, env={"PYTHONPATH": path}, cwd="/", capture_output=True, text=True, check=True
    ).stdout
    loaded = set(completed.split())
    assert {"poise_client", "httpx", "msgspec"} <= loaded
    assert not loaded & {"poise", "torch", "numpy", "polars", "starlette", "sqlalchemy"}


def test_the_client_has_the_version_of_poise():
    assert poise_client.__version__ == poise.__version__
