from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.data.event_log import EventLog
from poise.data.ingest.indexing import index
from poise.errors import DataError
from poise.train.batches.augmentation import Augmentation, crop, disturb
from poise.train.batches.sequence_batches import SequenceBatches, pieces
from poise.train.batches.sequences import MASKED, Sequences, rows


def _log(lengths: list[int]) -> EventLog:
    """A log in which each event is on an item of its own."""
    users = [f"{user:03}" for user, length in enumerate(lengths) for _ in range(length)]
    return index(
        pl.DataFrame({"user_id": users, "item_id": [f"{position:05}" for position in range(len(users))]})
    ).events


def _batches(lengths: list[int], **options: object) -> SequenceBatches:
    settings = {"batch_events": 20, "max_length": 5, "augmentation": Augmentation(), "seed": 1} | options
    return SequenceBatches(_log(lengths), **settings)  # type: ignore[arg-type]


LENGTHS = [1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 2, 2, 3, 9]


def test_each_event_but_the_first_is_a_target_once_after_its_history() -> None:
    batches = _batches(LENGTHS)
    log = _log(LENGTHS)
    before = dict(zip(log.item[1:].tolist(), log.item[:-1].tolist(), strict=True))
    first = set(log.item[log.offsets[1:-1]].tolist())
    targets = []
    for batch in batches.epoch(0):
        real = batch.targets > 0
        items = batch.sequences.items
        assert np.array_equal(real, items > 0)
        targets += batch.targets[real].tolist()
        assert [before[target] for target in batch.targets[real].tolist()] == items[real].tolist()
    assert sorted(targets) == sorted(set(log.item.tolist()) - first)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=20), st.integers(1, 7), st.integers(0, 9))
