"""What the client sends is what the server takes, and what it expects is what the server answers: by their types."""

import re

import msgspec
import pytest

from poise.client import Event, Filter, HistoryEvent, Item, User
from poise.client import records as ours
from poise.client.calls import Calls, _Answer
from poise.client.retry import Retry
from poise.serve.http.routes import OPERATIONS

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
        (CALLS.send_event(EVENT), ours.Accepted),
        (CALLS.send_events([EVENT]), ours.Accepted),
        (CALLS.feedback("q1", "lamp", "anna", "click", 1.0), ours.Accepted),
        (CALLS.request("q1"), ours.Impression),
        (CALLS.put_item(ITEM), ours.Accepted),
        (CALLS.put_items([ITEM]), ours.Accepted),
        (CALLS.patch_item("a/b", {"price": None}, available=True), ours.Item),
        (CALLS.delete_item("a/b"), None),
        (CALLS.get_item("a/b"), ours.Item),
        (CALLS.list_items(10, "a"), ours.ItemPage),
        (CALLS.put_user(USER), ours.Accepted),
        (CALLS.put_users([USER]), ours.Accepted),
        (CALLS.patch_user("anna", {"age": 31}), ours.User),
        (CALLS.get_user("anna"), ours.User),
        (CALLS.list_users(10, "a"), ours.UserPage),
        (CALLS.erase_user("anna"), ours.Receipt),
        (CALLS.profile("anna"), ours.Profile),
        (EVERYTHING, ours.Slate),
        (CALLS.similar("a/b", 3), _Answer),
        (CALLS.popular(3), _Answer),
        (CALLS.search("oak", 3), _Answer),
    ],
    ids=lambda one: getattr(one, "__name__", "none"),
)
def test_what_is_sent_and_what_is_expected(steps, answer):
    request = next(steps)
    [operation] = [one for one in OPERATIONS if one.method == request.method and matches(one.path, request.path)]
    assert set(request.query) == {one.name for one in operation.parameters if one.where == "query"}
    if request.body is not None:
        fields = msgspec.json.decode(request.body)
        for entry in fields.get(operation.many, [fields]) if operation.many else [fields]:
            msgspec.convert(entry, operation.body)
    if answer is None:
        assert operation.result is None
    else:
        compare(msgspec.inspect.type_info(answer), msgspec.inspect.type_info(operation.result), operation.path)


def matches(template, path):
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)


def compare(client, server, where):
    """Each field that the client reads is one that the server writes."""
    client, server = bare(client), bare(server)
    if not hasattr(client, "fields"):
        return
    there = {field.encode_name: field.type for field in server.fields}
    for field in client.fields:
        assert field.encode_name in there, f"{where}: the server has no {field.encode_name!r}"
        compare(field.type, there[field.encode_name], f"{where}.{field.encode_name}")


def bare(kind):
    if isinstance(kind, msgspec.inspect.UnionType):
        kind = next((one for one in kind.types if isinstance(one, msgspec.inspect.ListType)), kind)
    return bare(kind.item_type) if isinstance(kind, msgspec.inspect.ListType) else kind
