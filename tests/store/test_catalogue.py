from __future__ import annotations

from collections.abc import Callable

from poise.store import Store
from poise.store.records import Event, Item, User


def test_items_are_put_and_replaced(store: Store) -> None:
    assert (
        store.put_items(
            [Item("b", {"title": "B", "tags": ["x", "ü"], "price": 1.5, "gone": None}), Item("a", {})]
        ).result()
        == 2
    )
    assert store.item("b") == Item("b", {"title": "B", "tags": ["x", "ü"], "price": 1.5})
    assert store.item("c") is None
    assert store.put_items([Item("b", {"title": "lost"}), Item("b", {"title": "new"}, available=False)]).result() == 2
    assert store.item("b") == Item("b", {"title": "new"}, available=False)
    assert store.put_items([]).result() == 0


def test_a_patch_merges(store: Store) -> None:
    store.put_items([Item("a", {"title": "A", "price": 2})]).result()
    assert store.patch_item("a", {"price": None, "year": 1999}).result() == Item("a", {"title": "A", "year": 1999})
    assert store.patch_item("a", available=False).result() == Item("a", {"title": "A", "year": 1999}, available=False)
    assert store.item("a") == Item("a", {"title": "A", "year": 1999}, available=False)
    assert store.patch_item("unknown", {"price": 1}).result() is None


def test_a_deleted_item_is_gone_until_it_is_put_again(store: Store) -> None:
    store.put_items([Item("a", {"title": "A"}), Item("b", {})]).result()
    assert store.delete_item("a").result() is True
    assert store.delete_item("a").result() is False
    assert store.delete_item("unknown").result() is False
    assert store.item("a") is None
    assert store.patch_item("a", {"title": "B"}).result() is None
    assert list(store.all_items()) == store.items() == [Item("b", {})]
    assert store.deleted_items() == ["a"]
    store.put_items([Item("a", {"title": "again"})]).result()
    assert list(store.all_items()) == [Item("a", {"title": "again"}), Item("b", {})]
    assert store.deleted_items() == []


def test_pages_are_ordered_by_id_and_all_items_by_arrival(store: Store) -> None:
    ids = ["b", "B", "é", "10", "9", "日", "_", "a b"]
    store.put_items([Item(item_id, {}) for item_id in ids]).result()
    in_order = sorted(ids, key=str.encode)
    assert [item.item_id for item in store.items(limit=3)] == in_order[:3]
    assert [item.item_id for item in store.items(after=in_order[2], limit=100)] == in_order[3:]
    assert store.items(after=in_order[-1]) == []
    assert [item.item_id for item in store.all_items()] == ids


def test_all_items_of_more_than_a_page(store: Store) -> None:
    ids = [f"i{number}" for number in range(4_100)]
    store.put_items([Item(item_id, {}) for item_id in ids]).result()
    store.delete_item("i7").result()
    assert [item.item_id for item in store.all_items()] == [item_id for item_id in ids if item_id != "i7"]


def test_users_are_put_patched_and_listed(store: Store, make_event: Callable[..., Event]) -> None:
    store.add_events([make_event(user="only in the log")]).result()
    assert (
        store.put_users([User("b", {"city": "Köln", "age": None}), User("a", {}), User("b", {"city": "Bonn"})]).result()
        == 3
    )
    assert store.user("b") == User("b", {"city": "Bonn"})
    assert store.user("only in the log") is None
    assert store.patch_user("b", {"city": None, "age": 30}).result() == User("b", {"age": 30})
    assert store.patch_user("only in the log", {}).result() is None
    assert store.users() == [User("a", {}), User("b", {"age": 30})]
    assert store.users(after="a", limit=1) == [User("b", {"age": 30})]
