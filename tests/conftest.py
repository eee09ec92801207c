from __future__ import annotations

import os

# Before anything counts the cores: two test processes with two threads each on two cores are ten times slower.
for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(_threads, "1")

import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import pytest

from poise.data.dataset import Dataset
from poise.data.ingest.indexing import index
from poise.data.split import leave_last_out
from poise.data.vocabulary import Vocabulary
from poise.models import (
    ALS,
    BPR,
    EASE,
    HSTU,
    BERT4Rec,
    Blend,
    Content,
    GRU4Rec,
    ItemKNN,
    Popularity,
    Random,
    SASRec,
    TwoTower,
)
from poise.models.data_defaults import DataDefaults
from poise.recommender import Recommender

DAY = 86_400_000  # milliseconds
BROWSER_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

MakeDataset = Callable[..., Dataset]


def make_films(*, n_users: int = 40, n_items: int = 24, seed: int = 0, untouched: int = 2) -> Dataset:
    """Return a log of two groups of people, each with its own half of the films; text vectors know the halves too.

    The last ``untouched`` films have no events; the very last has no vector either.
    """
    rng = np.random.default_rng(seed)
    touched = n_items - untouched
    rows = []
    for user in range(n_users):
        group = user % 2
        chosen = rng.permutation(np.arange(group, touched, 2))[: rng.integers(5, 9)]
        other = rng.permutation(np.arange(1 - group, touched, 2))[: rng.integers(0, 2)]
        for place, item in enumerate(rng.permutation(np.concatenate([chosen, other]))):
            rows.append(
                {
                    "user_id": f"u{user:02}",
                    "item_id": f"i{item:02}",
                    "behaviour": "like" if rng.random() < 0.3 else "watch",
                    "value": float(rng.integers(1, 6)) if rng.random() < 0.9 else None,
                    "timestamp": 1_700_000_000_000 + int(user * 3 + place * 5 + rng.integers(0, 4)) * DAY,
                    "device": "tv" if group else "phone",
                }
            )
    items = pl.DataFrame(
        {
            "item_id": [f"i{item:02}" for item in range(n_items)],
            "title": [f"{'Sea' if item % 2 else 'Moon'} Story {item} ({1980 + item})" for item in range(n_items)],
            "genres": [["sea"] if item % 2 else ["moon", "night"] for item in range(n_items)],
            "year": [1980.0 + item for item in range(n_items)],
        }
    )
    users = pl.DataFrame(
        {"user_id": [f"u{user:02}" for user in range(n_users + 1)], "city": ["Bonn", *["Köln"] * n_users]}
    )
    data = index(
        pl.DataFrame(rows),
        items,
        users,
        item_kinds={"title": "text", "genres": "categories", "year": "number"},
        user_kinds={"city": "category"},
        title_column="title",
        name="films",
    )
    vectors = rng.normal(scale=0.3, size=(n_items + 1, 6)).astype(np.float32)
    vectors[1:, 0] += np.where(np.arange(n_items) % 2, 1, -1)
    vectors[0] = vectors[-1] = 0
    return data.with_vectors("text", vectors)


@pytest.fixture(scope="session")
def films() -> Dataset:
    """Return a small log with times, values, context, a catalogue and vectors; the last user has no events."""
    return make_films()


@pytest.fixture(scope="session")
def grown_films(films: Dataset) -> Dataset:
    """Return the catalogue of ``films`` with two films more, without any events: i24, a moon film, and i25, a blank."""
    added = films.items.tail(2).with_columns(title=pl.Series(["Moon Story 24 (2004)", None]))
    like_moons = films.vectors["text"][1::2].mean(axis=0)
    return replace(
        films,
        events=films.events.select(np.zeros(films.n_events, dtype=np.bool_)),
        item_ids=Vocabulary([*films.item_ids.series, "i24", "i25"]),
        items=pl.concat([films.items, added.with_columns(genres=pl.Series([["moon", "night"], None]))]),
        vectors={"text": np.vstack([films.vectors["text"], like_moons, np.zeros_like(like_moons)])},
    )


