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


def act(store: Store, mirror: Mirror, who: int, what: str, one: str, two: str) -> None:
    mirror.versions += what not in ("show", "key")
    if what == "event":
        event = Event(one, two, "view", None, 0, f"{one}{two}", None, two)
        store.add_events([event]).result()
        mirror.events.setdefault(f"{one}{two}", event)
    elif what == "item":
        mirror.items[one] = Item(one, {"of": f"{who} {two}"})
        store.put_items([mirror.items[one]]).result()
    elif what == "user":
        mirror.users[one] = User(one, {"of": f"{who} {two}"})
        store.put_users([mirror.users[one]]).result()
    elif what == "patch":
        found = store.patch_item(one, {"by": two}).result()
        assert (found is None) == (one not in mirror.items)
        if found is not None:
            mirror.items[one] = found
    elif what == "delete":
        assert store.delete_item(one).result() == (mirror.items.pop(one, None) is not None)
    elif what == "erase":
        store.erase_user(one, [], "me").result()
        mirror.events = {name: event for name, event in mirror.events.items() if event.user_id != one}
        mirror.shown = {name: shown for name, shown in mirror.shown.items() if shown.user_id != one}
        mirror.users.pop(one, None)
        mirror.erased += 1
    elif what == "set":
        mirror.settings[one] = [who, two]
        store.set(one, [who, two]).result()
    elif what == "show":
        impression = Impression(one, 0, two, LATER + who, None, f"run {who}", "ranker", ["x"], [1.0], [1.0], ["ranker"])
        store.add_impressions([impression]).result()
        mirror.shown.setdefault(one, impression)
    elif what == "key":
        store.create_key(f"{who} {one}", ["read"])


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
    for who, what, one, two in acts:
        act(stores[who], mirrors[who], who, what, one, two)
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
            sorted(one.event_id or "" for one in store.feedback(name))
            == sorted(key for key, one in mirror.events.items() if one.request_id == name)
            for name in "abc"
        )
        assert sum(row[3] for row in store.counts_by_day()) == len(mirror.events)
        assert set(store.run_metrics()) <= {f"run {who}"}
        assert len(store.erasures()) == len(store.audit()) == mirror.erased
        known = store.keys()
        assert all(key.name.startswith(f"{who} ") for key in known)
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
