"""What an item is to a model: a vector that is learnt for it, what its content means, or both."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from poise.types import Floats, Mask

Mode = Literal["fused", "text", "id"]

DEVIATION = 0.02  # of the first vectors; larger ones learn worse


class ItemTable(nn.Module):
    """Vectors of items, ``[..., dim]`` for indices ``[...]``.

    Args:
        n_items: without padding.
        dim: the length of a vector.
        meaning: ``[n_items + 1, components]``, what the items mean, see :func:`leading_components`; None for ids alone.
        ids: whether each item has a vector of its own.
        forgotten: the share of items whose own vectors are hidden at a time while the model learns, so that it learns
            to get along with meaning alone.
    """

    def __init__(self, n_items: int, dim: int, meaning: Tensor | None, *, ids: bool, forgotten: float) -> None:
        super().__init__()
        self.n_items = n_items
        self.forgotten = forgotten if meaning is not None else 0.0
        self.own: nn.Parameter | None = None
        if ids:
            self.own = nn.Parameter(torch.randn(n_items + 1, dim) * DEVIATION)
        self.register_buffer("meaning", meaning, persistent=False)
        self.adapt: nn.Linear | None = None
        if meaning is not None:
            self.adapt = nn.Linear(meaning.shape[1], dim, bias=False)
            nn.init.normal_(self.adapt.weight, std=DEVIATION / meaning.shape[1] ** 0.5)

    def view(self) -> Tensor | None:
        """Return which items' own vectors count for now, ``[n_items + 1, 1]``; None for all."""
        if not (self.training and self.forgotten and self.own is not None):
            return None
        return (torch.rand(self.n_items + 1, 1, device=self.own.device) >= self.forgotten).to(self.own.dtype)

    def forward(self, items: Tensor, view: Tensor | None = None) -> Tensor:
        """Return the vectors of ``items``."""
        total: Tensor | float = 0.0
        if self.own is not None:
            own = self.own[items]
            total = own if view is None else own * view[items]
        if self.adapt is not None:
            total = total + self.adapt(self.meaning[items])  # type: ignore[index]
        return total  # type: ignore[return-value]


def leading_components(vectors: Floats, learnt: Mask, components: int) -> Floats:
    """Return the vectors in the directions in which they differ most, each scaled to deviation 1.

    Args:
        vectors: float32 ``[n_items + 1, width]``; a zero row has no meaning and stays zero.
        learnt: bool ``[n_items + 1]``, the items to find the directions by.
        components: how many directions, at most.

    Returns:
        float32 ``[n_items + 1, components]``.
    """
    known = np.any(vectors, axis=1)
    sample = vectors[known & learnt].astype(np.float64)
    mean = sample.mean(axis=0)
    variance, directions = np.linalg.eigh(np.cov(sample - mean, rowvar=False))
    kept = np.argsort(-variance)[:components]
    kept = kept[variance[kept] > 1e-9 * variance.max()]
    scaled = (vectors - mean) @ (directions[:, kept] / np.sqrt(variance[kept]))
    return np.where(known[:, None], scaled, 0).astype(np.float32)
