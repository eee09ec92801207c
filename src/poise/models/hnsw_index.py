"""An index of vectors that finds the largest inner products without computing all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from poise.types import Floats, Indices, Offsets

if TYPE_CHECKING:
    from usearch.index import Index

CONNECTIVITY = 16  # links of a vector
BREADTH_OF_BUILDING = 128
BREADTH_OF_SEARCH = 128  # vectors that a search keeps in view, at least; more cost time and miss less


@dataclass(frozen=True)
class HNSWIndex:
    """A graph of near vectors that a search walks along, in half precision, held in memory.

    The sources are Malkov and Yashunin, *Efficient and Robust Approximate Nearest Neighbor Search Using Hierarchical
    Navigable Small World Graphs*, 2020, and for inner products of vectors of any length Morozov and Babenko,
    *Non-metric Similarity Graphs for Maximum Inner Product Search*, 2018. Turning products into angles by one more
    dimension (Bachrach et al., *Speeding Up the Xbox Recommender System Using a Euclidean Transformation for
    Inner-Product Spaces*, 2014) found far fewer where lengths differ: half precision cannot tell such angles apart.

    Attributes:
        index: the graph; its keys are rows of ``items``.
        items: int32 ``[n]``, the item of each vector; 0 for one that is no longer there.
    """

    index: Index
    items: Indices

    @classmethod
    def build(cls, vectors: Floats, items: Indices, *, threads: int = 0) -> Self:
        """Index some vectors.

        Args:
            vectors: float32 ``[n, dim]``.
            items: int32 ``[n]``, the item of each.
            threads: of the processor; 0 for all. With several, the graph depends on chance a little.
        """
        from usearch.index import Index

        index = Index(
            ndim=vectors.shape[1],
            metric="ip",
            dtype="f16",
            connectivity=CONNECTIVITY,
            expansion_add=BREADTH_OF_BUILDING,
        )
        index.add(np.arange(len(vectors)), vectors, threads=threads)
        return cls(index, items)

    def search(self, queries: Floats, k: int) -> Indices:
        """Return about the ``k`` items whose vectors have the largest products with each query.

        Args:
            queries: float32 ``[n, dim]``.
            k: how many.

        Returns:
            items int32 ``[n, k or fewer]``, best first, 0 where fewer were found.
        """
        self.index.expansion_search = max(BREADTH_OF_SEARCH, k)
        k = min(k, len(self.index))
        items = np.zeros((len(queries), k), dtype=np.int32)
        for row, query in enumerate(np.ascontiguousarray(queries)):
            keys: Offsets = self.index.search(query, k, threads=1).keys.astype(np.int64)
            items[row, : len(keys)] = self.items[keys]
        return items

    def moved(self, items: Indices) -> HNSWIndex:
        """Return the same index for another catalogue; ``items``, int32 ``[n]``, is what each vector is there."""
        return HNSWIndex(self.index, items)

    def to_array(self) -> npt.NDArray[np.uint8]:
        """Return the graph as bytes, uint8 ``[size]``."""
        return np.frombuffer(self.index.save(), dtype=np.uint8)

    @classmethod
    def from_array(cls, saved: npt.NDArray[np.uint8], items: Indices) -> Self:
        """Read what :meth:`to_array` wrote."""
        from usearch.index import Index

        return cls(Index.restore(saved.tobytes()), items)