def test_pieces_cover_each_transition_once_and_are_few(lengths: list[int], most: int, seed: int) -> None:
    stop = np.cumsum(lengths)
    start = stop - lengths
    cut_start, cut_stop = pieces(start, stop, most, np.random.default_rng(seed))
    assert len(cut_start) == sum(-(-(length - 1) // most) for length in lengths if length > 1)
    assert np.all(cut_stop - cut_start <= most + 1)
    assert np.all(cut_stop - cut_start >= 2)
    covered = sorted(position for a, b in zip(cut_start, cut_stop, strict=True) for position in range(a + 1, b))
    assert covered == [position for a, b in zip(start, stop, strict=True) for position in range(a + 1, b)]


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
def test_an_epoch_resumed_in_the_middle_is_the_same(first: int) -> None:
    batches = _batches(LENGTHS * 4, augmentation=Augmentation(crop=0.5, shuffle=0.5, mask_prob=0.2), least_steps=13)
    whole = list(batches.epoch(2))
    rest = list(batches.epoch(2, first))
    assert len(whole) == len(batches) >= 13
    assert len(rest) == len(whole) - first
    for batch, other in zip(whole[first:], rest, strict=True):
        assert np.array_equal(batch.sequences.items, other.sequences.items)
        assert np.array_equal(batch.targets, other.targets)


def test_epochs_and_seeds_differ() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return [int(batch.targets[0, 0]) for batch in _batches(LENGTHS * 4, seed=seed).epoch(epoch)]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


def test_a_long_history_is_cut_differently_in_each_epoch() -> None:
    batches = _batches([12])  # 11 targets, in three pieces of at most 5
    shown = [batch.targets > 0 for number in range(200) for batch in batches.epoch(number)]
    assert {tuple(sorted(real.sum(axis=1).tolist())) for real in shown} == {(1, 5, 5), (2, 4, 5), (3, 3, 5)}


def test_a_log_without_two_events_of_a_user_is_refused() -> None:
    with pytest.raises(DataError, match="nobody has two events"):
        _batches([1, 1, 1])


def test_crop_takes_a_contiguous_part() -> None:
    rng = np.random.default_rng(0)
    start = np.zeros(2_000, dtype=np.int64)
    stop = np.full(2_000, 6, dtype=np.int64)
    cut_start, cut_stop = crop(start, stop, Augmentation(crop=1.0), rng)
    assert cut_start.min() == 0
    assert cut_stop.max() == 6
    assert set((cut_stop - cut_start).tolist()) == {2, 3, 4, 5, 6}
    assert np.array_equal(crop(start, stop, Augmentation(crop=0.0), rng)[1], stop)


def test_shuffle_keeps_the_events_and_moves_a_third() -> None:
    rng = np.random.default_rng(0)
    order, hidden = disturb((500, 11), np.full(500, 9, dtype=np.int64), Augmentation(shuffle=1.0), rng)
    assert not hidden.any()
    assert np.array_equal(np.sort(order, axis=1), np.tile(np.arange(11), (500, 1)))
    assert np.all(order[:, 9:] == [9, 10])
    moved = (order != np.arange(11)).sum(axis=1)
    assert moved.max() == 3
    assert len({tuple(row) for row in order.tolist()}) > 7


def test_mask_hides_its_share() -> None:
    _, hidden = disturb((200, 50), np.full(200, 50), Augmentation(mask_prob=0.2), np.random.default_rng(0))
    assert hidden.mean() == pytest.approx(0.2, abs=0.02)


def test_rows_are_padded_at_the_end() -> None:
    assert rows(np.array([0, 2, 1]), np.array([3, 2, 2])).tolist() == [[0, 1, 2], [-1, -1, -1], [1, -1, -1]]


def test_sequences_have_event_times_and_request_times() -> None:
    users = ["a"] * 3 + ["b"] * 2
    log = index(
        pl.DataFrame(
            {
                "user_id": users,
                "item_id": list("vwxyz"),
                "behaviour": ["view", "buy", "view", "view", "buy"],
                "timestamp": [1_000, 2_000, 4_000, 5_000, 9_000],
            }
        )
    ).events
    (batch,) = SequenceBatches(log, batch_events=9, max_length=5, augmentation=Augmentation(shuffle=1.0), seed=0).epoch(
        0
    )
    first = int(batch.sequences.times[:, 0].argmin())
    read = batch.sequences
    assert read.times[first].tolist() == [1_000, 2_000]  # the clock is never put out of order
    assert read.request_times[first].tolist() == [2_000, 4_000]
    assert read.times[1 - first].tolist() == [5_000, 0]
    kinds = dict(zip(log.item.tolist(), log.behaviour.tolist(), strict=True))
    assert [kinds.get(item, 0) for item in read.items.flatten().tolist()] == read.behaviours.flatten().tolist()


def test_masked_events_are_targets_and_the_rest_stays() -> None:
    log = _log(LENGTHS * 30)
    batches = _batches(LENGTHS * 30, guess=0.3, max_length=6)
    masked = newest_alone = places = 0
    for batch in batches.epoch(0):
        items, hidden = batch.sequences.items, batch.targets > 0
        assert np.array_equal(items == MASKED, hidden)
        assert hidden.any(axis=1).all()
        whole = np.where(hidden, batch.targets, items)
        for row in whole:
            real_items = row[row > 0]
            start = np.flatnonzero(log.item == real_items[0])[0]
            assert np.array_equal(real_items, log.item[start : start + len(real_items)])
            assert len(real_items) <= 6
        newest = (whole > 0).sum(axis=1) - 1
        alone = (hidden.sum(axis=1) == 1) & hidden[np.arange(len(whole)), newest]
        masked, places, newest_alone = masked + hidden.sum(), places + (whole > 0).sum(), newest_alone + alone.sum()
    assert 0.25 < masked / places < 0.45
    assert newest_alone > 0


def test_no_events_make_an_empty_row() -> None:
    log = _log([2])
    assert Sequences.of(log, np.full((1, 1), -1), np.zeros((1, 1), np.int64)).items.tolist() == [[0]]
