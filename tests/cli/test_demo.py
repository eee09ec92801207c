from __future__ import annotations

import re

import pytest

from poise.datasets import registry
from poise.project import Project
from poise.store.records import Event


@pytest.fixture
def small_demo(monkeypatch, films_like):
    """Let the demo show a few films, with an encoder and a network that take no time."""
    films = films_like(n_users=60, n_items=40)
    monkeypatch.setattr(registry, "load", lambda _: films)
    monkeypatch.setattr("poise.cli.demo._CONFIG", "[data]\ndataset = 'movielens-100k'\n[encoder]\nmodel = 'none'\n")
    monkeypatch.setattr("poise.cli.demo._FEW", (3, 12))


def test_the_demo_shows_the_same_figures_after_somebody_has_clicked(poise, small_demo, tmp_path):
    def figures():
        return re.sub(r"Done in .*|report with .*", "", poise("demo", "--no-serve", "--folder", tmp_path / "demo").out)

    first = figures()
    with Project(tmp_path / "demo").fill_store() as store:
        clicks = [Event("u01", f"i{item:02}", "watch", None, 1_800_000_000_000 + item) for item in range(20)]
        store.add_events(clicks).result()
    assert figures() == first
