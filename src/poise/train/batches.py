"""Sequences of what people did, in batches of near-equal length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from poise.data.events import EventLog
from poise.errors import DataError
from poise.train import augment
from poise.train.augment import Augmentation
from poise.types import Offsets

_WINDOW = 32  # batches whose sequences are sorted by length together: short enough to stay random, long enough to fit


@dataclass(frozen=True)
class SequenceBatch:
    """A batch of sequences to learn the next item from.

    Attributes:
        items: int64 ``[batch, time]``, what had happened, oldest first; 0 pads at the end.
        targets: int64 ``[batch, time]``, what happened next; 0 where there is nothing to learn.
        rows: which of the sequences these are, int64 ``[batch]``.
    """

    items: Offsets
    targets: Offsets
    rows: Offsets


class SequenceBatches:
    """All the sequences of a log with two events or more, an epoch at a time.

    What an epoch brings depends on the seed and on its number alone, and what a step brings on the number of the step as
    well: a run that is taken up in the middle sees what it would have seen.

    Args:
        log: the events.
        batch_size: sequences a batch.
        max_length: how many events a model looks back on; of a longer history the newest are taken, or the newest of
            the part that was cropped out of it.
        augmentation: how sequences are varied each time they are shown.
        seed: of the order and the augmentation.

    Raises:
        DataError: nobody did two things, so there is no order to learn.
    """

    def __init__(
        self, log: EventLog, *, batch_size: int, max_length: int, augmentation: Augmentation, seed: int
    ) -> None:
        lengths = np.diff(log.offsets)
        users = np.flatnonzero(lengths > 1)
        if not len(users):
            raise DataError("nobody has two events: a sequence model has no order to learn; use Popularity or Content")
        self.item = log.item
        self.start, self.stop = log.offsets[users], log.offsets[users + 1]
        self.batch_size = batch_size
        self.max_length = max_length
        self.augmentation = augmentation
        self.seed = seed

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return -(-len(self.start) // self.batch_size)

    @property
    def n_targets(self) -> int:
        """How many events an epoch predicts, without cropping."""
        return int(np.minimum(self.stop - self.start - 1, self.max_length).sum())

    def epoch(self, number: int, first: int = 0) -> Iterator[SequenceBatch]:
        """Yield the batches of an epoch, from the step ``first`` on."""
        rng = np.random.default_rng((self.seed, number))
        rows = rng.permutation(len(self.start))
        start, stop = augment.crop(self.start[rows], self.stop[rows], self.max_length + 1, self.augmentation, rng)
        window = np.arange(len(rows)) // (self.batch_size * _WINDOW)
        order = np.lexsort((stop - start, window))  # stable: equal lengths stay in random order
        cuts = np.arange(0, len(rows), self.batch_size)
        batches = [order[cut : cut + self.batch_size] for cut in cuts]
        for step, at in enumerate(rng.permutation(len(batches))):
            if step >= first:
                chosen = batches[at]
                step_rng = np.random.default_rng((self.seed, number, step))
                yield self._batch(rows[chosen], start[chosen], stop[chosen], step_rng)

    def _batch(self, rows: Offsets, start: Offsets, stop: Offsets, rng: np.random.Generator) -> SequenceBatch:
        sequences = padded(self.item, start, stop)
        inputs = augment.disturb(sequences[:, :-1], stop - start - 1, self.augmentation, rng)
        return SequenceBatch(inputs, sequences[:, 1:], rows)


def padded(values: np.ndarray, start: Offsets, stop: Offsets) -> Offsets:  # type: ignore[type-arg]
    """Return the slices ``start[i]:stop[i]`` of a column as rows, int64 ``[n, longest]``, zeros at the end."""
    lengths = stop - start
    place = np.arange(max(int(lengths.max(initial=0)), 1))
    inside = place < lengths[:, None]
    positions = np.where(inside, start[:, None] + place, 0)
    return np.where(inside, values[positions], 0).astype(np.int64)
