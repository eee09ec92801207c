from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poise.data.dataset import Dataset
from poise.data.event_log import EventLog
from poise.data.ingest.indexing import index
from poise.data.vocabulary import Vocabulary
from poise.errors import DataError
from poise.store import Store, StoreError
from poise.store.records import Event, Item, User

MakeEvent = Callable[..., Event]
OpenStore = Callable[..., Store]


def shop() -> Dataset:
    """Return all that a data set can have: several behaviours, values and cells missing, context of each type."""
    events = pl.DataFrame(
        {
            "user_id": ["u2", "u1", "u1", "new", "u2", "u1"],
            "item_id": ["b", "a", "ä", "zz", "b", "only in the log"],
            "behaviour": ["view", "view", "buy", "view", "cart", "view"],
            "value": [None, 1.5, 0.1, None, -2.0, None],
            "timestamp": [30, 20, 20, 5, 10, -7],
            "device": ["tv", None, 'a "phone"', None, None, "tv"],
            "position": pl.Series([3, None, 1, None, 2**40, None], dtype=pl.Int64),
            "share": [0.1, None, float("nan"), None, 1e300, None],
            "logged_in": [True, None, False, None, True, None],
        }
    )
    items = pl.DataFrame(
        {
            "item_id": ["c", "b", "a", "ä"],
            "title": ["C", "Sea & <Moon>", None, "日本\n語"],
            "genres": [["sea", "moon"], [], None, ["ü", None]],
            "price": [1.5, None, 1e-9, 20_000_000.0],
            "year": pl.Series([1999, None, 2001, 2002], dtype=pl.Int64),
            "new": [True, False, None, True],
            "empty": pl.Series([None] * 4, dtype=pl.String),
        }
    )
    users = pl.DataFrame({"user_id": ["u9", "u2"], "city": ["Bonn", None], "age": [30.0, 4.0]})
    kinds: dict[str, Any] = {"title": "text", "genres": "categories", "price": "number", "empty": "category"}
    return index(
        events, items, users, item_kinds=kinds, user_kinds={"city": "category"}, title_column="title", name="shop"
    )


def same(left: Dataset, other: Dataset) -> None:
    assert left.fingerprint == other.fingerprint
    assert (left.item_kinds, left.user_kinds) == (other.item_kinds, other.user_kinds)
    assert (left.title_column, left.name) == (other.title_column, other.name)
    assert left.events.has_time == other.events.has_time
    assert left.items.schema == other.items.schema
    assert left.users.schema == other.users.schema
    assert left.events.context.schema == other.events.context.schema
    assert np.array_equal(left.events.offsets, other.events.offsets)


def test_a_loaded_data_set_is_read_as_it_was(open_store: OpenStore) -> None:
    data = shop()
    assert open_store().load(data) == 6
    snapshot, version = open_store().snapshot()
    same(snapshot, data)
    assert version == open_store().version() > 0


@pytest.mark.parametrize("kind", ["no tables", "no clock", "only ids", "other order", "less events"])
def test_data_sets_of_other_forms(store: Store, kind: str) -> None:
    events = pl.DataFrame({"user_id": ["b", "a", "b"], "item_id": ["y", "x", "x"], "timestamp": [2, 3, 1]})
    if kind == "no tables":
        data = index(events)
    elif kind == "no clock":
        data = index(events.drop("timestamp"), pl.DataFrame({"item_id": ["y", "z"], "title": ["Y", "Z"]}))
    elif kind == "only ids":
        data = index(events, pl.DataFrame({"item_id": ["z", "y"]}), pl.DataFrame({"user_id": ["b", "c"]}))
        data = replace(data, items=pl.DataFrame(), users=pl.DataFrame())
    elif kind == "other order":
        data = Dataset(
            events=EventLog(
                user=np.array([1, 2], dtype=np.int32),
                item=np.array([2, 1], dtype=np.int32),
                behaviour=np.array([3, 1], dtype=np.uint8),
                value=np.array([np.nan, 1], dtype=np.float32),
                timestamp=np.array([5, 4], dtype=np.int64),
                offsets=np.array([0, 0, 1, 2], dtype=np.int64),
                context=pl.DataFrame(),
                has_time=True,
            ),
            item_ids=Vocabulary(["z", "a"]),
            user_ids=Vocabulary(["z", "a"]),
            behaviour_ids=Vocabulary(["view", "unused", "buy"]),
            items=pl.DataFrame(),
            users=pl.DataFrame(),
        )
    else:
        data = shop()
        data = data.select(data.events.behaviour != data.behaviour_ids.index(["buy"])[0])
    store.load(data)
    same(store.dataset(), data)


