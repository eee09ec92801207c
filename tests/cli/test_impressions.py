"""``poise data impressions``: the newest answers, and what came of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from poise.project import Project
from poise.store.records import Event, Impression

NOON = 1_760_000_000_000


@pytest.fixture
def lived(shop: Path) -> Path:
    """Return a project whose live log has three answers, of which one was clicked."""
    with Project(shop).fill_store() as store:
        store.add_impressions(
            [
                Impression(
                    f"r{row}",
                    0,
                    user,
                    NOON + row * 1_000,
                    "home",
                    "run-1",
                    "ranker",
                    ["i03", "i05"],
                    [0.75, 0.5],
                    [1.0, 0.25],
                    ["ItemKNN", "new"],
                    context={"device": "tv"},
                    filters=[{"column": "price", "max": 5}],
                    n_eligible=24,
                )
                for row, user in enumerate(("001", "002", None))
            ]
        ).result()
        store.add_events([Event("002", "i05", "click", 2.0, NOON + 5_000, request_id="r1")]).result()
    return shop


def test_the_newest_impressions_as_json(poise: Callable[..., Any], lived: Path) -> None:
    printed = json.loads(poise("data", "impressions", "-p", lived, "--json", "--limit", 2).out)
    assert [(row["request_id"], row["item_id"], row["behaviour"]) for row in printed] == [
        ("r2", "i03", None),
        ("r2", "i05", None),
        ("r1", "i03", None),
        ("r1", "i05", ["click"]),
    ]
    assert printed[3] == {
        "title": "Moon, story 5",
        "request_id": "r1",
        "time": "2025-10-09T08:53:21+00:00",
        "user_id": "002",
        "position": 1,
        "item_id": "i05",
        "score": 0.5,
        "probability": 0.25,
        "source": "new",
        "run": "run-1",
        "policy_version": None,
        "arm": None,
        "surface": "home",
        "n_eligible": 24,
        "filters": [{"column": "price", "max": 5}],
        "features": None,
        "behaviour": ["click"],
        "value": [2.0],
        "event_time": ["2025-10-09T08:53:25+00:00"],
        "device": "tv",
    }


def test_the_newest_impressions_as_a_table(poise: Callable[..., Any], lived: Path) -> None:
    result = poise("data", "impressions", "-p", lived, "--user", "002")
    assert result.code == 0
    assert "Moon, story 5" in result.out
    assert "click" in result.out
    assert "002" in result.out
    assert "001" not in result.out
    assert "'nobody' is not in the data set" in poise("data", "impressions", "-p", lived, "-u", "nobody").error


def test_a_store_without_impressions(poise: Callable[..., Any], shop: Path) -> None:
    assert "nothing was shown yet" in poise("data", "impressions", "-p", shop).out
    Project(shop).fill_store().close()
    assert "nothing was shown yet" in poise("data", "impressions", "-p", shop).out
    assert json.loads(poise("data", "impressions", "-p", shop, "--json").out) == []
