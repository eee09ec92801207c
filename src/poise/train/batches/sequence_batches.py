"""Sequences of what people did, in batches of near-equal length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from poise.data.event_log import EventLog
from poise.errors import DataError
from poise.train.batches import augmentation
from poise.train.batches.augmentation import Augmentation
from poise.train.batches.sequences import MASKED, Sequences, rows
from poise.types import Offsets

_WINDOW = 32  # batches whose sequences are sorted by length together: few enough to stay random, enough to fit


@dataclass(frozen=True)
class SequenceBatch:
    """A batch of sequences to learn from.

    Attributes:
        sequences: what is read.
        targets: int64 ``[batch, time]``, the item to predict at each place; 0 where there is none.
    """

    sequences: Sequences
    targets: Offsets


class SequenceBatches:
    """The sequences of a log, an epoch at a time, in batches of about as many events each.

    A history longer than a model looks back on is cut into pieces, elsewhere in each pass, so that each event but the
    first is a target once a pass, each time with another part of what came before it. What an epoch brings depends on
    the seed and its number alone, and what a step brings on the number of the step as well: a run that is taken up in
    the middle sees what it would have seen.

    Args:
        log: the events.
        batch_events: targets a batch, on average.
        max_length: how many events a model looks back on.
        augmentation: how sequences are varied each time they are shown.
        seed: of the order and the augmentation.
        least_steps: how many batches an epoch has at least; a small log is passed over several times.
        guess: the share of events that are masked, to be guessed from what is before and after them; None to predict
            the next item after each event.

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
        guess: float | None = None,
    ) -> None:
        self.log = log
        self.n_targets = int(np.maximum(np.diff(log.offsets) - 1, 0).sum())
        if not self.n_targets:
            raise DataError("nobody has two events: a sequence model has no order to learn; use Popularity or Content")
        self.augmentation = augmentation
        self.seed = seed
        self.guess = guess
        self.max_length = max_length
        self.steps = max(1, round(self.n_targets / batch_events))  # of one pass
        self.passes = -(-least_steps // self.steps)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return self.steps * self.passes

    def epoch(self, number: int, first: int = 0) -> Iterator[SequenceBatch]:
        """Yield the batches of an epoch, from the step ``first`` on."""
        for pass_number in range(first // self.steps, self.passes):
            yield from self._pass(number * self.passes + pass_number, max(0, first - pass_number * self.steps))

    def _pass(self, number: int, first: int) -> Iterator[SequenceBatch]:
        rng = np.random.default_rng((self.seed, number))
        start, stop = pieces(self.log.offsets[:-1], self.log.offsets[1:], self.max_length, rng)
        drawn = rng.permutation(len(start))
        start, stop = augmentation.crop(start[drawn], stop[drawn], self.augmentation, rng)
        lengths = stop - start
        window = np.arange(len(drawn)) * self.steps // (len(drawn) * _WINDOW)
        order = np.lexsort((np.where(window % 2, -lengths, lengths), window))  # up and down: no jump between windows
        targets = np.cumsum(lengths[order] - 1)
        cuts = np.searchsorted(targets, np.arange(1, self.steps) * targets[-1] / self.steps)
        batches = np.split(order, cuts)
        for step, index in enumerate(rng.permutation(self.steps)):
            if step >= first:
                batch = batches[index]
                yield self._batch(start[batch], stop[batch], np.random.default_rng((self.seed, number, step)))

    def _batch(self, start: Offsets, stop: Offsets, rng: np.random.Generator) -> SequenceBatch:
        if self.guess is not None:
            return self._to_guess(rows(np.maximum(start, stop - self.max_length), stop), self.guess, rng)
        positions = rows(start, stop - 1)
        following = np.where(positions >= 0, positions + 1, -1)
        after = Sequences.of(self.log, following, np.zeros_like(following))
        sequences = Sequences.of(self.log, positions, after.times)
        order, hidden = augmentation.disturb(positions.shape, stop - start - 1, self.augmentation, rng)
        return SequenceBatch(
            # What is put out of order is what happened, not when something happened.
            replace(
                sequences,
                items=np.where(hidden, 0, np.take_along_axis(sequences.items, order, axis=1)),
                behaviours=np.take_along_axis(sequences.behaviours, order, axis=1),
            ),
            after.items,
        )

    def _to_guess(self, positions: Offsets, share: float, rng: np.random.Generator) -> SequenceBatch:
        """Mask a share of the events, or the newest one alone, as it will be in a request."""
        whole = Sequences.of(self.log, positions, np.zeros_like(positions))
        real = positions >= 0
        newest = real & ~np.pad(real[:, 1:], ((0, 0), (0, 1)))
        masked = (rng.random(positions.shape) < share) & real
        only = (rng.random((len(positions), 1)) < 1 / 8) | ~masked.any(axis=1, keepdims=True)
        masked = np.where(only, newest, masked)
        return SequenceBatch(
            replace(
                whole, items=np.where(masked, MASKED, whole.items), behaviours=np.where(masked, 0, whole.behaviours)
            ),
            np.where(masked, whole.items, 0),
        )


def pieces(start: Offsets, stop: Offsets, most: int, rng: np.random.Generator) -> tuple[Offsets, Offsets]:
    """Return the slices ``start[i]:stop[i]`` cut into pieces of at most ``most + 1`` events, as few as there can be.

    Where there are several, chance decides where they are cut. A piece ends with the event that the next one begins
    with. A history of a single event is left out.
    """
    n_pieces = np.maximum(-(-(stop - start - 1) // most), 0)
    slack = np.maximum(n_pieces * most - (stop - start - 1), 0)  # places that no event fills
    left = rng.integers(slack + 1)  # of these, in the newest piece
    owner = np.repeat(np.arange(len(start)), n_pieces)
    back = np.arange(len(owner)) - np.repeat(np.cumsum(n_pieces) - n_pieces, n_pieces)  # 0 for the newest piece
    end = (stop + left)[owner] - back * most
    return np.maximum(start[owner], end - most - 1), np.minimum(stop[owner], end)
