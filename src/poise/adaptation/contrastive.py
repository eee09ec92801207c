from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from poise.adaptation.tokens import Passages, batches_of_similar_length
from poise.data.event_log import EventLog
from poise.train.losses.pointwise import in_batch_softmax
from poise.types import Mask, Offsets


@dataclass(frozen=True)
class Pairs:
    """Pairs of items that the same users chose soon after one another.

    Attributes:
        items: int64 ``[n, 2]``, the earlier and the later one, with repetitions.
    """

    items: Offsets

    @classmethod
    def of(cls, log: EventLog, readable: Mask, window: int) -> Pairs:
        """Find the pairs in a log.

        Args:
            log: the training events.
            readable: bool ``[n_items + 1]``, the items that have a text.
            window: the largest distance of a pair, in events.
        """
        is_readable = readable[log.item]
        user = np.repeat(np.arange(len(log.offsets) - 1), np.diff(log.offsets))[is_readable]
        item = log.item[is_readable].astype(np.int64)
        parts = []
        for apart in range(1, window + 1):
            earlier, later = item[:-apart], item[apart:]
            together = (user[:-apart] == user[apart:]) & (earlier != later)
            parts.append(np.stack([earlier[together], later[together]], axis=1))
        return cls(np.concatenate(parts))

    def log_chance(self, n_items: int) -> Tensor:
        """Return the logarithm of each item's probability to be in a pair, ``[n_items + 1]``."""
        counts = np.bincount(self.items.ravel(), minlength=n_items + 1)
        return torch.from_numpy(np.log(np.maximum(counts, 1) / max(self.items.size, 1)).astype(np.float32))


class PairBatches:
    """Pairs drawn with replacement, in batches of passages of similar length.

    Args:
        pairs: to draw from.
        passages: by item index, from 1.
        n: how many to draw.
        batch_size: pairs a batch.
        seed: of the draw and the order.
    """

    def __init__(self, pairs: Pairs, passages: Passages, *, n: int, batch_size: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        drawn = pairs.items[rng.integers(0, len(pairs.items), n)]  # [n, 2]
        lengths = passages.lengths[drawn - 1].max(axis=1)
        self.batches = [drawn[rows] for rows in batches_of_similar_length(lengths, batch_size, rng)]

    def __len__(self) -> int:
        return len(self.batches)

    def epoch(self, number: int, first: int = 0) -> Iterator[Offsets]:
        """See :class:`poise.train.loop.Batches`: int64 ``[batch_size, 2]``."""
        yield from self.batches[first:]


def contrastive_loss(first: Tensor, second: Tensor, pairs: Tensor, log_chance: Tensor, temperature: float) -> Tensor:
    """Return the InfoNCE loss of pairs with in-batch negatives, in both directions, a scalar.

    The source is van den Oord, Li and Vinyals, *Representation Learning with Contrastive Predictive Coding*, 2018.

    Args:
        first: unit vectors ``[n, dim]``.
        second: unit vectors ``[n, dim]``.
        pairs: int64 ``[n, 2]``, the items of these vectors; the same item elsewhere in the batch is not a negative.
        log_chance: ``[n_items + 1]``, see :meth:`Pairs.log_chance`; zeros for no correction.
        temperature: that cosines are divided by.
    """
    left, right = pairs[:, 0], pairs[:, 1]
    forth = in_batch_softmax(first, second, right, log_chance[right], temperature=temperature)
    back = in_batch_softmax(second, first, left, log_chance[left], temperature=temperature)
    return (forth + back) / 2
