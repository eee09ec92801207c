"""Whether a log holds anything personal: found in logs of tastes and habits, not in shuffled ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import poise
from poise.data.dataset import Dataset
from poise.data.doctor import examine, find_signal

DAY = 86_400


def log_of(user: np.ndarray, item: np.ndarray, *, clock: bool = False) -> Dataset:
    frame = pl.DataFrame({"user_id": user.astype(str), "item_id": item.astype(str)})
    if clock:  # an event a day
        frame = frame.with_columns(timestamp=1_700_000_000 + DAY * pl.int_range(pl.len()).over("user_id"))
    return poise.build_dataset(frame)


def tastes(seed: int = 0, *, n_users: int = 300, per_user: int = 8, n_groups: int = 4) -> Dataset:
    """Everybody is of one of four groups, and chooses seven of ten times from the third of its hundred items."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(n_users), per_user)
    popularity = 1 / np.arange(1, 26)
    within = rng.choice(25, len(user), p=popularity / popularity.sum())
    group = np.where(rng.random(len(user)) < 0.7, user % n_groups, rng.integers(0, n_groups, len(user)))
    return log_of(user, within * n_groups + group)


def shuffled(data: Dataset, seed: int) -> Dataset:
    items = np.random.default_rng(seed).permutation(data.events.item)
    return replace(data, events=replace(data.events, item=items))


def test_tastes_are_found() -> None:
    signal = find_signal(tastes())
    assert signal.found
    assert signal.told is not None
    assert signal.told > 0.6


def test_in_shuffled_logs_nothing_is_found() -> None:
    data = tastes()
    assert sum(find_signal(shuffled(data, seed), seed=seed).found for seed in range(20)) <= 1


def test_habits_are_found_where_nothing_goes_together() -> None:
    rng = np.random.default_rng(0)
    user = np.repeat(np.arange(200), 10)
    own = rng.integers(0, 500, (200, 3))  # three things each, that they come back to
    data = log_of(user, own[user, rng.integers(0, 3, len(user))], clock=True)
    signal = find_signal(data)
    assert signal.p > 0.001
    assert signal.found
    assert "come back to the same things" in signal.reason
    assert not find_signal(shuffled(data, 1)).found


@pytest.mark.parametrize("n_items", [1, 40])
def test_people_with_one_thing_each_tell_nothing(n_items: int) -> None:
    signal = find_signal(log_of(np.arange(40), np.arange(40) % n_items))
    assert (signal.found, signal.told, signal.cases) == (False, None, 0)


def test_check_says_that_there_is_no_signal() -> None:
    verdicts = {verdict.topic: verdict for verdict in examine(shuffled(tastes(), 0)).verdicts}
    assert verdicts["signal"].title == "No signal found"
    assert "chance gives 50%" in verdicts["signal"].reason
    assert {verdict.topic: verdict for verdict in examine(tastes()).verdicts}["signal"].tone == "good"
