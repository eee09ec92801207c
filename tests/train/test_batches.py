from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.data.events import EventLog
from poise.data.index import index
from poise.errors import DataError
from poise.train.augment import Augmentation, crop, disturb
from poise.train.batches import SequenceBatches, padded, pieces


def _log(lengths: list[int]) -> EventLog:
    """A log in which each event is on an item of its own."""
    users = [f"{user:03}" for user, length in enumerate(lengths) for _ in range(length)]
    return index(pl.DataFrame({"user_id": users, "item_id": [f"{at:05}" for at in range(len(users))]})).events


def _batches(lengths: list[int], **options: object) -> SequenceBatches:
    settings = {"batch_events": 20, "max_length": 5, "augmentation": Augmentation(), "seed": 1} | options
    return SequenceBatches(_log(lengths), **settings)  # type: ignore[arg-type]


LENGTHS = [1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 2, 2, 3, 9]


def test_each_event_but_the_first_is_a_target_once_with_what_came_before_it() -> None:
    batches = _batches(LENGTHS)
    log = _log(LENGTHS)
    before = dict(zip(log.item[1:].tolist(), log.item[:-1].tolist(), strict=True))
    first = set(log.item[log.offsets[1:-1]].tolist())
    targets = []
    for batch in batches.epoch(0):
        real = batch.targets > 0
        assert np.array_equal(real, batch.items > 0)
        targets += batch.targets[real].tolist()
        assert [before[target] for target in batch.targets[real].tolist()] == batch.items[real].tolist()
    assert sorted(targets) == sorted(set(log.item.tolist()) - first)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=20), st.integers(1, 7))
def test_pieces_cover_each_transition_once(lengths: list[int], most: int) -> None:
    stop = np.cumsum(lengths)
    start = stop - lengths
    cut_start, cut_stop = pieces(start, stop, most)
    assert np.all(cut_stop - cut_start <= most + 1)
    assert np.all(cut_stop - cut_start >= 2)
    found = sorted(at for a, b in zip(cut_start, cut_stop, strict=True) for at in range(a + 1, b))
    assert found == [at for a, b in zip(start, stop, strict=True) for at in range(a + 1, b)]


def test_batches_of_similar_length_waste_little() -> None:
    rng = np.random.default_rng(0)
    batches = _batches(rng.geometric(0.15, 5_000).tolist(), batch_events=500, max_length=50)
    shown = [batch.targets for batch in batches.epoch(0)]
    assert len(shown) == len(batches)
    real = sum((targets > 0).sum() for targets in shown)
    assert real / sum(targets.size for targets in shown) > 0.9
    sizes = np.array([(targets > 0).sum() for targets in shown])
    assert abs(sizes - 500).max() < 100


@pytest.mark.parametrize("first", [0, 3, 7])
def test_an_epoch_taken_up_in_the_middle_goes_on_as_it_would_have(first: int) -> None:
    batches = _batches(LENGTHS * 4, augmentation=Augmentation(crop=0.5, shuffle=0.5, mask=0.2), least_steps=13)
    whole = list(batches.epoch(2))
    rest = list(batches.epoch(2, first))
    assert len(whole) == len(batches) >= 13
    assert len(rest) == len(whole) - first
    for one, other in zip(whole[first:], rest, strict=True):
        assert np.array_equal(one.items, other.items)
        assert np.array_equal(one.targets, other.targets)


def test_epochs_and_seeds_differ() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return [int(batch.targets[0, 0]) for batch in _batches(LENGTHS * 4, seed=seed).epoch(epoch)]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


def test_nobody_with_two_events_is_said() -> None:
    with pytest.raises(DataError, match="nobody has two events"):
        _batches([1, 1, 1])


def test_crop_takes_a_part_in_one_piece() -> None:
    rng = np.random.default_rng(0)
    start = np.zeros(2_000, dtype=np.int64)
    stop = np.full(2_000, 6, dtype=np.int64)
    cut_start, cut_stop = crop(start, stop, Augmentation(crop=1.0), rng)
    assert cut_start.min() == 0
    assert cut_stop.max() == 6
    assert set((cut_stop - cut_start).tolist()) == {2, 3, 4, 5, 6}
    assert np.array_equal(crop(start, stop, Augmentation(crop=0.0), rng)[1], stop)


def test_shuffle_keeps_the_items_and_moves_a_third() -> None:
    rng = np.random.default_rng(0)
    lengths = np.full(500, 9, dtype=np.int64)
    inputs = np.tile(np.r_[np.arange(1, 10), 0, 0], (500, 1))
    shuffled = disturb(inputs, lengths, Augmentation(shuffle=1.0), rng)
    assert np.array_equal(np.sort(shuffled, axis=1), np.sort(inputs, axis=1))
    assert np.all(shuffled[:, 9:] == 0)
    moved = (shuffled != inputs).sum(axis=1)
    assert moved.max() == 3
    assert len({tuple(row) for row in shuffled.tolist()}) > 7


def test_mask_hides_its_share() -> None:
    inputs = np.ones((200, 50), dtype=np.int64)
    hidden = disturb(inputs, np.full(200, 50), Augmentation(mask=0.2), np.random.default_rng(0))
    assert (hidden == 0).mean() == pytest.approx(0.2, abs=0.02)


def test_padded_rows() -> None:
    values = np.array([5, 6, 7, 8])
    assert padded(values, np.array([0, 2, 1]), np.array([3, 2, 2])).tolist() == [[5, 6, 7], [0, 0, 0], [6, 0, 0]]
