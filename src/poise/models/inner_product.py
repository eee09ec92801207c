"""What models share that encode a request as a vector and score each item by its product with it."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Self
from weakref import ref

import numpy as np
import numpy.typing as npt
from pydantic.dataclasses import dataclass

from poise.data.dataset import Dataset
from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.models.hnsw_index import HNSWIndex
from poise.models.product_moments import ProductMoments, products_of
from poise.models.vectors import Products, cosine_scores
from poise.recommender import OPTIONS, Recommender
from poise.slates import Reason, Slates
from poise.top_k import top_k
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

    For large catalogues the best items are found by an index (:mod:`poise.models.hnsw_index`), and scored exactly.
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
        self.neighbour_index: HNSWIndex | None = None
        self._products = Products(table, before)

    def _set_neighbour_index(self, index: HNSWIndex | None) -> None:
        self.neighbour_index = index
        if index is not None:
            covered = np.zeros(len(self.counts), dtype=np.bool_)
            covered[index.items] = True
            covered[self.unscored] = True
            covered[0] = True
            self.uncovered = np.flatnonzero(~covered).astype(np.int32)

    def _fitted(self, data: Dataset) -> Self:
        if data.n_items >= INDEXED_FROM:
            self._build_index()
        return super()._fitted(data)

    def _build_index(self) -> None:
        items = np.delete(np.arange(len(self.counts), dtype=np.int32), np.append(0, self.unscored))
        self._set_neighbour_index(HNSWIndex.build(self.table.cpu().numpy()[items], items))

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

        counts, index = self.counts, self.neighbour_index
        before = None
        if len(old) == len(counts) + len(new_vectors) and (old[: len(counts)] == np.arange(len(counts))).all():
            table, before = torch.cat([self.table, new_vectors]), self._products
        else:
            table = self.table[torch.from_numpy(old).to(self.table.device)]
            table[torch.from_numpy(new_items(old)).to(table.device)] = new_vectors
        self._set_vectors(table, np.where(old > 0, counts[old], 0), before)
        if index is not None:
            moved = np.zeros(len(counts), dtype=np.int32)
            moved[old] = np.arange(len(old))
            moved[0] = 0
            self._set_neighbour_index(index.moved(moved[index.items]))

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
        counted = np.log1p(self.counts[1 : count + 1][~self._is_unscored[1 : count + 1]]).astype(np.float32)
        mean = np.full(len(queries), counted.mean() if len(counted) else 0, dtype=np.float32)
        deviation = np.full(len(queries), counted.std() if len(counted) else 0, dtype=np.float32)
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
        """See :meth:`Recommender.index_items`: an index of neighbours, from :data:`RETRIEVED_FROM` items on."""
        if self.neighbour_index is None and len(self.item_ids) >= RETRIEVED_FROM:
            self._build_index()

    def retrieve(self, queries: Queries, k: int) -> Slates:
        """See :meth:`Recommender.retrieve`: of a large catalogue, what the index brings, scored exactly."""
        if self.neighbour_index is None or queries.candidates is not None:
            return super().retrieve(queries, k)
        items = np.zeros((len(queries), k), dtype=np.int32)
        values = np.full((len(queries), k), -np.inf, dtype=np.float32)
        depth = self._depth(queries, k)
        rows = np.flatnonzero(self._is_personalized(queries) & (depth <= DEEPEST))  # that the index answers
        answered = np.zeros(len(queries), dtype=np.bool_)
        if len(rows):
            indexed_queries = queries if len(rows) == len(queries) else queries.take(rows)
            encoded = self._encoded(indexed_queries).cpu().numpy()
            seen = indexed_queries.seen()
            for place, row in enumerate(rows.tolist()):
                near = self.neighbour_index.search(encoded[place], int(depth[row]))
                near = np.setdiff1d(np.concatenate([near, self.uncovered]), seen[place])
                if indexed_queries.allowed is not None:
                    near = near[indexed_queries.allowed[place][near]]
                near = near[near > 0]
                answered[row] = len(near) >= k
                if answered[row]:
                    scores = self._moments.vectors[near] @ encoded[place]
                    places, values[row : row + 1] = top_k(scores[None], k)
                    items[row] = near[places[0]]
        if not answered.all():  # nothing is known of the user, or nearly all items are hidden
            rest = super().retrieve(queries.take(~answered), k)
            items[~answered], values[~answered] = rest.items, rest.scores
        return Slates(items, values, np.ones_like(values), self.item_ids)

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
        if self.neighbour_index is None:
            return arrays
        return {**arrays, "neighbours": self.neighbour_index.to_array(), "index.items": self.neighbour_index.items}

    def _restore_vectors(self, arrays: dict[str, npt.NDArray[Any]], device: torch.device) -> None:
        import torch

        self._set_vectors(torch.from_numpy(arrays["table"]).to(device), arrays["counts"])
        if "neighbours" in arrays:
            self._set_neighbour_index(HNSWIndex.from_array(arrays["neighbours"], arrays["index.items"]))


def new_items(old: Offsets) -> Offsets:
    """Return the items of a catalogue that have no index in the one before, int64 ``[n_new]``.

    Args:
        old: int64 ``[n_items + 1]``, what index each item has there; 0 for none.
    """
    return np.flatnonzero(old[1:] == 0) + 1


def under(prefix: str, arrays: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays whose names begin with ``prefix``, by the rest of the name."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
