"""What the client sends is what the server takes, and what it expects is what the server answers: by their types."""

import re

import msgspec
import pytest

from poise.serve.http.routes import OPERATIONS
from poise_client import (
    Accepted,
    ErasureReceipt,
    Event,
    Filter,
    HistoryEvent,
    Impression,
    Item,
    ItemPage,
    Slate,
    User,
    UserPage,
    UserProfile,
)
from poise_client.calls import Calls
from poise_client.retry import Retry
from poise_client.schema.search import ScoredItems, SimilarItems

CALLS = Calls(Retry(), 1.0)
EVENT = Event("anna", "lamp", "view", 1.5, 1_704_103_200_000, None, {"device": "tv"}, "q1")
ITEM, USER = Item("a/b", {"tags": ["x"], "price": 3}, False), User("anna", {"age": 30})
EVERYTHING = CALLS.recommend(
    "anna",
    history=["desk", HistoryEvent(item_id="lamp", behaviour="cart", value=1.0, timestamp=1_704_103_200_000)],
    k=3,
    scenario="home",
    context={"device": "tv"},
    candidates=["sofa"],
    filters=[Filter("price", least=1, most=2), Filter("tags", is_in=["x"]), Filter("tags", not_in=["y"])],
    exclude=["desk"],
    offset=3,
    request_id="q1",
    explain=True,
    run="other",
)


@pytest.mark.parametrize(
    ("steps", "answer"),
    [
        (CALLS.send_event(EVENT), Accepted),
        (CALLS.send_events([EVENT]), Accepted),
        (CALLS.feedback("q1", "lamp", "anna", "click", 1.0), Accepted),
        (CALLS.request("q1"), Impression),
        (CALLS.put_item(ITEM), Accepted),
        (CALLS.put_items([ITEM]), Accepted),
        (CALLS.patch_item("a/b", {"price": None}, available=True), Item),
        (CALLS.delete_item("a/b"), None),
        (CALLS.get_item("a/b"), Item),
        (CALLS.list_items(10, "a"), ItemPage),
        (CALLS.put_user(USER), Accepted),
        (CALLS.put_users([USER]), Accepted),
        (CALLS.patch_user("anna", {"age": 31}), User),
        (CALLS.get_user("anna"), User),
        (CALLS.list_users(10, "a"), UserPage),
        (CALLS.erase_user("anna"), ErasureReceipt),
        (CALLS.profile("anna"), UserProfile),
        (EVERYTHING, Slate),
        (CALLS.similar("a/b", 3, by="content"), SimilarItems),
        (CALLS.popular(3), ScoredItems),
        (CALLS.search("oak", 3), ScoredItems),
    ],
    ids=lambda kind: getattr(kind, "__name__", "none"),
)
def test_client_messages_match_the_openapi_document(steps, answer):
    request = next(steps)
    [operation] = [
        operation
        for operation in OPERATIONS
        if operation.method == request.method and matches(operation.path, request.path)
    ]
    assert set(request.query) == {parameter.name for parameter in operation.parameters if parameter.where == "query"}
    if request.body is not None:
        fields = msgspec.json.decode(request.body)
        for entry in fields.get(operation.many, [fields]) if operation.many else [fields]:
            msgspec.convert(entry, operation.body)
    assert operation.result is answer


def matches(template, path):
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
