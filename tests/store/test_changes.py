from __future__ import annotations

import threading
from collections.abc import Callable

from poise.store import Store
from poise.store.records import Changes, Event, Impression, Item, User

MakeEvent = Callable[..., Event]


def test_each_kind_of_change_is_returned_once(store: Store, make_event: MakeEvent) -> None:
    assert store.changes(0) == Changes(0)
    store.put_items([Item("a", {"title": "A"}), Item("b", {})]).result()
    store.put_users([User("u", {"city": "Bonn"})]).result()
    store.add_events([make_event(item="x"), make_event(item="y")]).result()
    store.set("run", {"name": "r1"}).result()
    first = store.changes(0)
    assert first == Changes(
        version=4,
        events=[make_event(item="x"), make_event(item="y")],
        items=[Item("a", {"title": "A"}), Item("b", {})],
        users=[User("u", {"city": "Bonn"})],
        settings={"run": {"name": "r1"}},
    )
    assert store.version() == 4
    assert store.changes(4) == Changes(4)
    store.delete_item("a").result()
    store.erase_user("u", [], "me").result()
    store.erase_user("u", [], "me").result()
    assert store.changes(4) == Changes(version=7, deleted_items=["a"], erased=2)


def test_impressions_audit_and_keys_do_not_raise_the_version(store: Store) -> None:
    store.add_impressions([Impression("r", 0, None, 1, None, "run", "ranker", [], [], [], [])]).result()
    store.add_audit("me", "look", {}).result()
    store.create_key("name", ["read"])
    assert store.version() == 0


def test_changes_of_one_version_are_never_split(store: Store, make_event: MakeEvent) -> None:
    for size in (2, 2, 5, 1):
        store.add_events([make_event() for _ in range(size)]).result()
    seen, sizes = 0, []
    while (changes := store.changes(seen, limit=3)).version > seen:
        sizes.append((changes.version, len(changes.events)))
        seen = changes.version
    assert sizes == [(1, 2), (2, 2), (3, 5), (4, 1)]
    assert (store.changes(0, limit=4).version, store.changes(0, limit=100).version) == (2, 4)


def test_a_follower_misses_nothing_while_others_write(open_store: Callable[[], Store], make_event: MakeEvent) -> None:
    stores = [open_store() for _ in range(3)]
    done = threading.Event()

    def write(store: Store, worker: int) -> None:
        for number in range(40):
            store.add_events([make_event(event_id=f"{worker}-{number}"), make_event(user="other")])
            if number % 8 == 0:
                store.put_items([Item(f"{worker}", {"n": number})]).result()
        store.set(f"done {worker}", True).result()

    threads = [threading.Thread(target=write, args=(stores[worker], worker)) for worker in (0, 1)]
    for thread in threads:
        thread.start()
    seen: list[Changes] = []

    def follow() -> None:
        version = 0
        while sum(len(changes.settings) for changes in seen) < 2 and not done.is_set():
            seen.append(stores[2].changes(version, limit=5))
            assert seen[-1].version >= version
            version = seen[-1].version

    follower = threading.Thread(target=follow)
    follower.start()
    for thread in threads:
        thread.join()
    follower.join(timeout=20)
    done.set()
    follower.join()
    followed = [event for changes in seen for event in changes.events]
    for worker in (0, 1):
        of_worker = [event.event_id for event in followed if (event.event_id or "").startswith(f"{worker}-")]
        assert of_worker == [f"{worker}-{number}" for number in range(40)]
    assert len(followed) == 160
