"""An index of vectors in clusters that finds large inner products for many queries at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from poise.data.ragged import gather_slices
from poise.types import Floats, Indices, Offsets

if TYPE_CHECKING:
    from torch import Tensor

ITERATIONS = 8  # of k-means, on a sample
SAMPLE_PER_CLUSTER = 64
SPREAD = 3.0  # deviations above the mean, where the best of a few hundred lies
PROBED = 32  # clusters that a search looks into, at least
FEW = 4  # queries, for which the vectors of all their clusters are gathered at once


@dataclass(frozen=True)
class ClusterIndex:
    """Vectors sorted into clusters; a search computes the products with those of the nearest clusters alone.

    It is built in seconds, and a search for a batch of queries is a few matrix products, so it suits a retriever, whose
    candidates another model ranks. For the few best of one query a graph (:mod:`poise.models.hnsw_index`) misses less.
    The source is Jégou, Douze and Schmid, *Product Quantization for Nearest Neighbor Search*, 2011, without the
    quantisation; clusters are made by Lloyd's k-means.

    Attributes:
        centroids: float32 ``[n_clusters, dim]``, the mean vector of each cluster.
        variances: float32 ``[n_clusters, dim]``, how far the vectors of each lie about it.
        vectors: float32 ``[n, dim]``, those of a cluster one after the other.
        items: int32 ``[n]``, the item of each vector; 0 for one that is no longer there.
        offsets: int64 ``[n_clusters + 1]``, where each cluster begins.
    """

    centroids: Tensor
    variances: Tensor
    vectors: Tensor
    items: Indices
    offsets: Offsets

    @classmethod
    def build(cls, vectors: Floats, items: Indices, *, seed: int = 0) -> Self:
        """Cluster some vectors.

        Args:
            vectors: float32 ``[n, dim]``, at least one.
            items: int32 ``[n]``, the item of each.
            seed: of the sample that the clusters are learnt from.
        """
        import torch

        table = torch.from_numpy(vectors)
        centroids = _k_means(table, max(1, round(2 * len(vectors) ** 0.5)), np.random.default_rng(seed))
        nearest = _nearest(table, centroids).numpy()
        order = np.argsort(nearest, kind="stable")
        sizes = np.bincount(nearest, minlength=len(centroids))
        sizes = _evenly(sizes)
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return cls.of_clusters(table[torch.from_numpy(order)], items[order], offsets)

    @classmethod
    def of_clusters(cls, vectors: Tensor, items: Indices, offsets: Offsets) -> Self:
        """Take vectors that are clustered already: see :class:`ClusterIndex`."""
        import torch

        parts = torch.tensor_split(vectors, torch.from_numpy(offsets[1:-1]))
        means = torch.stack([part.mean(dim=0) for part in parts])
        variances = torch.stack([part.var(dim=0, correction=0) for part in parts])
        return cls(means, variances, vectors, items, offsets)

    def search(self, queries: Floats, k: int) -> tuple[Indices, Floats]:
        """Return about the ``k`` items whose vectors have the largest products with each query.

        Args:
            queries: float32 ``[n, dim]``.
            k: how many.

        Returns:
            items int32 ``[n, k or fewer]``, best first, 0 where fewer were looked at, and the products, float32.
        """
        import torch

        sizes = np.diff(self.offsets)
        enough = -(-2 * k * len(sizes) // len(self.items))  # clusters that hold twice as many as are wanted
        n_probed = min(max(PROBED, enough), len(sizes))
        query_vectors = torch.from_numpy(np.ascontiguousarray(queries))
        # What is looked for is the best of a cluster, not its mean: products spread about it.
        promise = query_vectors @ self.centroids.T + SPREAD * (query_vectors**2 @ self.variances.T).sqrt_()
        probed = torch.topk(promise, n_probed, dim=1).indices.numpy()  # [n, n_probed]
        if len(queries) <= FEW:
            parts = [
                self._best_of_one(query, clusters, k) for query, clusters in zip(query_vectors, probed, strict=True)
            ]
            width = max(len(positions) for positions, _ in parts)
            position = np.stack([np.pad(positions, (0, width - len(positions))) for positions, _ in parts])
            values = np.full((len(parts), width), -np.inf, dtype=np.float32)
            for row, (_, products) in enumerate(parts):
                values[row, : len(products)] = products
        else:
            position, values = self._best_of_many(query_vectors, probed, k)
        is_real = values > -np.inf
        return np.where(is_real, self.items[np.where(is_real, position, 0)], 0).astype(np.int32), values

    def _best_of_one(self, query: Tensor, clusters: Offsets, k: int) -> tuple[Offsets, Floats]:
        """Return the positions of the best vectors of some clusters, int64 ``[k or fewer]``, and their products."""
        import torch

        positions, _ = gather_slices(self.offsets[clusters], self.offsets[clusters + 1])
        products = self.vectors.index_select(0, torch.from_numpy(positions)) @ query
        best = torch.topk(products, min(k, len(products)))
        return positions[best.indices.numpy()], best.values.numpy()

    def _best_of_many(self, queries: Tensor, probed: Offsets, k: int) -> tuple[Offsets, Floats]:
        """Return the same for many queries, ``[n, k or fewer]``; the products are minus infinity where none is left."""
        import torch

        n, n_probed = probed.shape
        width = int(np.diff(self.offsets).max())
        products = torch.full((n, n_probed, width), -torch.inf)
        order = np.argsort(probed, axis=None, kind="stable")
        row, place = np.divmod(order, n_probed)
        clusters, first = np.unique(probed.reshape(-1)[order], return_index=True)
        rows, places = torch.from_numpy(row), torch.from_numpy(place)
        for cluster, start, stop in zip(clusters, first, np.append(first[1:], len(order)), strict=True):
            vectors = self.vectors[self.offsets[cluster] : self.offsets[cluster + 1]]
            asking = rows[start:stop]
            products[asking, places[start:stop], : len(vectors)] = queries[asking] @ vectors.T
        best = torch.topk(products.reshape(n, -1), min(k, n_probed * width), dim=1)
        place, within = np.divmod(best.indices.numpy(), width)
        return self.offsets[:-1][np.take_along_axis(probed, place, axis=1)] + within, best.values.numpy()

    def moved(self, items: Indices) -> ClusterIndex:
        """Return the same index for another catalogue; ``items``, int32 ``[n]``, is what each vector is there."""
        return replace(self, items=items)

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return what :meth:`from_arrays` needs besides the vectors of the items."""
        return {"items": self.items, "offsets": self.offsets}

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[np.generic]], table: Floats) -> Self:
        """Make an index again of what :meth:`to_arrays` gave; ``table``, ``[n_items + 1, dim]``, has all vectors."""
        import torch

        items = arrays["items"].astype(np.int32)
        return cls.of_clusters(torch.from_numpy(table[items]), items, arrays["offsets"].astype(np.int64))