@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_small_data_set_is_read_as_it_was(open_store: OpenStore, data: st.DataObject) -> None:
    # SQLite has no minus zero, hence the + 0.0 below
    ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=3)
    size = data.draw(st.integers(1, 12))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return data.draw(st.lists(st.none() | values, min_size=size, max_size=size))

    events = pl.DataFrame(
        {
            "user_id": data.draw(st.lists(ids, min_size=size, max_size=size)),
            "item_id": data.draw(st.lists(ids, min_size=size, max_size=size)),
            "behaviour": data.draw(st.lists(st.sampled_from(["view", "buy"]), min_size=size, max_size=size)),
            "value": pl.Series(
                column(st.floats(width=32, allow_infinity=False).map(lambda x: x + 0.0)), dtype=pl.Float64
            ),
            "timestamp": data.draw(st.lists(st.integers(-(2**60), 2**60), min_size=size, max_size=size)),
            "place": pl.Series(column(ids), dtype=pl.String),
        }
    )
    table = data.draw(st.lists(ids, min_size=1, max_size=6, unique=True))
    items = pl.DataFrame(
        {
            "item_id": table,
            "title": pl.Series(data.draw(st.lists(st.none() | ids, min_size=len(table), max_size=len(table)))).cast(
                pl.String
            ),
        }
    )
    made = index(events, items, item_kinds={"title": "text"}, title_column="title")
    store = open_store(f"any {data.draw(st.integers(0, 2**62))} {id(data)}")
    store.load(made)
    same(store.dataset(), made)


def test_a_loaded_history_is_read_as_events(store: Store) -> None:
    store.load(shop())
    history = store.history("u1")
    assert len({event.event_id for event in history}) == len(history)
    assert [replace(event, event_id=None) for event in history] == [
        Event("u1", "only in the log", "view", None, -7, None, {"device": "tv"}),
        Event("u1", "a", "view", 1.5, 20),
        Event(
            "u1",
            "ä",
            "buy",
            float(np.float32(0.1)),
            20,
            None,
            {"device": 'a "phone"', "position": 1, "logged_in": False},
        ),
    ]
    assert store.item("b") == Item("b", {"title": "Sea & <Moon>", "genres": [], "new": False})
    assert store.user("u9") == User("u9", {"city": "Bonn", "age": 30.0})


def test_a_second_data_set_is_refused(store: Store) -> None:
    store.load(shop())
    before = store.version()
    with pytest.raises(StoreError, match=r"^a data set was loaded into this store before: [^\n]+$"):
        store.load(shop())
    assert store.version() == before
    assert store.dataset().n_events == 6


def test_a_failed_load_leaves_nothing(open_store: OpenStore) -> None:
    data = shop()
    broken = replace(data, events=replace(data.events, item=np.array([99] * 6, dtype=np.int32)))
    store = open_store()
    with pytest.raises(Exception, match=r".*"):
        store.load(broken)
    assert (store.version(), list(store.all_items()), store.setting("catalogue")) == (0, [], None)
    store.load(data)
    same(store.dataset(), data)


def test_changes_return_a_data_set_in_parts(store: Store) -> None:
    n = 25_000
    log = pl.DataFrame(
        {"user_id": [f"u{row % 50}" for row in range(n)], "item_id": [f"i{row % 90}" for row in range(n)]}
    )
    store.load(index(log))
    sizes, seen = [], 0
    while (changes := store.changes(seen, limit=1_000)).version > seen:
        sizes.append(len(changes.events) + len(changes.items))
        seen = changes.version
    assert sum(sizes) == n + 90
    assert max(sizes) <= 10_000


def test_later_events_and_items_follow_the_loaded_data_set(store: Store, make_event: MakeEvent) -> None:
    store.load(shop())
    store.put_items(
        [
            Item("x2", {"title": 5, "genres": "sea | moon", "price": "12.5", "year": "a word", "new": "true"}),
            Item("x1", {"title": ["two", "words"], "genres": "one", "price": [1], "year": 3.0, "colour": "red"}),
        ]
    ).result()
    store.put_items([Item("b", {"title": "B"})]).result()
    store.put_users([User("u5", {"city": 7})]).result()
    store.add_events(
        [
            make_event(user="u1", item="stranger", time=21, behaviour="a new one", context={"device": 5, "hour": 3}),
            make_event(user="guest", item="x1", time=1, context={"logged_in": "no", "value": "clash"}),
        ]
    ).result()
    data = store.dataset()
    old = shop()
    assert data.item_ids.series.to_list() == [*old.item_ids.series, "x2", "x1", "stranger"]
    assert data.user_ids.series.to_list() == [*old.user_ids.series, "u5", "guest"]
    assert data.behaviour_ids.series.to_list() == [*old.behaviour_ids.series, "a new one"]
    rows = dict(zip(data.item_ids.series, data.items.to_dicts(), strict=True))
    assert rows["x2"] == {
        **dict.fromkeys(data.items.columns),
        "title": "5",
        "genres": ["sea", "moon"],
        "price": 12.5,
        "new": True,
    }
    assert rows["x1"] == {
        **dict.fromkeys(data.items.columns),
        "title": "two words",
        "genres": ["one"],
        "year": 3,
        "colour": "red",
    }
    assert rows["b"] == {**dict.fromkeys(data.items.columns), "title": "B"}
    assert data.item_kinds == {**old.item_kinds, "colour": "category"}
    assert data.users["city"].to_list() == ["Bonn", None, None, None, "7", None]
    last = data.events.context[int(data.events.offsets[data.user_ids.index(["u1"])[0] + 1]) - 1]
    assert last.to_dicts() == [{**dict.fromkeys(data.events.context.columns), "device": "5", "hour": 3.0}]
    assert "context_value" in data.events.context.columns


