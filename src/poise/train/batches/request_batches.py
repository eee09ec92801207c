"""Events as requests that they answer: each is a target, and what its user did before it is the history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from poise.data.event_log import EventLog
from poise.errors import DataError
from poise.types import Offsets


@dataclass(frozen=True)
class RequestBatch:
    """A batch of events to learn from.

    Attributes:
        start: int64 ``[n]``, where the history of each starts in the log.
        target: int64 ``[n]``, where the event stands, and its history ends.
    """

    start: Offsets
    target: Offsets


class RequestBatches:
    """The events of a log in random order, an epoch at a time.

    What a step brings depends on the seed and its number alone, so a run that is taken up in the middle sees what it
    would have seen.

    Args:
        log: the events.
        size: events a batch.
        max_length: how many events back a history goes.
        first: whether a user's first event, which has no history, is a target too.
        seed: of the order.
        least_steps: how many batches an epoch has at least; a small log is passed over several times.

    Raises:
        DataError: there is no event to learn from.
    """

    def __init__(
        self, log: EventLog, *, size: int, max_length: int, first: bool, seed: int, least_steps: int = 1
    ) -> None:
        begin = log.offsets[log.user]
        self.targets = np.flatnonzero(np.arange(len(log)) >= begin + (0 if first else 1))
        if not len(self.targets):
            raise DataError("nobody has two events: there is no history to learn from; use Popularity or Content")
        self.start = np.maximum(begin[self.targets], self.targets - max_length)
        self.seed = seed
        self.steps = max(1, round(len(self.targets) / size))  # of one pass
        self.passes = -(-least_steps // self.steps)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return self.steps * self.passes

    def epoch(self, number: int, first: int = 0) -> Iterator[RequestBatch]:
        """Yield the batches of an epoch, from the step ``first`` on."""
        for step in range(first, len(self)):
            pass_number, batch = divmod(step, self.steps)
            if step == first or not batch:
                order = np.random.default_rng((self.seed, number * self.passes + pass_number)).permutation(
                    len(self.targets)
                )
                batches = np.array_split(order, self.steps)
            yield RequestBatch(self.start[batches[batch]], self.targets[batches[batch]])
