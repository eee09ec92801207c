"""What models share that expect a vector and score each item by its product with it."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from pydantic.dataclasses import dataclass

from poise.data.dataset import Dataset
from poise.data.queries import Queries
from poise.models.hnsw_index import HNSWIndex
from poise.models.vectors import Products, cosine_scores
from poise.recommender import OPTIONS, Recommender, begins_with
from poise.slates import Reason, Slates
from poise.top_k import top_k
from poise.types import Floats, Indices, Mask, Offsets

if TYPE_CHECKING:
    import torch
    from torch import Tensor

INDEXED_FROM = 200_000  # items, from which a walk along an index is so much quicker that building one is worth it
DEEPEST = 1_000  # items that are asked of an index at most; beyond, all products are as quick
_MARGIN = 32  # items more than are needed, since half precision puts some a little too low


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class InnerProduct(Recommender):
    """A model that turns a request into a vector; an item scores by the product of its own with it.

    For large catalogues the best items are found by an index (:mod:`poise.models.hnsw_index`), and scored exactly.
    """

    @abstractmethod
    def encode_queries(self, queries: Queries) -> Tensor:
        """Return the vector of what each request asks for, ``[n, dim]``."""

    def _known(self, queries: Queries) -> Mask:
        """Tell of which requests something is known to go by, bool ``[n]``: by default, a history."""
        return queries.lengths > 0

    def _set_vectors(self, table: Tensor, counts: Offsets, before: Products | None = None) -> None:
        """Hold on to the vectors of the items, ``[n_items + 1, dim]``, and to how many events each has."""
        import torch

        self.table = table
        self.counts = counts
        untouched = np.flatnonzero(counts == 0)
        blank = ~table[torch.from_numpy(untouched).to(table.device)].any(dim=1)
        self.unknown = untouched[blank.cpu().numpy()]
        self.neighbour_index: HNSWIndex | None = None
        self._products = Products(table, before)

    def _set_neighbour_index(self, index: HNSWIndex | None) -> None:
        self.neighbour_index = index
        if index is not None:
            covered = np.zeros(len(self.counts), dtype=np.bool_)
            covered[index.items] = True
            covered[self.unknown] = True
            self.uncovered = np.flatnonzero(~covered).astype(np.int32)

    def _fitted(self, data: Dataset) -> Self:
        if data.n_items >= INDEXED_FROM:
            items = np.delete(np.arange(len(self.counts), dtype=np.int32), self.unknown)
            self._set_neighbour_index(HNSWIndex.build(self.table.cpu().numpy()[items], items))
        return super()._fitted(data)

    def _old_indices(self, data: Dataset) -> Offsets:
        """Return the index that each item of another catalogue has in this one, int64 ``[n_items + 1]``; 0 for none."""
        if begins_with(data.item_ids, self.item_ids):
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

    def score(self, queries: Queries) -> Floats:
        """See :meth:`Recommender.score`: products of what is expected and the items.

        Where nothing is known to go by, items score by the number of their events. Items of which nothing is known,
        neither an event nor a meaning, come last.
        """
        import torch

        known = self._known(queries)
        if known.all():
            with torch.inference_mode():
                scores: Floats = self._products.of(self.encode_queries(queries)).cpu().numpy()
        else:
            scores = np.empty((len(queries), len(self.counts)), dtype=np.float32)
            scores[~known] = np.log1p(self.counts)
            if known.any():
                scores[known] = self.score(queries.take(known))
        if len(self.unknown) > 1:  # padding is one
            scores[:, self.unknown] = scores.min(axis=1, keepdims=True)
        return scores

    def explain(self, queries: Queries, items: Indices) -> list[list[list[Reason]]]:
        """See :meth:`Recommender.explain`: that items are popular, where nothing is known to go by."""
        explained = super().explain(queries, items)
        for row in np.flatnonzero(~self._known(queries)):
            explained[row] = [[Reason("popular")] for _ in items[row]]
        return explained

    def retrieve(self, queries: Queries, k: int, *, explain: bool = False) -> Slates:
        """See :meth:`Recommender.retrieve`: of a large catalogue, what the index brings, scored exactly."""
        import torch

        if self.neighbour_index is None or queries.candidates is not None:
            return super().retrieve(queries, k, explain=explain)
        items = np.zeros((len(queries), k), dtype=np.int32)
        values = np.full((len(queries), k), -np.inf, dtype=np.float32)
        seen = queries.seen()
        asked = np.flatnonzero(self._known(queries) & (k + seen.lengths <= DEEPEST))
        found = np.zeros(len(queries), dtype=np.bool_)
        with torch.inference_mode():
            expected = self.encode_queries(queries.take(asked)) if len(asked) else self.table[:0]
            for vector, row in zip(expected, asked.tolist(), strict=True):
                brought = self.neighbour_index.search(vector.cpu().numpy(), k + len(seen[row]) + _MARGIN)
                brought = np.setdiff1d(np.concatenate([brought, self.uncovered]), seen[row])
                brought = np.concatenate([[0], brought[brought > 0]])
                scores = (self.table[torch.from_numpy(brought).to(self.table.device)] @ vector).cpu().numpy()
                scores[0] = -np.inf
                places, values[row : row + 1] = top_k(scores[None], k)
                items[row] = brought[places[0]]
                found[row] = len(brought) > k
        if not found.all():  # nothing is known of who asks, or nearly all is hidden
            rest = super().retrieve(queries.take(~found), k)
            items[~found], values[~found] = rest.items, rest.scores
        reasons = self.explain(queries, items) if explain else None
        return Slates(items, values, np.ones_like(values), self.item_ids, reasons)

    def _similarity(self, items: Indices) -> Floats:
        return cosine_scores(self.table.cpu().numpy(), items)

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        arrays = {"table": self.table.cpu().numpy(), "counts": self.counts}
        if self.neighbour_index is None:
            return arrays
        return {**arrays, "neighbours": self.neighbour_index.to_array(), "neighbours.items": self.neighbour_index.items}

    def _restore_vectors(self, arrays: dict[str, npt.NDArray[Any]], device: torch.device) -> None:
        import torch

        self._set_vectors(torch.from_numpy(arrays["table"]).to(device), arrays["counts"])
        if "neighbours" in arrays:
            self._set_neighbour_index(HNSWIndex.from_array(arrays["neighbours"], arrays["neighbours.items"]))


def new_items(old: Offsets) -> Offsets:
    """Return the items of a catalogue that have no index in the one before, int64 ``[n_new]``.

    Args:
        old: int64 ``[n_items + 1]``, what index each item has there; 0 for none.
    """
    return np.flatnonzero(old[1:] == 0) + 1


def under(prefix: str, arrays: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays whose names begin with ``prefix``, by the rest of the name."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
