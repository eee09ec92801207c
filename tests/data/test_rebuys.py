"""Re-buys are counted by visits, and by purchases where the log knows them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest

import poise
from poise.data.dataset import Dataset
from poise.data.doctor import examine, find_rebuys

DAY = 86_400
START = 1_700_000_000


def log_of(rows: Sequence[tuple[str, str, str, int]], *, clock: bool = True) -> Dataset:
    rows = [(user, item, behaviour, START + time) for user, item, behaviour, time in rows]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "behaviour", "timestamp"], orient="row")
    return poise.build_dataset(frame if clock else frame.drop("timestamp"))


def grocery(behaviour: str = "purchase", *, weeks: int = 4) -> list[tuple[str, str, str, int]]:
    """Thirty people buy bread every week, and each week something else."""
    return [
        (f"u{user}", item, behaviour, (7 * week + 1) * DAY)
        for user in range(30)
        for week in range(weeks)
        for item in ("bread", f"thing {user % 5} {week}")
    ]


def test_a_grocery_log_has_re_buys_and_hides_nothing() -> None:
    rebuys = find_rebuys(log_of(grocery()))
    assert rebuys.share == pytest.approx(0.5)
    assert rebuys.returning_events == 30 * 3 * 2
    assert rebuys.days == 7
    assert rebuys.come_back
    assert not rebuys.hide_seen


def test_what_happens_within_one_visit_is_no_coming_back() -> None:
    rows = [(f"u{user}", "lamp", "view", DAY * user + 60 * n) for user in range(30) for n in range(10)]
    rebuys = find_rebuys(log_of([*rows, ("u0", "sofa", "view", 90 * DAY)]))
    assert (rebuys.share, rebuys.hide_seen) == (0.0, True)


def test_purchases_alone_count_where_they_are_known() -> None:
    looked = [(f"u{user}", "lamp", "view", DAY * n) for user in range(30) for n in range(5)]
    bought = [(f"u{user}", f"lamp {n}", "purchase", DAY * n) for user in range(30) for n in range(2)]
    rebuys = find_rebuys(log_of([*looked, *bought]))
    assert list(rebuys.behaviours) == ["purchase"]
    assert rebuys.share == 0.0
    assert find_rebuys(log_of(looked)).share == 1.0


def test_looking_and_then_buying_is_no_re_buy() -> None:
    rows = [
        (f"u{user}", f"thing {user}", name, DAY * n) for user in range(30) for n, name in enumerate(("view", "buy"))
    ]
    assert find_rebuys(log_of(rows)).share == 0.0


def test_without_a_clock_every_event_is_a_visit() -> None:
    rebuys = find_rebuys(log_of(grocery(), clock=False))
    assert rebuys.share == pytest.approx(90 / (30 * 7))
    assert rebuys.days is None
    assert rebuys.come_back


def test_a_handful_of_events_says_nothing() -> None:
    rebuys = find_rebuys(log_of([("a", "tea", "buy", DAY), ("a", "tea", "buy", 9 * DAY)]))
    assert rebuys.share == 1.0
    assert not rebuys.come_back


def test_check_says_that_people_come_back() -> None:
    (verdict,) = (verdict for verdict in examine(log_of(grocery())).verdicts if verdict.topic == "rebuys")
    assert verdict.reason == (
        "Of the 180 events of people who were there before, 50% are on something that they had before, "
        "7 days later in the median."
    )
    assert "hide_seen = false" in verdict.advice
