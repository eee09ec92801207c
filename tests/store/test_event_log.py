from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest

from poise.errors import DataError
from poise.store import Store
from poise.store.records import Added, Event

MakeEvent = Callable[..., Event]
DAY = 86_400_000


def test_a_history_is_ordered_by_time_then_arrival(store: Store, make_event: MakeEvent) -> None:
    added = [
        make_event(item="second", time=20),
        make_event(item="third", time=20),
        make_event(item="first", time=-5),
        make_event(user="another", item="x", time=1),
        make_event(item="fourth", time=21),
    ]
    assert store.add_events(added).result() == Added(5, 0)
    assert [event.item_id for event in store.history("u")] == ["first", "second", "third", "fourth"]
    assert [event.item_id for event in store.history("u", limit=2)] == ["third", "fourth"]
    assert store.history("nobody") == []


def test_an_event_is_read_as_it_was_written(store: Store) -> None:
    whole = Event(
        "Ünal 🙂",
        "日本 '\"\\%_",
        "kauf",
        0.1,
        1_700_000_000_123,
        "id",
        {"device": "tv", "n": 3, "x": 1.5, "new": True},
        "r",
    )
    bare = Event("Ünal 🙂", "b", "view", None, 1_700_000_000_124)
    store.add_events([whole, bare]).result()
    assert store.history("Ünal 🙂") == [whole, bare]


def test_nan_values_and_empty_context_are_stored_as_null(store: Store, make_event: MakeEvent) -> None:
    store.add_events([make_event(value=float("nan"), context={"a": None}), make_event(context={})]).result()
    assert [(event.value, event.context) for event in store.history("u")] == [(None, None), (None, None)]


def test_an_event_with_a_known_id_is_a_duplicate(store: Store, make_event: MakeEvent) -> None:
    first, two, three = (make_event(event_id=name) for name in "abc")
    assert store.add_events([first, two, first]).result() == Added(2, 1)
    assert store.add_events([two, three, three]).result() == Added(1, 2)
    assert store.add_events([make_event(), make_event()]).result() == Added(2, 0)  # nothing tells these apart
    assert store.add_events([]).result() == Added(0, 0)
    assert len(store.history("u")) == 5


def test_the_same_events_from_many_threads_are_stored_once(
    open_store: Callable[[], Store], make_event: MakeEvent
) -> None:
    stores = [open_store(), open_store()]
    rng = random.Random(0)
    answers: list[Added] = []

    def send(store: Store, order: list[int]) -> None:
        for start in range(0, len(order), 7):
            batch = [make_event(event_id=str(number)) for number in order[start : start + 7]]
            answers.append(store.add_events(batch).result(timeout=30))

    threads = [
        threading.Thread(target=send, args=(stores[worker % 2], rng.sample(range(150), 150))) for worker in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(added.accepted for added in answers) == 150
    assert sum(added.duplicates for added in answers) == 5 * 150
    assert sorted(int(event.event_id or "") for event in stores[0].history("u", limit=1_000)) == list(range(150))


def test_feedback_is_the_events_of_a_request_id(store: Store, make_event: MakeEvent) -> None:
    store.add_events(
        [make_event(item="b", time=5, request_id="r"), make_event(), make_event(item="a", time=1, request_id="r")]
    ).result()
    assert [event.item_id for event in store.feedback("r")] == ["b", "a"]
    assert store.feedback("unknown") == []


def test_everything_and_the_whole_history_of_somebody(store: Store, make_event: MakeEvent) -> None:
    store.add_events(
        [
            make_event("u", item="a", time=2 * DAY),
            make_event("v", item="a", time=DAY, value=3.0),
            make_event("u", item="b", time=DAY, behaviour="buy"),
        ]
    ).result()
    rows = [row for part in store.everything() for row in zip(*part, strict=True)]
    assert sorted(rows, key=str) == [
        ("u", "a", "view", None, 2 * DAY),
        ("u", "b", "buy", None, DAY),
        ("v", "a", "view", 3.0, DAY),
    ]
    columns, version = store.whole_history("u")
    assert [list(column) for column in columns] == [["b", "a"], ["buy", "view"], [None, None], [DAY, 2 * DAY]]
    assert version == store.version()
    assert store.whole_history("nobody")[0] == ((), (), (), ())


@pytest.mark.parametrize(
    "wrong",
    [
        {"user": "half a pair \ud800"},
        {"time": 2**70},
        {"context": {"x": object()}},
        {"item": None},
    ],
)
def test_values_that_cannot_be_stored_do_not_affect_other_events(
    store: Store, make_event: MakeEvent, wrong: dict[str, object]
) -> None:
    bad = store.add_events([make_event(event_id="a"), make_event(**wrong)])
    good = store.add_events([make_event(event_id="b")])
    assert good.result() == Added(1, 0)
    with pytest.raises(DataError, match=r"^this cannot be kept: [^\n]+$"):
        bad.result()
    assert [event.event_id for event in store.history("u")] == ["b"]


def test_latest_users(store: Store, make_event: MakeEvent) -> None:
    for user in ("a", "b", "a", "c"):
        store.add_events([make_event(user=user)]).result()
    assert store.latest_users(2) == ["c", "a"]
