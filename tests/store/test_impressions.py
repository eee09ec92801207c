from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from poise.errors import DataError
from poise.store import Store
from poise.store.records import Event, Impression, RunFigures

ONE = Impression(
    "r1", 0, "u", 5, "home", "run-1", "ranker", ["a", "b"], [0.5, 0.25], [1.0, 0.125], ["ranker", "ranker"]
)
FULL = replace(
    ONE,
    request_id="r9",
    sources=["ItemKNN", "new"],
    policy_version="3fa9",
    arm="b",
    context={"device": "tv", "logged_in": True, "share": 0.5, "place": None},
    filters=[{"column": "price", "max": 5}],
    features={"names": ["age"], "rows": [[1.0], [None]]},
    n_eligible=0,
)


def test_pages_of_a_request(store: Store) -> None:
    second = replace(ONE, offset=2, items=["c"], scores=[0.1], probabilities=[1.0], sources=["new"])
    assert store.add_impressions([second, ONE]).result() == 2
    assert store.add_impressions([ONE]).result() == 0  # the same page again
    assert store.impression("r1") == [ONE, second]
    assert store.impression("unknown") == []


def test_all_that_is_known_of_a_page(store: Store) -> None:
    store.add_impressions([FULL, ONE]).result()
    assert store.impression("r9") == [FULL]
    assert store.shown("u") == [ONE, FULL]


def test_what_is_no_json_is_refused(store: Store) -> None:
    with pytest.raises(DataError, match="cannot be kept"):
        store.add_impressions([replace(ONE, features=object())]).result()


def test_what_a_user_was_shown(store: Store) -> None:
    anonymous = replace(ONE, request_id="r2", user_id=None, scenario=None)
    later = replace(ONE, request_id="r3")
    store.add_impressions([ONE, anonymous, later]).result()
    assert store.shown("u") == [later, ONE]
    assert store.shown("u", limit=1) == [later]
    assert store.impression("r2") == [anonymous]


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
    assert store.run_figures() == {
        "run-1": RunFigures(requests=2, shown=6, answered=1, clicks=2),
        "run-2": RunFigures(requests=1, shown=2, answered=0, clicks=0),
    }


def test_what_waits_is_written_on_closing(open_store: Callable[[], Store]) -> None:
    store = open_store()
    waiting = store.add_impressions([ONE])
    store.close()
    assert waiting.result(timeout=0) == 1
    assert open_store().impression("r1") == [ONE]


def test_what_was_shown_long_ago_is_forgotten(store: Store) -> None:
    store.add_impressions([replace(ONE, request_id=f"r{time}", time=time) for time in range(10)]).result()
    assert store.forget_shown(4).result() == 4
    assert store.forget_shown(4).result() == 0
    assert [bool(store.impression(f"r{time}")) for time in range(10)] == [False] * 4 + [True] * 6
