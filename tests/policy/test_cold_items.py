from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from poise.data.dataset import Dataset
from poise.data.split import leave_last_out
from poise.errors import UsageError
from poise.models import Content, Popularity
from poise.pipeline import Pipeline
from poise.policy import ColdStartBoost, cold_items
from poise.policy.cold_items import BOOSTS, measure_finds

N_TOPICS, EACH = 10, 12  # of each topic's items the last two are new


@pytest.fixture
def shop(log_of) -> Dataset:
    """Return a log of people who stay with one topic; vectors tell the topics apart, and no event is on a new item."""
    rng = np.random.default_rng(0)
    histories: list[list[int]] = []
    for _ in range(400):
        topic = int(rng.integers(N_TOPICS))
        items = topic * EACH + 1 + rng.choice(EACH - 2, size=6, replace=False)
        histories.append(items.tolist())
    data: Dataset = log_of(histories, N_TOPICS * EACH)
    return data.with_vectors("text", _vectors(rng.normal(size=(N_TOPICS, 16)), rng))


def _vectors(centres: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    vectors = np.repeat(centres, EACH, axis=0) + rng.normal(scale=0.3, size=(N_TOPICS * EACH, 16))
    return np.vstack([np.zeros(16), vectors]).astype(np.float32)


def _new_items(data: Dataset) -> np.ndarray:
    return np.flatnonzero(data.item_counts[1:] == 0).astype(np.int32) + 1


def _selected(data: Dataset, ranker: object) -> float:
    split = leave_last_out(data)
    step = ColdStartBoost()
    Pipeline(ranker=ranker, policy=[step]).fit(split.train, split.valid)
    return step.strength


def test_without_requests_for_new_items_twins_of_known_ones_are_found_by_their_content(shop, monkeypatch):
    split = leave_last_out(shop)
    ranker = Content(decay=0.9).fit(split.train)
    assert measure_finds(ranker, split.train, split.valid, _new_items(split.train))[0].shape == (len(BOOSTS), 0)
    monkeypatch.setattr(cold_items, "_TWINS_FROM", 50)
    finds, n_real = measure_finds(ranker, split.train, split.valid, _new_items(split.train))
    assert n_real == 0
    assert finds.shape[1] > 100
    assert finds[-1].mean() > finds[0].mean() > 0.05
    np.testing.assert_array_equal(finds, measure_finds(ranker, split.train, split.valid, _new_items(split.train))[0])


def test_content_that_says_nothing_gets_no_boost(shop, monkeypatch):
    monkeypatch.setattr(cold_items, "_TWINS_FROM", 50)
    rng = np.random.default_rng(1)
    noise = shop.with_vectors("text", np.vstack([np.zeros(16), rng.normal(size=(shop.n_items, 16))]).astype(np.float32))
    assert _selected(noise, Content(decay=0.9)) == 0
    assert _selected(noise, Popularity()) == 0


def test_where_nothing_can_be_measured_nothing_is_boosted(shop):
    assert _selected(shop, Content(decay=0.9)) == 0


def test_a_ranker_that_takes_no_new_items_is_measured_on_real_ones_alone(shop, monkeypatch):
    class Fixed(Content):
        def extend_catalogue(self, data: Dataset) -> Fixed:
            raise UsageError("no new items")

    monkeypatch.setattr(cold_items, "_TWINS_FROM", 50)
    split = leave_last_out(shop)
    ranker = Fixed(decay=0.9).fit(split.train)
    assert measure_finds(ranker, split.train, split.valid, _new_items(split.train))[0].shape[1] == 0


def _wanting(data: Dataset, targets: Sequence[int]) -> Dataset:
    """Return the log in which the last but one event of each of the first people is on one of ``targets``."""
    log = data.events
    last = log.offsets[2 : len(targets) + 2] - 1
    item = log.item.copy()
    item[last - 1] = targets
    return replace(data, events=replace(log, item=item))


def test_requests_for_new_items_count_alone_where_there_are_enough(shop, monkeypatch):
    monkeypatch.setattr(cold_items, "_TWINS_FROM", 50)
    monkeypatch.setattr(cold_items, "_ENOUGH", 80)
    topics = [(int(shop.events.item[offset]) - 1) // EACH for offset in shop.events.offsets[1:81]]
    wanted = _wanting(shop, [topic * EACH + EACH for topic in topics])
    split = leave_last_out(wanted)
    new = _new_items(split.train)
    finds, n_real = measure_finds(Content(decay=0.9).fit(split.train), split.train, split.valid, new)
    assert finds.shape[1] == n_real == 80
    assert finds[4].mean() > finds[0].mean()
