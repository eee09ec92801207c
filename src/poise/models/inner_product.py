"""What models share that encode a request as a vector and score each item by its product with it."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Self
from weakref import ref

import numpy as np
import numpy.typing as npt
from pydantic.dataclasses import dataclass

from poise.candidates import Candidates, hide_unwanted
from poise.data.dataset import Dataset
from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.models.cluster_index import ClusterIndex
from poise.models.hnsw_index import HNSWIndex
from poise.models.product_moments import ProductMoments, products_of
from poise.models.vectors import Products, cosine_scores
from poise.recommender import OPTIONS, Recommender
from poise.slates import Reason, Slates
from poise.types import Floats, Indices, Mask, Offsets

if TYPE_CHECKING:
    import torch
    from torch import Tensor

INDEXED_FROM = 200_000  # items, from which a walk along an index is so much quicker that building one is worth it
RETRIEVED_FROM = 20_000  # the same for a model that only brings candidates for another one
DEEPEST = 1_000  # items that are asked of an index at most; beyond, all products are as quick
_MARGIN = 32  # items more than are needed, since half precision puts some a little too low


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class InnerProduct(Recommender):
    """A model that turns a request into a vector; an item scores by the product of its own with it.

    For large catalogues the best items are found by an index (:mod:`poise.models.hnsw_index`, and for a retriever
    :mod:`poise.models.cluster_index`), and scored exactly.
    """

    @abstractmethod
    def encode_queries(self, queries: Queries) -> Tensor:
        """Return the query vector of each request, ``[n, dim]``."""

    def _is_personalized(self, queries: Queries) -> Mask:
        """Tell which requests have something to go by, bool ``[n]``: by default, a history."""
        return queries.lengths > 0

    def _set_vectors(self, table: Tensor, counts: Offsets, before: Products | None = None) -> None:
        """Hold on to the vectors of the items, ``[n_items + 1, dim]``, and to how many events each has."""
        import torch

        self.table = table
        self.counts = counts
        untouched = np.flatnonzero(counts[1:] == 0) + 1
        blank = ~table[torch.from_numpy(untouched).to(table.device)].any(dim=1)
        self.unscored = untouched[blank.cpu().numpy()]
        self._is_unscored = np.zeros(len(counts), dtype=np.bool_)
        self._is_unscored[self.unscored] = True
        vectors = table.cpu().numpy()
        self._moments = ProductMoments(vectors)
        self._longest = float(np.linalg.norm(vectors, axis=1).max())
        self._set_indices()
        self._products = Products(table, before)

    def _set_indices(self, neighbour_index: HNSWIndex | None = None, clusters: ClusterIndex | None = None) -> None:
        """Hold on to indices of the vectors, and tell which items stand in none."""
        self.neighbour_index, self.clusters = neighbour_index, clusters
        covered = self._is_unscored.copy()
        covered[0] = True
        for index in (neighbour_index, clusters):
            if index is not None:
                covered[index.items] = True
        self.uncovered = np.flatnonzero(~covered).astype(np.int32)

    def _indexable_items(self) -> Indices:
        """Return the items of which something is known, int32 ``[n]``."""
        return np.delete(np.arange(len(self.counts), dtype=np.int32), np.append(0, self.unscored))

    def _fitted(self, data: Dataset) -> Self:
        if data.n_items >= INDEXED_FROM:
            items = self._indexable_items()
            self._set_indices(HNSWIndex.build(self._moments.vectors[items], items))
        return super()._fitted(data)

    def _old_indices(self, data: Dataset) -> Offsets:
        """Return the index that each item of another catalogue has in this one, int64 ``[n_items + 1]``; 0 for none."""
        if data.item_ids.begins_with(self.item_ids):
            return np.pad(np.arange(self.item_ids.size), (0, len(data.item_ids) - len(self.item_ids)))
        return np.concatenate([[0], self.item_ids.index(data.item_ids.series)])

    def _move_vectors(self, old: Offsets, new_vectors: Tensor) -> None:
        """Move to another catalogue.

        Args:
            old: int64 ``[n_items + 1]``, the index that each of its items has in the present one; 0 for new ones.
            new_vectors: ``[n_new, dim]``, the vectors of the new ones, in their order.
        """
        import torch

        counts, index, clusters = self.counts, self.neighbour_index, self.clusters
        before = None
        if len(old) == len(counts) + len(new_vectors) and (old[: len(counts)] == np.arange(len(counts))).all():
            table, before = torch.cat([self.table, new_vectors]), self._products
        else:
            table = self.table[torch.from_numpy(old).to(self.table.device)]
            table[torch.from_numpy(new_items(old)).to(table.device)] = new_vectors
        self._set_vectors(table, np.where(old > 0, counts[old], 0), before)
        moved = np.zeros(len(counts), dtype=np.int32)
        moved[old] = np.arange(len(old))
        moved[0] = 0
        self._set_indices(
            None if index is None else index.moved(moved[index.items]),
            None if clusters is None else clusters.moved(moved[clusters.items]),
        )

    def _encoded(self, queries: Queries) -> Tensor:
        """Return :meth:`encode_queries`, which a retriever and a ranker of the same requests share."""
        import torch

        products, encoded = queries.encodings.get(id(self), (None, None))
        if products is None or products() is not self._products:  # while it learns, its vectors change
            with torch.inference_mode():
                encoded = self.encode_queries(queries)
            queries.encodings[id(self)] = ref(self._products), encoded
        vectors: Tensor = encoded
        return vectors

    def score(self, queries: Queries) -> Floats:
        """See :meth:`Recommender.score`: products of query vectors and item vectors.

        Where nothing is known to go by, items score by the number of their events. Items of which nothing is known,
        neither an event nor content, come last.
        """
        import torch

        personalized = self._is_personalized(queries)
        if not personalized.all():
            scores = np.empty((len(queries), len(self.counts)), dtype=np.float32)
            scores[~personalized] = np.log1p(self.counts)
            if personalized.any():
                scores[personalized] = self.score(queries.take(personalized))
            return scores
        with torch.inference_mode():
            encoded = self._encoded(queries)
            scores = self._products.of(encoded).cpu().numpy()
        if len(self.unscored):
            scores[:, self.unscored] = self._least(encoded)[:, None]
        return scores

    def score_candidates(self, queries: Queries, candidates: Ragged) -> Floats:
        """See :meth:`Recommender.score_candidates`."""
        personalized = self._is_personalized(queries)
        if not personalized.all():
            scores = np.log1p(self.counts[candidates.values]).astype(np.float32)
            if personalized.any():
                of_personalized = candidates.take(np.flatnonzero(personalized))
                scores[personalized[candidates.rows]] = self.score_candidates(
                    queries.take(personalized), of_personalized
                )
            return scores
        encoded = self._encoded(queries)
        scores = products_of(encoded.cpu().numpy(), self._moments.vectors, candidates)
        if len(self.unscored):
            blank = self._is_unscored[candidates.values]
            scores[blank] = self._least(encoded)[candidates.rows[blank]]
        return scores

    def score_with_moments(
        self, queries: Queries, candidates: Ragged, n_items: int | None = None
    ) -> tuple[Floats, Floats, Floats]:
        """See :meth:`Recommender.score_with_moments`; the items of :attr:`unscored` do not count."""
        count = n_items or queries.n_items
        personalized = self._is_personalized(queries)
        mean, deviation = (np.zeros(len(queries), dtype=np.float32) for _ in range(2))
        if not personalized.all():
            counted = np.log1p(self.counts[1 : count + 1][~self._is_unscored[1 : count + 1]])
            mean[~personalized], deviation[~personalized] = (counted.mean(), counted.std()) if len(counted) else (0, 0)
        if personalized.any():
            n_blank = int(self._is_unscored[1 : count + 1].sum())
            personalized_queries = queries if personalized.all() else queries.take(personalized)
            mean[personalized], deviation[personalized] = self._moments.of(
                self._encoded(personalized_queries).cpu().numpy(), count, n_blank
            )
        return self.score_candidates(queries, candidates), mean, deviation

    def _least(self, encoded: Tensor) -> Floats:
        """Return a score below those of all items, float32 ``[n]``: no product exceeds the two lengths."""
        least: Floats = -self._longest * np.linalg.norm(encoded.cpu().numpy(), axis=1)
        return least

    def explain(self, queries: Queries, items: Indices) -> list[list[list[Reason]]]:
        """See :meth:`Recommender.explain`: that items are popular, where nothing is known to go by."""
        explained = super().explain(queries, items)
        for row in np.flatnonzero(~self._is_personalized(queries)):
            explained[row] = [[Reason("popular")] for _ in items[row]]
        return explained

    def index_items(self) -> None:
        """See :meth:`Recommender.index_items`: clusters of the vectors, from :data:`RETRIEVED_FROM` items on."""
        if self.clusters is None and len(self.item_ids) >= RETRIEVED_FROM:
            items = self._indexable_items()
            self._set_indices(clusters=ClusterIndex.build(self._moments.vectors[items], items))

    def retrieve(self, queries: Queries, k: int) -> Slates:
        """See :meth:`Recommender.retrieve`: of a large catalogue, what an index brings, scored exactly."""
        if (self.clusters is None and self.neighbour_index is None) or queries.candidates is not None:
            return super().retrieve(queries, k)
        items = np.zeros((len(queries), k), dtype=np.int32)
        values = np.full((len(queries), k), -np.inf, dtype=np.float32)
        depth = self._depth(queries, k)
        indexed = self._is_personalized(queries) & (depth <= DEEPEST)
        answered = np.zeros(len(queries), dtype=np.bool_)
        if indexed.any():
            indexed_queries = queries if indexed.all() else queries.take(indexed)
            best = self._search(self._encoded(indexed_queries).cpu().numpy(), int(depth[indexed].max()))
            hide_unwanted(best, indexed_queries)
            slates = Slates.of(best.top(k), self.item_ids)
            items[indexed, : slates.items.shape[1]] = slates.items
            values[indexed, : slates.items.shape[1]] = slates.scores
            answered[indexed] = np.count_nonzero(items[indexed], axis=1) == k
        if not answered.all():  # nothing is known of the user, or nearly all items are hidden
            rest = super().retrieve(queries.take(~answered), k)
            items[~answered], values[~answered] = rest.items, rest.scores
        return Slates(items, values, np.ones_like(values), self.item_ids)

    def _search(self, vectors: Floats, depth: int) -> Candidates:
        """Return about the ``depth`` best items of each request, and all that no index covers, with exact scores."""
        if self.clusters is not None:
            items, products = self.clusters.search(vectors, depth)
        else:
            assert self.neighbour_index is not None
            items = self.neighbour_index.search(vectors, depth)
            flat = Ragged(items.reshape(-1), np.arange(len(items) + 1) * items.shape[1])
            products = products_of(vectors, self._moments.vectors, flat).reshape(items.shape)
            products[items == 0] = -np.inf
        items = np.hstack([items, np.broadcast_to(self.uncovered, (len(items), len(self.uncovered)))])
        products = np.hstack([products, vectors @ self._moments.vectors[self.uncovered].T])
        nothing = np.zeros(len(items), dtype=np.float32)
        return Candidates(products, items, nothing, nothing)

    def _depth(self, queries: Queries, k: int) -> Offsets:
        """Return how many neighbours to ask for, int64 ``[n]``, so that ``k`` are left when the unwanted are gone."""
        depth = k + queries.seen().lengths + _MARGIN
        if queries.allowed is None:
            return depth
        shares = {id(mask): max(float(mask.mean()), 1e-9) for mask in queries.allowed}
        share = np.array([shares[id(mask)] for mask in queries.allowed])
        within: Offsets = np.minimum(depth / share, DEEPEST + 1).astype(np.int64)
        return within

    def similarity(self, items: Indices) -> Floats:
        """See :meth:`Recommender.similarity`."""
        return cosine_scores(self.table.cpu().numpy(), items)

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        arrays = {"table": self.table.cpu().numpy(), "counts": self.counts}
        if self.neighbour_index is not None:
            arrays |= {"neighbours": self.neighbour_index.to_array(), "neighbours.items": self.neighbour_index.items}
        if self.clusters is not None:
            arrays |= {f"clusters.{name}": array for name, array in self.clusters.to_arrays().items()}
        return arrays

    def _restore_vectors(self, arrays: dict[str, npt.NDArray[Any]], device: torch.device) -> None:
        import torch

        self._set_vectors(torch.from_numpy(arrays["table"]).to(device), arrays["counts"])
        index = clusters = None
        if "neighbours" in arrays:
            index = HNSWIndex.from_array(arrays["neighbours"], arrays["neighbours.items"])
        if "clusters.items" in arrays:
            clusters = ClusterIndex.from_arrays(under("clusters.", arrays), arrays["table"])
        self._set_indices(index, clusters)


def new_items(old: Offsets) -> Offsets:
    """Return the items of a catalogue that have no index in the one before, int64 ``[n_new]``.

    Args:
        old: int64 ``[n_items + 1]``, what index each item has there; 0 for none.
    """
    return np.flatnonzero(old[1:] == 0) + 1


def under(prefix: str, arrays: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays whose names begin with ``prefix``, by the rest of the name."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
