"""Sequences of what people did, in batches of near-equal length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from poise.data.events import EventLog
from poise.errors import DataError
from poise.train import augment
from poise.train.augment import Augmentation
from poise.types import Indices, Offsets

_WINDOW = 32  # batches whose sequences are sorted by length together: few enough to stay random, enough to fit


@dataclass(frozen=True)
class SequenceBatch:
    """A batch of sequences to learn the next item from.

    Attributes:
        items: int64 ``[batch, time]``, what had happened, oldest first; 0 pads at the end.
        targets: int64 ``[batch, time]``, what happened next; 0 where there is nothing to learn.
    """

    items: Offsets
    targets: Offsets


class SequenceBatches:
    """The sequences of a log, an epoch at a time, in batches of about as many events each.

    A history longer than a model looks back on is cut into pieces, so that each event but the first is a target once an
    epoch. What an epoch brings depends on the seed and its number alone, and what a step brings on the number of the
    step as well: a run that is taken up in the middle sees what it would have seen.

    Args:
        log: the events.
        batch_events: targets a batch, on average.
        max_length: how many events a model looks back on.
        augmentation: how sequences are varied each time they are shown.
        seed: of the order and the augmentation.
        least_steps: how many batches an epoch has at least; a small log is passed over several times.

    Raises:
        DataError: nobody did two things, so there is no order to learn.
    """

    def __init__(
        self,
        log: EventLog,
        *,
        batch_events: int,
        max_length: int,
        augmentation: Augmentation,
        seed: int,
        least_steps: int = 1,
    ) -> None:
        self.item = log.item
        self.start, self.stop = pieces(log.offsets[:-1], log.offsets[1:], max_length)
        if not len(self.start):
            raise DataError("nobody has two events: a sequence model has no order to learn; use Popularity or Content")
        self.augmentation = augmentation
        self.seed = seed
        self.n_targets = int((self.stop - self.start - 1).sum())
        self.steps = max(1, round(self.n_targets / batch_events))  # of one pass
        self.passes = -(-least_steps // self.steps)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return self.steps * self.passes

    def epoch(self, number: int, first: int = 0) -> Iterator[SequenceBatch]:
        """Yield the batches of an epoch, from the step ``first`` on."""
        for at in range(first // self.steps, self.passes):
            yield from self._pass(number * self.passes + at, max(0, first - at * self.steps))

    def _pass(self, number: int, first: int) -> Iterator[SequenceBatch]:
        rng = np.random.default_rng((self.seed, number))
        rows = rng.permutation(len(self.start))
        start, stop = augment.crop(self.start[rows], self.stop[rows], self.augmentation, rng)
        lengths = stop - start
        window = np.arange(len(rows)) * self.steps // (len(rows) * _WINDOW)
        order = np.lexsort((np.where(window % 2, -lengths, lengths), window))  # up and down: no jump between windows
        targets = np.cumsum(lengths[order] - 1)
        cuts = np.searchsorted(targets, np.arange(1, self.steps) * targets[-1] / self.steps)
        batches = np.split(order, cuts)
        for step, at in enumerate(rng.permutation(self.steps)):
            if step >= first:
                chosen = batches[at]
                yield self._batch(start[chosen], stop[chosen], np.random.default_rng((self.seed, number, step)))

    def _batch(self, start: Offsets, stop: Offsets, rng: np.random.Generator) -> SequenceBatch:
        sequences = padded(self.item, start, stop)
        inputs = augment.disturb(sequences[:, :-1], stop - start - 1, self.augmentation, rng)
        inputs = np.where(sequences[:, 1:] > 0, inputs, 0)
        return SequenceBatch(inputs, sequences[:, 1:])


def pieces(start: Offsets, stop: Offsets, most: int) -> tuple[Offsets, Offsets]:
    """Return the slices ``start[i]:stop[i]`` cut into pieces of at most ``most + 1`` events, counted from the end.

    A piece ends with the event that the next one begins with. What has a single event is left out.
    """
    n_pieces = np.maximum(-(-(stop - start - 1) // most), 0)
    owner = np.repeat(np.arange(len(start)), n_pieces)
    back = np.arange(len(owner)) - np.repeat(np.cumsum(n_pieces) - n_pieces, n_pieces)  # 0 for the newest piece
    end = stop[owner] - back * most
    return np.maximum(start[owner], end - most - 1), end


def padded(values: Indices, start: Offsets, stop: Offsets) -> Offsets:
    """Return the slices ``start[i]:stop[i]`` of a column as rows, int64 ``[n, longest]``, zeros at the end."""
    lengths = stop - start
    place = np.arange(max(int(lengths.max(initial=0)), 1))
    inside = place < lengths[:, None]
    rows = np.zeros(inside.shape, dtype=np.int64)
    rows[inside] = values[(start[:, None] + place)[inside]]
    return rows