@pytest.fixture(scope="session")
def later_films(films: Dataset, grown_films: Dataset) -> Dataset:
    """Return ``films`` with the two films more, and with a new person, u41, who watched i02, i24 and i06 since."""
    log, since = films.events, films.events.until + DAY * np.arange(1, 4)
    events = replace(
        log,
        user=np.append(log.user, np.full(3, 42, dtype=np.int32)),
        item=np.append(log.item, grown_films.item_ids.index(["i02", "i24", "i06"])),
        behaviour=np.append(log.behaviour, np.full(3, log.behaviour[0])),
        value=np.append(log.value, np.full(3, np.nan, dtype=np.float32)),
        timestamp=np.append(log.timestamp, since),
        offsets=np.append(log.offsets, len(log) + 3),
        context=pl.concat([log.context, log.context.head(3)]),
    )
    users = pl.concat([films.users, films.users.tail(1)])
    return replace(grown_films, events=events, user_ids=Vocabulary([*films.user_ids.series, "u41"]), users=users)


@pytest.fixture
def films_like() -> MakeDataset:
    """Return the function that makes data sets such as ``films``."""
    return make_films


@pytest.fixture
def log_of() -> MakeDataset:
    """Return a function that makes a data set of histories of item numbers, with one event a day."""

    def make(histories: list[list[int]], n_items: int | None = None) -> Dataset:
        size = n_items or max(item for row in histories for item in row)
        events = pl.DataFrame(
            [
                (f"u{user:03}", f"i{item:03}", place * DAY)
                for user, row in enumerate(histories, 1)
                for place, item in enumerate(row)
            ],
            schema={"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64},
            orient="row",
        )
        items = pl.DataFrame({"item_id": [f"i{item:03}" for item in range(1, size + 1)]})
        return index(events, items, pl.DataFrame({"user_id": [f"u{user:03}" for user in range(1, len(histories) + 1)]}))

    return make


TINY: dict[str, Any] = {"dim": 8, "components": 4, "max_length": 6, "epochs": 1, "negatives": 8, "batch_events": 64}

MODELS: dict[str, Callable[[], Recommender]] = {
    "Random": partial(Random, seed=3),
    "Popularity": Popularity,
    "Popularity, lately": lambda: Popularity(half_life=20.0),
    "Popularity, by scenario": lambda: Popularity(scenario="device"),
    "ItemKNN": lambda: ItemKNN(neighbours=5),
    "EASE": lambda: EASE(l2=5.0, decay=0.7),
    "ALS": lambda: ALS(factors=6, iterations=4),
    "BPR": lambda: BPR(factors=6, iterations=20),
    "Content": Content,
    "TwoTower": lambda: TwoTower(**TINY, context_columns=["device"]),
    "GRU4Rec": lambda: GRU4Rec(**TINY),
    "BERT4Rec": lambda: BERT4Rec(**TINY, heads=2),
    "HSTU": lambda: HSTU(**TINY, heads=2),
    "SASRec": lambda: SASRec(**TINY, heads=2),
    "Blend": lambda: Blend(members=[EASE(l2=5.0), Content(), Popularity()]),
    "Blend of blends": lambda: Blend(
        members=[Blend(members=[ItemKNN(), Random()], weights=[3, 1]), BPR(factors=3, iterations=5)], weights=[1, 2]
    ),
}
"""Every model, small enough for a test."""


@pytest.fixture(params=MODELS)
def make_model(request: pytest.FixtureRequest) -> Callable[[], Recommender]:
    """Return a function that makes a model which is not fitted: each in its turn."""
    return MODELS[request.param]


@pytest.fixture(scope="session", params=MODELS)
def fitted(request: pytest.FixtureRequest, films: Dataset) -> Recommender:
    """Return a model that was fitted on ``films``, its choices made on validation: each in its turn."""
    split = leave_last_out(films)
    return MODELS[request.param]().fit(split.train, split.valid).refit(films)


@pytest.fixture
def quick_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sequence models of which nothing else is said learn in no time: for tests of what is around them."""
    monkeypatch.setattr("poise.models.sequential.sequence_model.LEAST_STEPS", 2)
    monkeypatch.setattr(DataDefaults, "to", lambda data: DataDefaults(max_length=20, dropout=0.5, blocks=1, epochs=1))


def _not_in_a_browser(why: str) -> None:
    said = f"{why}: NOT tested in a browser (on Debian: apt-get install chromium)"
    warnings.warn(said, stacklevel=2)
    pytest.skip(said)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Return a headless Chromium, for one module: as long as it is there, its event loop keeps out any other."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        _not_in_a_browser("there is no Chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _not_in_a_browser("playwright is not installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=BROWSER_FLAGS)
        yield started
        started.close()
