"""Where and how it is asked reaches the models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from poise.project import Project
from poise.project.fitting import fit


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project in which other things are popular on a phone than on a television."""
    folder = tmp_path_factory.mktemp("places")
    rows = [
        {
            "user_id": f"u{user}",
            "item_id": f"{'phone' if user % 2 else 'tv'}-{(user // 2 + index) % 5}",
            "timestamp": 1_700_000_000_000 + user * 100_000 + index,
            "scenario": "phone" if user % 2 else "tv",
        }
        for user in range(40)
        for index in range(3)
    ]
    (folder / "log.ndjson").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (folder / "poise.toml").write_text(
        'name = "places"\n[data]\nevents = "log.ndjson"\n[pipeline]\nmodels = ["Popularity"]\n'
        '[models.Popularity]\nscenario = "scenario"\n[encoder]\nmodel = "none"\n[evaluation]\nk = [3]\n'
        "[serve]\nbudget = 10\n"
    )
    project = Project(folder)
    fit(project)
    project.fill_store().close()
    return folder


@pytest.mark.parametrize("place", ["phone", "tv"])
@pytest.mark.parametrize("how", ["scenario", "context"])
def test_the_scenario_reaches_the_model(start: Callable[..., Any], places: Path, place: str, how: str) -> None:
    server = start(places)
    body = {"scenario": place} if how == "scenario" else {"context": {"scenario": place, "hour": 7, "logged_in": True}}
    shown = server.shown(history=["phone-0", "tv-0"], k=3, **body)
    assert {item.split("-")[0] for item in shown} == {place}
