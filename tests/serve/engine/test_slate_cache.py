"""A slate is given again while nothing has happened, and not a moment longer."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def cache_hits(server: Any) -> Any:
    return lambda: server.metric("poise_slate_cache_hits_total")


def test_an_unchanged_request_is_answered_from_the_slate_cache(server: Any, cache_hits: Any) -> None:
    first, before = server.shown(user_id="u03", k=5), cache_hits()
    assert server.shown(user_id="u03", k=5) == first
    assert cache_hits() == before + 1


@pytest.mark.parametrize(
    "body",
    [{"k": 4}, {"exclude": ["i01"]}, {"filters": [{"column": "price", "max": 20}]}, {"candidates": ["i01", "i03"]}],
)
def test_another_request_is_not_answered_from_the_slate_cache(
    server: Any, cache_hits: Any, body: dict[str, Any]
) -> None:
    server.shown(user_id="u05", k=5)
    before = cache_hits()
    server.shown(**{"user_id": "u05", "k": 5, **body})
    assert cache_hits() == before


def test_a_change_invalidates_the_slate_cache(server: Any, cache_hits: Any) -> None:
    item = server.shown(user_id="u07", k=5)[0]
    before = cache_hits()
    server.add("u07", item)
    assert item not in server.shown(user_id="u07", k=5)
    server.client.post("/v1/items", json={"item_id": "kept-1", "content": {"title": "Moon story"}})
    server.shown(user_id="u07", k=5)
    assert cache_hits() == before
