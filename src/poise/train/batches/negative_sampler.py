"""Negatives: items that are drawn to be distinguished from the targets."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

NegativeSampling = Literal["uniform", "popularity"]


class NegativeSampler:
    """Draws items, one set for a whole batch: with replacement, or all there are where as many are asked for.

    Args:
        counts: int64 ``[n_items + 1]``, how many events each item has. Items without events are never drawn: they would
            be pushed down before anybody could have chosen them.
        negative_sampling: ``uniform``, each item as likely as any other, or ``popularity``, in proportion to its
            events.
    """

    def __init__(self, counts: Tensor, negative_sampling: NegativeSampling = "uniform") -> None:
        self.n_items = len(counts) - 1
        self.items = torch.nonzero(counts[1:] > 0).flatten() + 1  # [n_seen]
        weights = (
            counts[self.items].double() if negative_sampling == "popularity" else torch.ones(len(self.items)).double()
        )
        chances = weights / weights.sum()
        self._cumulative = chances.cumsum(0)
        self._log_chance = torch.full((len(counts),), -torch.inf)
        self._log_chance[self.items] = chances.log().float()

    def sample(self, n: int) -> Tensor:
        """Return ``n`` items, int64 ``[n]``, or each item once where there are no more than ``n``."""
        if n >= len(self.items):
            return self.items
        index = torch.searchsorted(self._cumulative, torch.rand(n, dtype=torch.float64) * self._cumulative[-1])
        return self.items[index.clamp_(max=len(self.items) - 1)]

    def log_expected(self, items: Tensor, n: int) -> Tensor:
        """Return the logarithm of how often each of ``items`` is expected among ``n``; minus infinity for never."""
        chance = self.log_chance(items)
        return torch.where(chance.isfinite(), 0.0, chance) if n >= len(self.items) else chance + math.log(n)

    def log_chance(self, items: Tensor) -> Tensor:
        """Return the logarithm of the chance with which each of ``items`` is drawn; minus infinity for never."""
        return self._log_chance[items]