def test_the_data_set_of_a_store_without_a_loaded_one(store: Store, make_event: MakeEvent) -> None:
    with pytest.raises(DataError, match="no events"):
        store.dataset()
    store.put_items([Item("b", {"title": "The sea at night", "price": 3, "genres": ["sea"]}), Item("a", {})]).result()
    store.add_events([make_event(item="b", time=7), make_event(item="c", time=5, behaviour="buy")]).result()
    data = store.dataset()
    assert data.item_ids.series.to_list() == ["b", "a", "c"]
    assert data.item_kinds == {"title": "text", "price": "number", "genres": "categories"}
    assert data.title_column == "title"
    assert data.titles == ["", "The sea at night", "a", "c"]
    assert data.events.timestamp.tolist() == [5, 7]
    assert data.behaviour_ids.series.to_list() == ["buy", "view"]


def test_a_deleted_item_with_events_stays_in_the_vocabulary(store: Store, make_event: MakeEvent) -> None:
    store.put_items([Item("seen", {"title": "Seen"}), Item("unseen", {"title": "Unseen"}), Item("x", {})]).result()
    store.add_events([make_event(item="seen")]).result()
    for item in ("seen", "unseen"):
        store.delete_item(item).result()
    data = store.dataset()
    assert data.item_ids.series.to_list() == ["seen", "x"]
    assert data.titles == ["", "Seen", "x"]


def test_an_erased_user_is_not_in_the_data(store: Store) -> None:
    store.load(shop())
    store.erase_user("u1", [], "me").result()
    data = store.dataset()
    assert data.user_ids.series.to_list() == ["u9", "u2", "new"]
    assert data.n_events == 3


def test_a_log_without_timestamps_continues_with_events_that_have_some(store: Store, make_event: MakeEvent) -> None:
    store.load(index(pl.DataFrame({"user_id": ["u", "u"], "item_id": ["b", "a"]})))
    store.add_events([make_event(item="c", time=9), make_event(item="d", time=8)]).result()
    data = store.dataset()
    assert data.item_ids.ids(data.events.item) == ["b", "a", "d", "c"]
    assert data.events.has_time


def test_loaded_events_that_come_again_are_duplicates(store: Store) -> None:
    store.load(shop())
    again = [event for user in ("u1", "u2", "new") for event in store.history(user)]
    assert store.add_events(again).result().accepted == 0


@pytest.mark.parametrize(("column", "shown"), [("available", [True, False, True]), ("IsHidden", [False, True, True])])
def test_items_hidden_by_the_catalogue_are_not_available(store: Store, column: str, shown: list[bool]) -> None:
    events = pl.DataFrame({"user_id": ["u"], "item_id": ["a"]})
    items = pl.DataFrame({"item_id": ["a", "b", "c"], column: ["true", "false", None]})
    store.load(index(events, items, item_kinds={column: "category"}))
    assert [item.available for item in store.all_items()] == shown


def test_late_columns_and_titles_are_read_as_those_of_a_file(open_store: OpenStore) -> None:
    events = pl.DataFrame({"user_id": ["u", "v"], "item_id": ["a", "b"]})
    store = open_store()
    store.load(index(events, name="log"))
    contents: list[dict[str, Any]] = [
        {"name": "Red lamp", "genre": "light", "price": "12,99"},
        {"name": "Blue desk", "genre": "desk", "price": "1.299,00"},
    ]
    store.put_items([Item(name, content) for name, content in zip("ab", contents, strict=True)]).result()
    data = store.dataset()
    assert data.title_column == "name"
    assert data.item_kinds == {"name": "text", "genre": "category", "price": "number"}
    assert data.items["price"].to_list() == [12.99, 1299.0]
