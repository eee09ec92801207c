"""A clock that is handed in drives the whole server: a month goes by in no time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from poise.serve.clock import Clock
from poise.serve.engine.slate_cache import KEPT_FOR

DAY = 86_400  # seconds


class SimulatedTime:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0
        self.clock = Clock(lambda: self.seconds, lambda: self.seconds)

    def move(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def now() -> SimulatedTime:
    return SimulatedTime()


@pytest.fixture
def server(copy_shop: Callable[..., Any], start: Callable[..., Any], now: SimulatedTime) -> Any:
    """Return a server in simulated time that forgets after 20 days what was shown."""
    return start(copy_shop("budget = 10\nimpression_retention_days = 20"), clock=now.clock)


def most_popular(server: Any) -> str:
    item_id: str = server.client.get("/v1/popular?k=1").json()["items"][0]["item_id"]
    return item_id


def test_events_are_dated_by_the_clock(server: Any, now: SimulatedTime) -> None:
    server.add("ann", "i02")
    now.move(DAY)
    server.add("ann", "i04")
    history = server.client.get("/v1/users/ann/profile").json()["history"]
    assert [done["timestamp"] for done in history] == [1000 * int(now.seconds), 1000 * int(now.seconds - DAY)]


def test_popularity_decays_with_the_clock(server: Any, now: SimulatedTime) -> None:
    for number in range(20):
        server.add(f"early{number}", "i05")
    for number in range(5):
        server.add(f"also early{number}", "i07")
    assert most_popular(server) == "i05"
    now.move(30 * DAY)
    assert most_popular(server) == "i05"
    assert server.client.get("/metrics").status_code == 200
    assert server.metric("poise_freshness_seconds") == pytest.approx(30 * DAY)
    for number in range(5):
        server.add(f"late{number}", "i07")
    assert most_popular(server) == "i05"  # nothing happened meanwhile, so that nothing has become old
    for number in range(60):
        now.move(DAY / 2)
        server.add(f"meanwhile{number}", f"i{20 + number % 10}")
    for number in range(15):
        server.add(f"later{number}", "i07")
    assert most_popular(server) == "i07"


def test_events_dated_in_the_future_count_as_of_now(server: Any, now: SimulatedTime) -> None:
    for number in range(3):
        server.add(f"today{number}", "i05")
    server.add("of tomorrow", "i07", timestamp=int(1000 * (now.seconds + 0.9 * DAY)))
    assert most_popular(server) == "i05"


def test_impressions_expire_by_the_clock(server: Any, now: SimulatedTime) -> None:
    request_id = server.recommend(user_id="u00")["request_id"]
    assert server.client.get(f"/v1/requests/{request_id}").json()["timestamp"] == 1000 * int(now.seconds)
    now.move(10 * DAY)
    later = server.recommend(user_id="u00")["request_id"]
    now.move(20 * DAY - 1)
    server.wait_for(lambda: server.client.get(f"/v1/requests/{request_id}").status_code == 404)
    assert server.client.get(f"/v1/requests/{later}").status_code == 200


def test_a_cached_slate_expires(server: Any, now: SimulatedTime) -> None:
    def cached() -> float:
        return float(server.metric("poise_slate_cache_hits_total"))

    server.shown(user_id="u03", k=5)
    now.move(KEPT_FOR - 1)
    server.shown(user_id="u03", k=5)
    assert cached() == 1
    now.move(1)
    server.shown(user_id="u03", k=5)
    assert cached() == 1
    server.shown(user_id="u03", k=5)
    assert cached() == 2
    now.move(30 * DAY)
    server.shown(user_id="u03", k=5)
    assert cached() == 2
