from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from poise.store import Store
from poise.store.records import Event, Impression, RunMetrics

ONE = Impression("r1", 0, "u", 5, "home", "run-1", "ranker", ["a", "b"], [0.5, 0.25], [1.0, 0.125])


def test_pages_of_a_request(store: Store) -> None:
    second = replace(ONE, offset=2, items=["c"], scores=[0.1], probabilities=[1.0])
    assert store.add_impressions([second, ONE]).result() == 2
    assert store.add_impressions([ONE]).result() == 0  # the same page again
    assert store.impressions("r1") == [ONE, second]
    assert store.impressions("unknown") == []


def test_what_a_user_was_shown(store: Store) -> None:
    anonymous = replace(ONE, request_id="r2", user_id=None, scenario=None)
    later = replace(ONE, request_id="r3")
    store.add_impressions([ONE, anonymous, later]).result()
    assert store.impressions_of("u") == [later, ONE]
    assert store.impressions_of("u", limit=1) == [later]
    assert store.impressions("r2") == [anonymous]


def test_figures_of_runs(store: Store, make_event: Callable[..., Event]) -> None:
    pages = [
        ONE,
        replace(ONE, offset=2),
        replace(ONE, request_id="r2"),
        replace(ONE, request_id="r3", run="run-2"),
    ]
    store.add_impressions(pages).result()
    store.add_events(
        [make_event(request_id="r1"), make_event(request_id="r1"), make_event(request_id="gone"), make_event()]
    ).result()
    assert store.run_metrics() == {
        "run-1": RunMetrics(requests=2, shown=6, answered=1, clicks=2),
        "run-2": RunMetrics(requests=1, shown=2, answered=0, clicks=0),
    }


def test_what_waits_is_written_on_closing(open_store: Callable[[], Store]) -> None:
    store = open_store()
    waiting = store.add_impressions([ONE])
    store.close()
    assert waiting.result(timeout=0) == 1
    assert open_store().impressions("r1") == [ONE]


def test_what_was_shown_long_ago_is_forgotten(store: Store) -> None:
    store.add_impressions([replace(ONE, request_id=f"r{time}", time=time) for time in range(10)]).result()
    assert store.forget_impressions(4).result() == 4
    assert store.forget_impressions(4).result() == 0
    assert [bool(store.impressions(f"r{time}")) for time in range(10)] == [False] * 4 + [True] * 6
