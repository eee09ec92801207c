from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from poise.store import Store, StoreError
from poise.store.records import Added, Event

MakeEvent = Callable[..., Event]


@pytest.fixture
def store(postgres: Any, request: pytest.FixtureRequest) -> Iterator[Store]:
    with Store.open(postgres.url, request.node.name) as store:
        yield store


def test_the_store_reconnects_after_a_server_restart(postgres: Any, store: Store, make_event: MakeEvent) -> None:
    store.add_events([make_event(event_id="a")]).result()
    assert store.version() == 1
    for mode in ("fast", "immediate"):  # as ordered, and as after a power cut
        postgres.stop(mode)
        postgres.start()
        assert store.add_events([make_event(event_id=mode)]).result() == Added(1, 0)
    postgres.stop()
    postgres.start()
    assert [event.event_id for event in store.history("u")] == ["a", "fast", "immediate"]
    assert store.dataset().n_events == 3


def test_nothing_is_acknowledged_while_the_server_is_stopped(
    postgres: Any, store: Store, make_event: MakeEvent
) -> None:
    store.add_events([make_event(event_id="a")]).result()
    postgres.stop()
    try:
        waiting = [store.add_events([make_event(event_id=str(number))]) for number in range(5)]
        for future in waiting:
            with pytest.raises(StoreError, match=r"cannot be reached \(.*\): start the server"):
                future.result()
        with pytest.raises(StoreError, match="cannot be reached"):
            store.history("u")
    finally:
        postgres.start()
    assert store.add_events([make_event(event_id="b")]).result() == Added(1, 0)
    assert [event.event_id for event in store.history("u")] == ["a", "b"]


@pytest.mark.parametrize("committed", [True, False])
def test_a_connection_that_is_lost_on_commit(store: Store, make_event: MakeEvent, committed: bool) -> None:
    """Events without an id cannot be told apart: they are entered once all the same, whatever became of the commit."""
    store.add_events([make_event(item="before")]).result()
    lost: list[bool] = []

    def lose(connection: sa.Connection) -> None:
        if not lost and connection.dialect.name == "postgresql":
            lost.append(True)
            driver: Any = connection.connection.driver_connection
            if committed:
                driver.commit()
            driver.close()

    sa.event.listen(sa.Engine, "commit", lose)
    try:
        added = store.add_events([make_event(item="a"), make_event(item="b")]).result()
    finally:
        sa.event.remove(sa.Engine, "commit", lose)
    assert lost
    assert added == Added(2, 0)
    assert [event.item_id for event in store.history("u")] == ["before", "a", "b"]
    assert store.version() == 2


def test_an_id_with_a_nul_is_unknown(store: Store) -> None:
    assert store.check_key("poise_\0_x") is None


def test_a_power_cut_while_events_come_in(postgres: Any, store: Store, make_event: MakeEvent) -> None:
    acknowledged: list[str] = []
    enough = threading.Event()

    def send() -> None:
        number = 0
        while not enough.is_set():
            batch = [make_event(event_id=f"{number}-{row}") for row in range(5)]
            try:
                added = store.add_events(batch).result()
            except StoreError:
                continue  # as a client does: the same events again
            assert added.accepted + added.duplicates == 5
            acknowledged.append(f"{number}-")
            number += 1

    sender = threading.Thread(target=send)
    sender.start()
    for _ in range(2):
        before = len(acknowledged)
        while len(acknowledged) < before + 3:
            time.sleep(0.01)
        postgres.stop("immediate")
        postgres.start()
    before = len(acknowledged)
    while len(acknowledged) < before + 3:
        time.sleep(0.01)
    enough.set()
    sender.join()
    stored = [event.event_id for event in store.history("u", limit=10**6)]
    assert stored == [f"{batch}{row}" for batch in acknowledged for row in range(5)]
