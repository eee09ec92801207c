from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poise.errors import DataError
from poise.store import Store
from poise.store.records import Event, Impression, Item, User

_example = itertools.count()
LATER = 2**42  # than any erasure: what was shown before one is left out

ID = st.sampled_from(["a", "b", "c"])
ACT = st.tuples(
    st.sampled_from([0, 1]),
    st.sampled_from(["event", "item", "user", "patch", "delete", "erase", "set", "show", "key"]),
    ID,
    ID,
)


class Mirror:
    """What one project should hold, in plain dictionaries."""

    def __init__(self) -> None:
        self.events: dict[str, Event] = {}
        self.items: dict[str, Item] = {}
        self.users: dict[str, User] = {}
        self.settings: dict[str, Any] = {}
        self.shown: dict[str, Impression] = {}
        self.erased = 0
        self.versions = 0


def act(store: Store, mirror: Mirror, who: int, what: str, first_id: str, two: str) -> None:
    mirror.versions += what not in ("show", "key")
    if what == "event":
        event = Event(first_id, two, "view", None, 0, f"{first_id}{two}", None, two)
        store.add_events([event]).result()
        mirror.events.setdefault(f"{first_id}{two}", event)
    elif what == "item":
        mirror.items[first_id] = Item(first_id, {"of": f"{who} {two}"})
        store.put_items([mirror.items[first_id]]).result()
    elif what == "user":
        mirror.users[first_id] = User(first_id, {"of": f"{who} {two}"})
        store.put_users([mirror.users[first_id]]).result()
    elif what == "patch":
        patched = store.patch_item(first_id, {"by": two}).result()
        assert (patched is None) == (first_id not in mirror.items)
        if patched is not None:
            mirror.items[first_id] = patched
    elif what == "delete":
        assert store.delete_item(first_id).result() == (mirror.items.pop(first_id, None) is not None)
    elif what == "erase":
        store.erase_user(first_id, [], "me").result()
        mirror.events = {name: event for name, event in mirror.events.items() if event.user_id != first_id}
        mirror.shown = {name: shown for name, shown in mirror.shown.items() if shown.user_id != first_id}
        mirror.users.pop(first_id, None)
        mirror.erased += 1
    elif what == "set":
        mirror.settings[first_id] = [who, two]
        store.set(first_id, [who, two]).result()
    elif what == "show":
        impression = Impression(
            first_id, 0, two, LATER + who, None, f"run {who}", "ranker", ["x"], [1.0], [1.0], ["ranker"]
        )
        store.add_impressions([impression]).result()
        mirror.shown.setdefault(first_id, impression)
    elif what == "key":
        store.create_key(f"{who} {first_id}", ["read"])


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(acts=st.lists(ACT, min_size=5, max_size=25))
def test_projects_in_one_store_are_isolated(
    open_store: Callable[..., Store], acts: list[tuple[int, str, str, str]]
) -> None:
    number = next(_example)
    stores = [open_store(f"tenant {who} of {number}") for who in (0, 1)]
    mirrors = [Mirror(), Mirror()]
    for who, what, first_id, two in acts:
        act(stores[who], mirrors[who], who, what, first_id, two)
    for who, (store, mirror) in enumerate(zip(stores, mirrors, strict=True)):
        by_user: dict[str, list[Event]] = defaultdict(list)
        for event in mirror.events.values():
            by_user[event.user_id].append(event)
        assert all(store.history(user) == by_user[user] for user in "abc")
        assert sorted(store.items(), key=lambda item: item.item_id) == sorted(
            mirror.items.values(), key=lambda i: i.item_id
        )
        assert {item.item_id: item for item in store.all_items()} == mirror.items
        assert {user.user_id: user for user in store.users()} == mirror.users
        assert all(store.setting(name) == mirror.settings.get(name) for name in "abc")
        assert all(store.impressions(name) == ([mirror.shown[name]] if name in mirror.shown else []) for name in "abc")
        assert all(
            sorted(stored.event_id or "" for stored in store.feedback(name))
            == sorted(key for key, stored in mirror.events.items() if stored.request_id == name)
            for name in "abc"
        )
        assert sum(len(users) for users, *_ in store.everything()) == len(mirror.events)
        assert set(store.run_metrics()) <= {f"run {who}"}
        assert len(store.erasures()) == len(store.audit()) == mirror.erased
        keys = store.keys()
        assert all(key.name.startswith(f"{who} ") for key in keys)
        changes = store.changes(0)
        assert changes.version == store.version() == mirror.versions
        assert changes.events == list(mirror.events.values())
        assert {item.item_id: item for item in changes.items} == mirror.items
        assert changes.settings == mirror.settings
        assert changes.erased == mirror.erased
        if mirror.events:
            assert store.dataset().n_events == len(mirror.events)
        else:
            with pytest.raises(DataError):
                store.dataset()
