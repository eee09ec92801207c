"""What an item is to a model: a vector that is learnt for it, what its content means, or both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from poise.types import Floats, Mask

DEVIATION = 0.02  # of the first own vectors; larger ones learn worse
MEANING_DEVIATION = 0.16  # of the first mapped ones, which are worth more from the start


class ItemTable(nn.Module):
    """Vectors of items: what each has learnt for itself, plus a linear map of what its content means.

    Args:
        n_items: without padding.
        dim: the length of a vector.
        meaning: float32 ``[n_items + 1, components]``, see :class:`Subspace`; None for own vectors alone.
        own: whether items have vectors of their own.
        hidden: the share of items whose own vectors are hidden in each training step, so that the model learns to tell
            items by their content alone, as it will have to with new ones.
    """

    def __init__(self, n_items: int, dim: int, meaning: Tensor | None, *, own: bool, hidden: float) -> None:
        super().__init__()
        self.n_items = n_items
        self.hidden = hidden if own and meaning is not None else 0.0
        self.own = nn.Parameter(torch.randn(n_items + 1, dim) * DEVIATION) if own else None
        self.register_buffer("meaning", meaning, persistent=False)
        self.adapt: nn.Linear | None = None
        if meaning is not None:
            self.adapt = nn.Linear(meaning.shape[1], dim, bias=False)
            nn.init.normal_(self.adapt.weight, std=MEANING_DEVIATION / meaning.shape[1] ** 0.5)

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return next(self.parameters()).device

    def draw_shown(self) -> Tensor:
        """Return which items' own vectors count in a training step, float ``[n_items + 1, 1]``; padding has none."""
        shown = (torch.rand(self.n_items + 1, 1, device=self.device) >= self.hidden).float()
        shown[0] = 0
        return shown

    def forward(self, items: Tensor, shown: Tensor) -> Tensor:
        """Return the vectors ``[..., dim]`` of ``items``, int64 ``[...]``; ``shown`` is as of :meth:`draw_shown`."""
        parts = []
        if self.own is not None:
            parts.append(self.own[items] * shown[items])
        if self.adapt is not None:
            parts.append(self.adapt(self.meaning[items]))  # type: ignore[index]
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]


@dataclass(frozen=True)
class Subspace:
    """The directions in which the vectors of items differ most, scaled so that each differs by as much.

    Attributes:
        mean: float32 ``[width]``, what the items have in common.
        directions: float32 ``[width, components]``, each divided by the deviation along it.
    """

    mean: Floats
    directions: Floats

    @classmethod
    def of(cls, vectors: Floats, learnt: Mask, components: int) -> Subspace:
        """Find the leading directions of the vectors of some items.

        Args:
            vectors: float32 ``[n_items + 1, width]``; a zero row has no meaning.
            learnt: bool ``[n_items + 1]``, the items to find them by.
            components: how many directions, at most; there are none where the items do not differ.
        """
        sample = vectors[np.any(vectors, axis=1) & learnt].astype(np.float64)
        if len(sample) < 2:
            return cls(np.zeros(vectors.shape[1], np.float32), np.zeros((vectors.shape[1], 0), np.float32))
        mean = sample.mean(axis=0)
        variance, directions = np.linalg.eigh(np.cov(sample - mean, rowvar=False))
        kept = np.argsort(-variance)[:components]
        kept = kept[variance[kept] > max(1e-9 * variance.max(), 1e-12)]
        scaled = directions[:, kept] / np.sqrt(variance[kept])
        return cls(mean.astype(np.float32), scaled.astype(np.float32))

    def project(self, vectors: Floats) -> Floats:
        """Return where vectors lie in it, float32 ``[n, components]``; a zero row stays zero."""
        known = np.any(vectors, axis=1, keepdims=True)
        return np.where(known, (vectors - self.mean) @ self.directions, np.float32(0))
