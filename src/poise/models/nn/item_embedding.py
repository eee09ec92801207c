"""Item embeddings: a learnt vector for each item, a projection of its content, or both."""

from __future__ import annotations

import torch
from torch import Tensor, nn

DEVIATION = 0.02  # of the first learnt vectors; larger ones learn worse
CONTENT_DEVIATION = 0.16  # of the first projected ones, which are worth more from the start


class ItemEmbedding(nn.Module):
    """Vectors of items: a learnt vector each, plus a linear map of their content.

    Args:
        n_items: without padding.
        dim: the length of a vector.
        content: float32 ``[n_items + 1, components]``, see :class:`~poise.models.content_projection.ContentProjection`;
            None for learnt vectors alone.
        id_embedding: whether each item has a learnt vector.
        id_dropout: the share of items whose learnt vectors are hidden in each training step, so that the model learns
            to recognise items by their content alone, as it must with new ones.
    """

    def __init__(
        self, n_items: int, dim: int, content: Tensor | None, *, id_embedding: bool, id_dropout: float
    ) -> None:
        super().__init__()
        self.n_items = n_items
        self.id_dropout = id_dropout if id_embedding and content is not None else 0.0
        self.id_embedding = nn.Parameter(torch.randn(n_items + 1, dim) * DEVIATION) if id_embedding else None
        self.register_buffer("content", content, persistent=False)
        self.content_projection: nn.Linear | None = None
        if content is not None:
            self.content_projection = nn.Linear(content.shape[1], dim, bias=False)
            nn.init.normal_(self.content_projection.weight, std=CONTENT_DEVIATION / content.shape[1] ** 0.5)

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return next(self.parameters()).device

    def draw_shown(self) -> Tensor:
        """Return which items' learnt vectors count in a training step, float ``[n_items + 1, 1]``; 0 for padding."""
        shown = (torch.rand(self.n_items + 1, 1, device=self.device) >= self.id_dropout).float()
        shown[0] = 0
        return shown

    def forward(self, items: Tensor, shown: Tensor) -> Tensor:
        """Return the vectors ``[..., dim]`` of ``items``, int64 ``[...]``; ``shown`` is as of :meth:`draw_shown`."""
        parts = []
        if self.id_embedding is not None:
            parts.append(self.id_embedding[items] * shown[items])
        if self.content_projection is not None:
            parts.append(self.content_projection(self.content[items]))  # type: ignore[index]
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]
