"""What models share that give each item a vector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from poise.types import Floats, Indices

if TYPE_CHECKING:
    from torch import Tensor

LARGE = 200_000  # items, from which the memory for a second copy of their vectors is too much
MANY = 1_000_000  # numbers in all vectors, up to which they stay in the processor's cache
FEW = 64  # requests, up to which reading the vectors takes longer than multiplying them


def unit(vectors: Floats) -> Floats:
    """Return the rows scaled to length 1; a zero row stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0))


def cosine_scores(vectors: Floats, items: Indices) -> Floats:
    """Return the cosine between the vectors of ``items`` and of every item, float32 ``[n, n_items + 1]``."""
    directions = unit(vectors)
    return directions[items] @ directions.T


class Products:
    """Products of requests with the vectors of items. Where these are many, a few requests take half the time.

    For them the vectors are held a second time with 16 bits a number, where the library can multiply those with the 32
    bits of the requests and add up in 32 bits: scores change by a ten-thousandth of the lengths of the two vectors.

    Args:
        vectors: ``[n, dim]``.
        before: those of the first of these vectors: what was made for them is used again.
    """

    def __init__(self, vectors: Tensor, before: Products | None = None) -> None:
        self.vectors = vectors
        self._packed: _Packed | None = None
        if before is not None and before._packed is not None and before._packed.n > 0.9 * len(vectors):
            self._packed = before._packed

    def of(self, requests: Tensor) -> Tensor:
        """Return the product of each of ``requests``, ``[n_requests, dim]``, with each vector, ``[n_requests, n]``."""
        if len(requests) > FEW or not _is_worth_packing(self.vectors):
            return requests @ self.vectors.T
        if self._packed is None:
            self._packed = _Packed(self.vectors)
        packed = self._packed
        products = packed.of(requests)
        if packed.n == len(self.vectors):
            return products
        all_products = requests.new_empty(len(requests), len(self.vectors))
        all_products[:, : packed.n] = products
        all_products[:, packed.n :] = requests @ self.vectors[packed.n :].T
        return all_products


class _Packed:
    """Vectors with 16 bits a number, in the order in which the library reads them."""

    def __init__(self, vectors: Tensor) -> None:
        import torch

        self.n = len(vectors)
        self._scale = max(float(vectors.abs().max()), torch.finfo(torch.float32).tiny)  # 16 bits end at 65,504
        self._vectors = torch.ops.quantized.linear_prepack_fp16(vectors / self._scale, None)

    def of(self, requests: Tensor) -> Tensor:
        import torch

        products: Tensor = torch.ops.quantized.linear_dynamic_fp16(requests * self._scale, self._vectors)
        return products


def _is_worth_packing(vectors: Tensor) -> bool:
    """Tell whether reading the vectors takes long, a second copy has room, and the library knows how."""
    import torch

    if vectors.numel() < MANY or len(vectors) >= LARGE or vectors.device.type != "cpu":
        return False
    return "fbgemm" in torch.backends.quantized.supported_engines


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
