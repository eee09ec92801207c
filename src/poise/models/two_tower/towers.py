"""The two towers: what an item is, and what a request asks for, as vectors of one space."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional

from poise.models.nn.item_embedding import CONTENT_DEVIATION, DEVIATION
from poise.types import Offsets

DECAY = 0.8  # of the first weights of a history: how much an event counts in comparison with the one after it


class Columns(nn.Module):
    """A linear map of the features of columns.

    Args:
        width: the number of features.
        dim: the length of the vectors.
    """

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, dim) * DEVIATION)

    def forward(self, features: sparse.csr_array) -> Tensor:
        """Return ``[n, dim]`` for features ``[n, width]``."""
        device = self.weight.device
        return functional.embedding_bag(
            torch.from_numpy(features.indices.astype(np.int64)).to(device),
            self.weight,
            torch.from_numpy(features.indptr[:-1].astype(np.int64)).to(device),
            mode="sum",
            per_sample_weights=torch.from_numpy(features.data).to(device),
        )


class ItemTower(nn.Module):
    """Turns the id vector of an item, its content and the features of its columns into a vector.

    Args:
        content: the length of the vectors of content; 0 for none.
        columns: the number of features of columns; 0 for none.
        dim: the length of the vectors.
        dropout: the share of numbers that are dropped inside while it learns.
    """

    def __init__(self, content: int, columns: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.content_projection = nn.Linear(content, dim, bias=False) if content else None
        if self.content_projection is not None:
            nn.init.normal_(self.content_projection.weight, std=CONTENT_DEVIATION / content**0.5)
        self.columns = Columns(columns, dim) if columns else None
        self.layers = _layers(dim, dim, dropout)

    def forward(self, id_vectors: Tensor, content: Tensor, columns: sparse.csr_array) -> Tensor:
        """Return ``[n, dim]``.

        Args:
            id_vectors: ``[n, dim]``, learnt for each item; zero where it is dropped.
            content: ``[n, components]``.
            columns: float32 ``[n, width]``.
        """
        x = id_vectors
        if self.content_projection is not None:
            x = x + self.content_projection(content)
        if self.columns is not None:
            x = x + self.columns(columns)
        return x + self.layers(x)  # type: ignore[no-any-return]


class RequestTower(nn.Module):
    """Turns a history, the features of the user and the context into the vector that items are compared with.

    Args:
        max_length: how many events back a history goes.
        users: the number of features of users; 0 for none.
        context: the number of features of the context; 0 for none.
        dim: the length of the vectors.
        dropout: the share of numbers that are dropped inside while it learns.
    """

    def __init__(self, max_length: int, users: int, context: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.arange(max_length) * np.log(DECAY))  # logarithms, of the newest event first
        self.users = Columns(users, dim) if users else None
        self.context = Columns(context, dim) if context else None
        parts = 1 + bool(users) + bool(context)
        self.layers = _layers(parts * dim, dim, dropout)

    def forward(
        self,
        items: Tensor,
        places: Tensor,
        offsets: Offsets,
        users: sparse.csr_array,
        context: sparse.csr_array,
    ) -> Tensor:
        """Return ``[n, dim]``.

        Args:
            items: ``[m, dim]``, vectors of items.
            places: int64 ``[total]``, the rows of ``items`` that the histories are of, oldest first, laid end to end.
            offsets: int64 ``[n + 1]``, where each history starts there; at most ``max_length`` are read.
            users: float32 ``[n, features]``.
            context: the same.
        """
        lengths = np.diff(offsets)
        age = np.repeat(offsets[1:], lengths) - 1 - np.arange(offsets[-1])
        weights = self.weights.exp()[torch.from_numpy(age).to(places.device)]  # [total]
        bags = torch.from_numpy(offsets[:-1]).to(places.device)
        total = torch.from_numpy(np.repeat(np.arange(len(lengths)), lengths)).to(places.device)
        norm = weights.new_zeros(len(lengths)).index_add(0, total, weights)
        history = functional.embedding_bag(
            places, items, bags, mode="sum", per_sample_weights=weights / norm[total]
        )  # [n, dim]
        parts = [history]
        if self.users is not None:
            parts.append(self.users(users))
        if self.context is not None:
            parts.append(self.context(context))
        return history + self.layers(torch.cat(parts, dim=1))  # type: ignore[no-any-return]


class Towers(nn.Module):
    """The tower of items and the tower of requests."""

    def __init__(self, items: ItemTower, requests: RequestTower) -> None:
        super().__init__()
        self.items = items
        self.requests = requests


def _layers(width: int, dim: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(width), nn.Linear(width, 2 * dim), nn.SiLU(), nn.Dropout(dropout), nn.Linear(2 * dim, dim)
    )
