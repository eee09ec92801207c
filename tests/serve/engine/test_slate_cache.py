"""A slate is given again while nothing has happened, and not a moment longer."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def kept(server: Any) -> Any:
    return lambda: server.metric("poise_slate_cache_hits_total")


def test_an_unchanged_request_is_answered_from_the_slate_cache(server: Any, kept: Any) -> None:
    first, before = server.shown(user_id="u03", k=5), kept()
    assert server.shown(user_id="u03", k=5) == first
    assert kept() == before + 1


@pytest.mark.parametrize(
    "asked",
    [{"k": 4}, {"exclude": ["i01"]}, {"filters": [{"column": "price", "max": 20}]}, {"candidates": ["i01", "i03"]}],
)
def test_another_request_is_not_answered_from_the_slate_cache(server: Any, kept: Any, asked: dict[str, Any]) -> None:
    server.shown(user_id="u05", k=5)
    before = kept()
    server.shown(**{"user_id": "u05", "k": 5, **asked})
    assert kept() == before


def test_a_change_invalidates_the_slate_cache(server: Any, kept: Any) -> None:
    item = server.shown(user_id="u07", k=5)[0]
    before = kept()
    server.add("u07", item)
    assert item not in server.shown(user_id="u07", k=5)
    server.client.post("/v1/items", json={"item_id": "kept-1", "content": {"title": "Moon story"}})
    server.shown(user_id="u07", k=5)
    assert kept() == before
