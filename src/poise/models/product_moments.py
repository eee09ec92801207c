"""What models share whose scores are products: those of candidates alone, and how the whole catalogue scores."""

from __future__ import annotations

import numpy as np

from poise.data.ragged import Ragged
from poise.types import Doubles, Floats


def products_of(requests: Floats, vectors: Floats, candidates: Ragged) -> Floats:
    """Return the product of each request with the vectors of its candidates, float32 ``[total]``.

    Args:
        requests: float32 ``[n, dim]``.
        vectors: float32 ``[n_items + 1, dim]``.
        candidates: ``n`` rows of item indices.
    """
    products = np.empty(len(candidates.values), dtype=np.float32)
    for row in range(len(candidates)):  # a request at a time: what is gathered then stays in the processor's cache
        part = slice(candidates.offsets[row], candidates.offsets[row + 1])
        products[part] = vectors[candidates.values[part]] @ requests[row]
    return products


class ProductMoments:
    """The mean and the standard deviation of a request's products with all items, without computing the products.

    The mean is the product with the mean vector; the mean square is a quadratic form in the vectors' second moments.

    Args:
        vectors: float32 ``[n_items + 1, dim]``; row 0 is padding.
    """

    def __init__(self, vectors: Floats) -> None:
        self.vectors = vectors
        self._of_size: dict[int, tuple[Doubles, Doubles]] = {}

    def of(self, requests: Floats, n_items: int, n_blank: int = 0) -> tuple[Floats, Floats]:
        """Return mean and standard deviation, float32 ``[n]`` each.

        Args:
            requests: float32 ``[n, dim]``.
            n_items: how many items to look at, from the first on.
            n_blank: how many of these have a zero vector because nothing is known of them; they do not count.
        """
        if n_items not in self._of_size:
            dim = self.vectors.shape[1]
            total: Doubles = np.zeros(dim)
            square: Doubles = np.zeros((dim, dim))
            for first in range(1, n_items + 1, 65_536):
                block = self.vectors[first : min(first + 65_536, n_items + 1)].astype(np.float64)
                total += block.sum(axis=0)
                square += block.T @ block
            self._of_size[n_items] = total, square
        total, square = self._of_size[n_items]
        count = max(n_items - n_blank, 1)
        exact = requests.astype(np.float64)
        mean = exact @ total / count
        variance = np.einsum("nd,de,ne->n", exact, square, exact, optimize=True) / count - mean**2
        return mean.astype(np.float32), np.sqrt(np.maximum(variance, 0)).astype(np.float32)
