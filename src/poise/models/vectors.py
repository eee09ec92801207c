"""What models share that give each item a vector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from poise.types import Floats, Indices

if TYPE_CHECKING:
    from torch import Tensor

LARGE = 200_000  # items, from which the memory for a second copy of their vectors is too much


def unit(vectors: Floats) -> Floats:
    """Return the rows scaled to length 1; a zero row stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0))


def cosine_scores(vectors: Floats, items: Indices) -> Floats:
    """Return the cosine between the vectors of ``items`` and of every item, float32 ``[n, n_items + 1]``."""
    directions = unit(vectors)
    return directions[items] @ directions.T


class Products:
    """Products of requests with the vectors of items, by columns that lie together: for few requests, in half the time.

    Args:
        vectors: ``[n, dim]``.
        before: those of the first of these vectors: what was made for them is used again.
    """

    def __init__(self, vectors: Tensor, before: Products | None = None) -> None:
        self.vectors = vectors
        made = None if before is None else before._columns
        large = len(vectors) >= LARGE  # too much memory for a second copy
        enough = made is not None and made.shape[1] > 0.9 * len(vectors)
        self._columns: Tensor | None = vectors[:0].T if large else made if enough else None

    def of(self, requests: Tensor) -> Tensor:
        """Return the product of each of ``requests``, ``[n_requests, dim]``, with each vector, ``[n_requests, n]``."""
        import torch

        if self._columns is None:
            self._columns = self.vectors.T.contiguous()
        made = self._columns.shape[1]
        if made == len(self.vectors):
            return requests @ self._columns
        products = requests.new_empty(len(requests), len(self.vectors))
        torch.mm(requests, self._columns, out=products[:, :made])
        torch.mm(requests, self.vectors[made:].T, out=products[:, made:])
        return products


def weighted_sums(weights: sparse.csr_array, vectors: Floats) -> Floats:
    """Return ``weights @ vectors``, float32 ``[n, dim]``.

    It is bound by how quickly the rows of ``vectors`` can be read, and this reads each once and in order.

    Args:
        weights: float32 ``[n, m]``.
        vectors: float32 ``[m or fewer, dim]``; where there are fewer, the others are zero.
    """
    import torch

    if weights.shape[1] > len(vectors):
        weights = weights[:, : len(vectors)]
    with torch.inference_mode():
        summed = torch.nn.functional.embedding_bag(
            torch.from_numpy(weights.indices),
            torch.from_numpy(vectors),
            torch.from_numpy(weights.indptr[:-1]),
            mode="sum",
            per_sample_weights=torch.from_numpy(weights.data),
        )
    return summed.numpy()