def _k_means(table: Tensor, n_clusters: int, rng: np.random.Generator) -> Tensor:
    """Return the centres of clusters, ``[n_clusters, dim]``, learnt from a sample."""
    import torch

    sample = table
    if len(table) > SAMPLE_PER_CLUSTER * n_clusters:
        sample = table[torch.from_numpy(rng.choice(len(table), SAMPLE_PER_CLUSTER * n_clusters, replace=False))]
    n_clusters = min(n_clusters, len(sample))
    centroids = sample[torch.from_numpy(rng.choice(len(sample), n_clusters, replace=False))].clone()
    for _ in range(ITERATIONS):
        nearest = _nearest(sample, centroids)
        sums = torch.zeros_like(centroids).index_add_(0, nearest, sample)
        counts = torch.bincount(nearest, minlength=n_clusters)[:, None]
        centroids = torch.where(counts > 0, sums / counts.clamp(min=1), centroids)  # an empty cluster stays where it is
    return centroids


def _nearest(table: Tensor, centroids: Tensor) -> Tensor:
    """Return which centre is nearest to each vector, int64 ``[n]``."""
    import torch

    half_square = (centroids**2).sum(dim=1) / 2
    parts = [(part @ centroids.T - half_square).argmax(dim=1) for part in torch.split(table, 16_384)]
    return torch.cat(parts)


def _evenly(sizes: Offsets) -> Offsets:
    """Return the sizes when empty clusters are left out, and those above twice the mean size are cut into chunks."""
    most = max(1, 2 * int(sizes.sum()) // len(sizes))
    sizes = sizes[sizes > 0]
    chunks = -(-sizes // most)
    cut = np.full(chunks.sum(), most)
    cut[np.cumsum(chunks) - 1] = sizes - most * (chunks - 1)
    return cut
