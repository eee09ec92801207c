from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from poise.store import Store, StoreError, StoreFull
from poise.store.records import Added, Event, Impression

MakeEvent = Callable[..., Event]


def held_up(store: Store) -> threading.Event:
    """Hold the writer up until the event is set: callbacks run in its thread."""
    reached, go_on = threading.Event(), threading.Event()

    def wait(_: object) -> None:
        reached.set()
        go_on.wait(timeout=20)

    store.set("held", True).add_done_callback(wait)
    assert reached.wait(timeout=20)
    return go_on


def test_waiting_writes_are_committed_together(store: Store, make_event: MakeEvent) -> None:
    go_on = held_up(store)
    before = store.version()
    waiting = [store.add_events([make_event(event_id=str(number))]) for number in range(50)]
    waiting.append(store.add_events([make_event(event_id="7")]))
    assert store.pending == 52
    assert not any(future.done() for future in waiting)
    go_on.set()
    assert [future.result() for future in waiting] == [Added(1, 0)] * 50 + [Added(0, 1)]
    assert store.version() == before + 1
    assert store.add_events([]).result() == Added(0, 0)


def test_a_full_write_queue_refuses_at_once(open_store: Callable[..., Store], make_event: MakeEvent) -> None:
    store = open_store(capacity=100)
    go_on = held_up(store)
    write = store.add_events([make_event() for _ in range(99)])
    with pytest.raises(StoreFull, match=r"^100 rows wait .* no more than 100 may: send them again in a moment$"):
        store.add_events([make_event()])
    with pytest.raises(StoreFull):
        store.add_impressions([Impression("r", 0, None, 1, None, "run", "ranker", [], [], [], [])])
    go_on.set()
    assert write.result() == Added(99, 0)
    store.set("x", 1).result()
    assert store.add_events([make_event() for _ in range(300)]).result() == Added(300, 0)  # alone it may be larger
    assert store.pending <= 300


def test_a_write_cancelled_while_waiting_is_not_written(store: Store, make_event: MakeEvent) -> None:
    go_on = held_up(store)
    first, two = store.add_events([make_event(item="a")]), store.add_events([make_event(item="b")])
    assert first.cancel()
    go_on.set()
    two.result()
    assert [event.item_id for event in store.history("u")] == ["b"]


def test_close_writes_what_waits(open_store: Callable[..., Store], make_event: MakeEvent) -> None:
    store = open_store()
    waiting = [store.add_events([make_event()]) for _ in range(20)]
    store.close()
    assert all(future.result(timeout=0) == Added(1, 0) for future in waiting)
    assert len(open_store().history("u")) == 20
    store.close()  # once more does no harm


@pytest.fixture
def small_disk() -> Iterator[list[int]]:
    """Let SQLite believe that the disk ends at a number of pages, the only one of the list, if there is one."""
    pages: list[int] = []

    def limit(connection: Any, _: object) -> None:
        if isinstance(connection, sqlite3.Connection) and pages:
            connection.execute(f"PRAGMA max_page_count = {pages[0]}")

    sa.event.listen(sa.Engine, "connect", limit)
    yield pages
    sa.event.remove(sa.Engine, "connect", limit)


def test_a_full_disk_refuses_writes(tmp_path: Path, make_event: MakeEvent, small_disk: list[int]) -> None:
    path = tmp_path / "live.sqlite"
    Store.open(path).close()
    small_disk.append(120)
    with Store.open(path) as store:
        store.add_events([make_event(event_id="before")]).result()
        go_on = held_up(store)
        large = store.add_events([make_event(event_id=f"{number}", item="x" * 500) for number in range(1_000)])
        small = store.add_events([make_event(event_id="after")])
        go_on.set()
        with pytest.raises(StoreError, match=r"live\.sqlite: the disk is full: free some space; nothing .* written$"):
            large.result()
        assert small.result() == Added(1, 0)  # what still has room is kept
        assert {event.event_id for event in store.history("u", limit=2_000)} == {"before", "after"}
    small_disk.clear()
    with Store.open(path) as store:
        assert store.add_events([make_event(event_id=str(number)) for number in range(1_000)]).result() == Added(
            1_000, 0
        )


def test_a_locked_file_refuses_writes(tmp_path: Path, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("poise.store.sql.database.PATIENCE", 0.2)
    path = tmp_path / "live.sqlite"
    with Store.open(path) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waiting = [store.add_events([make_event(event_id=str(number))]) for number in range(3)]
        for future in waiting:
            with pytest.raises(StoreError, match=r"live\.sqlite: another program keeps it locked; close that, or wait"):
                future.result()
        assert store.history("u") == []  # to read is still possible
        other.execute("ROLLBACK")
        other.close()
        assert store.add_events([make_event(event_id="0")]).result() == Added(1, 0)
