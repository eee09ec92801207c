from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from poise.data.impressions_frame import impressions_frame
from poise.data.storage import open_dataset, save_dataset
from poise.errors import DataError
from poise.store import Store
from poise.store.records import Event, Impression, Item, RunMetrics, User

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


def test_the_pages_of_a_request(store: Store) -> None:
    second = replace(ONE, offset=2, items=["c"], scores=[0.1], probabilities=[1.0], sources=["new"])
    assert store.add_impressions([second, ONE]).result() == 2
    assert store.add_impressions([ONE]).result() == 0  # the same page again
    assert store.impressions("r1") == [ONE, second]
    assert store.impressions("unknown") == []


def test_all_fields_of_an_impression(store: Store) -> None:
    store.add_impressions([FULL, ONE]).result()
    assert store.impressions("r9") == [FULL]
    assert store.impressions_of("u") == [ONE, FULL]


def test_context_that_is_no_json_is_refused(store: Store) -> None:
    with pytest.raises(DataError, match="cannot be kept"):
        store.add_impressions([replace(ONE, features=object())]).result()


def test_impressions_of_a_user(store: Store) -> None:
    anonymous = replace(ONE, request_id="r2", user_id=None, scenario=None)
    later = replace(ONE, request_id="r3")
    store.add_impressions([ONE, anonymous, later]).result()
    assert store.impressions_of("u") == [later, ONE]
    assert store.impressions_of("u", limit=1) == [later]
    assert store.impressions("r2") == [anonymous]


def test_metrics_of_runs(store: Store, make_event: Callable[..., Event]) -> None:
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
        "run-1": RunMetrics(requests=2, shown=6, answered=1),
        "run-2": RunMetrics(requests=1, shown=2, answered=0),
    }


def test_waiting_impressions_are_written_on_close(open_store: Callable[[], Store]) -> None:
    store = open_store()
    waiting = store.add_impressions([ONE])
    store.close()
    assert waiting.result(timeout=0) == 1
    assert open_store().impressions("r1") == [ONE]


def test_old_impressions_are_deleted(store: Store) -> None:
    store.add_impressions([replace(ONE, request_id=f"r{time}", time=time) for time in range(10)]).result()
    assert store.forget_impressions(4).result() == 4
    assert store.forget_impressions(4).result() == 0
    assert [bool(store.impressions(f"r{time}")) for time in range(10)] == [False] * 4 + [True] * 6
    store.add_events([Event("u", "a", "view", None, 9)]).result()
    impressions = store.dataset().impressions
    assert impressions is not None
    assert impressions.time.tolist() == [4, 5, 6, 7, 8, 9]


MakeEvent = Callable[..., Event]


def test_a_data_set_has_impressions_and_their_outcomes(store: Store, make_event: MakeEvent) -> None:
    pages = [
        replace(FULL, request_id="late", time=90, offset=2),
        replace(ONE, items=["b", "gone"], scores=[0.5, float("nan")], stage="popular", sources=["popular", "popular"]),
        replace(FULL, request_id="anonymous", user_id=None, time=50, scenario=None),
    ]
    store.add_impressions(pages).result()
    store.put_items([Item("b", {}), Item("a", {})]).result()
    store.add_events(
        [
            make_event(user="u", item="a", time=91, behaviour="click", context={"device": "phone"}),
            make_event(user="u", item="b", time=7, request_id="unknown"),
            make_event(user="q", item="a", time=4, behaviour="buy", value=2.0, request_id="anonymous"),
            make_event(user="q", item="a", time=95),
        ]
    ).result()
    data = store.dataset()
    assert data.events.context.columns == ["device"]  # and no request ids
    log = data.impressions
    assert log is not None
    assert log.time.tolist() == [5, 50, 90]
    assert np.isnan(log.score).sum() == 0  # the item is not known, so neither is its score
    frame = impressions_frame(store)
    assert frame.select("request_id", "user_id", "position", "item_id", "source", "surface").rows() == [
        ("r1", "u", 0, "b", "popular", "home"),
        ("anonymous", None, 0, "a", "ItemKNN", None),
        ("anonymous", None, 1, "b", "new", None),
        ("late", "u", 2, "a", "ItemKNN", "home"),
        ("late", "u", 3, "b", "new", "home"),
    ]
    assert frame["behaviour"].to_list() == [["view"], ["buy"], None, ["click"], None]
    assert frame["value"].to_list() == [[None], [2.0], None, [None], None]
    assert frame.drop("behaviour", "value", "event_time", "time").to_dicts()[3] == {
        "request_id": "late",
        "user_id": "u",
        "position": 2,
        "item_id": "a",
        "score": 0.5,
        "probability": 1.0,
        "source": "ItemKNN",
        "run": "run-1",
        "policy_version": "3fa9",
        "arm": "b",
        "surface": "home",
        "n_eligible": 0,
        "filters": '[{"column":"price","max":5}]',
        "features": '{"names":["age"],"rows":[[1.0],[null]]}',
        "device": "tv",
        "logged_in": True,
        "share": 0.5,
        "place": None,
    }


def test_a_data_set_of_a_store_without_impressions(store: Store, make_event: MakeEvent) -> None:
    store.add_events([make_event(request_id="r1", context={"request_id": "mine"})]).result()
    data = store.dataset()
    assert data.impressions is None
    assert data.events.context.to_dicts() == [{"request_id": "mine"}]


def test_impressions_of_another_project_are_not_read(open_store: Callable[..., Store], make_event: MakeEvent) -> None:
    first, other = open_store("one"), open_store("other")
    first.add_impressions([replace(ONE, request_id="of another project")]).result()
    other.add_events([make_event(item="a")]).result()
    assert other.dataset().impressions is None


def test_nothing_of_an_erased_person_is_in_a_data_set(store: Store, make_event: MakeEvent, tmp_path: Path) -> None:
    store.put_users([User("a very special name", {"city": "Bonn"})]).result()
    of_person = replace(
        FULL, user_id="a very special name", request_id="a special request", context={"device": "special device"}
    )
    store.add_impressions([of_person, replace(ONE, user_id="other")]).result()
    store.add_events(
        [
            make_event(user="a very special name", item="a", time=6, request_id="a special request"),
            make_event(user="other", item="a", time=6, behaviour="click"),
        ]
    ).result()

    def saved(name: str) -> bytes:
        save_dataset(store.dataset(), tmp_path / name)
        assert open_dataset(tmp_path / name).fingerprint == store.dataset().fingerprint
        return b"".join(file.read_bytes() for file in (tmp_path / name).iterdir())

    assert saved("before").count(b"special") >= 3
    store.erase_user("a very special name", [], "me").result()
    store.add_impressions([of_person]).result()  # it waited meanwhile
    assert b"special" not in saved("after")
    assert impressions_frame(store)["behaviour"].to_list() == [["click"]]
