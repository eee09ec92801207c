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


def columns(vectors: Tensor) -> Tensor:
    """Return vectors ``[n, dim]`` as columns, ``[dim, n]``.

    They lie together then, with which a product with few requests takes half the time, unless there are many of them.
    """
    return vectors.T if len(vectors) >= LARGE else vectors.T.contiguous()


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
