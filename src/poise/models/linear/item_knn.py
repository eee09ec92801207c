from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from annotated_types import Ge
from pydantic.dataclasses import dataclass
from scipy import sparse

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries, newest_entries
from poise.data.ragged import Ragged
from poise.models.baselines.mean_values import mean_values
from poise.models.linear.choices import blocks_of_items, choices
from poise.models.linear.item_item_model import ItemItemModel
from poise.options.fit_options import FitOptions
from poise.options.search_space import Range, Space
from poise.progress import track
from poise.recommender import OPTIONS
from poise.types import Floats, Indices, Offsets

_BLOCK = 4_000  # items whose similarities are held at once


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class ItemKNN(ItemItemModel):
    """Item neighbours: an item scores by how like it is to what the person did.

    Two items are alike as far as the same people chose both: the cosine of their columns in the matrix of who chose
    what, drawn towards zero where few people did. Each item keeps its nearest neighbours only.

    The source is Deshpande and Karypis, *Item-Based Top-N Recommendation Algorithms*, 2004; the shrinkage is from Bell
    and Koren, *Improved Neighborhood-based Collaborative Filtering*, 2007.

    Args:
        neighbours: how many neighbours an item keeps.
        shrink: people in common at which a similarity counts half.
        decay: see :class:`~poise.models.history_sum_model.HistorySumModel`.
    """

    neighbours: Annotated[int, Ge(1)] = 200
    shrink: Annotated[float, Ge(0)] = 10.0

    search_space: ClassVar[Space] = {
        "neighbours": Range(low=20, high=1000, log=True),
        "shrink": Range(low=0.5, high=200.0, log=True),
    }

    def _fit(self, data: Dataset, valid: Holdout | None, options: FitOptions) -> None:
        chosen = choices(data)
        counts = np.bincount(chosen.indices, minlength=chosen.shape[1])
        norm = np.sqrt(np.maximum(counts, 1)).astype(np.float32)
        by_item = sparse.csr_array(chosen.T)
        blocks = list(blocks_of_items(chosen, _BLOCK))
        # Similarity is symmetric, so an item's neighbours are its row; kept as columns, a history sums over its rows.
        nearest = [
            _nearest(self._similarities(sparse.csr_array(by_item[block] @ chosen), block, norm), self.neighbours)
            for block in track(blocks, self.name, unit="block", shown=options.progress)
        ]
        self.weights = sparse.csr_array(sparse.vstack(nearest).T)
        self.means = mean_values(data.events.item, data.events.value, data.item_ids.size)
        self._choose_history_weights(data, valid)

    def _similarities(self, together: sparse.csr_array, items: Offsets, norm: Floats) -> sparse.csr_array:
        """Turn how often a block of items was chosen with each item, in place, into how alike they are."""
        rows = np.repeat(items, np.diff(together.indptr))
        shrunk = together.data / (together.data + self.shrink)
        similar = together.data / (norm[rows] * norm[together.indices]) * shrunk
        together.data = np.where(rows == together.indices, 0, similar).astype(np.float32)
        together.eliminate_zeros()
        return together

    def _grow(self, data: Dataset) -> None:
        super()._grow(data)
        added = data.item_ids.size - len(self.means)
        self.means = np.pad(self.means, (0, added), constant_values=self.means[0])  # that of padding is the overall one

    def predict(self, queries: Queries, items: Ragged) -> Floats | None:
        """See :meth:`Recommender.predict`.

        An item's mean value, moved by how far the person's values of its neighbours lie from those items' means
        (Sarwar, Karypis, Konstan and Riedl, *Item-Based Collaborative Filtering Recommendation Algorithms*, 2001).
        """
        if np.isnan(self.means).all():
            return None
        positions, history = queries.histories()
        above = queries.events.value[positions] - self.means[history.values]
        rated = (~np.isnan(above)).astype(np.float32)
        moved = newest_entries(history, np.nan_to_num(above), queries.item_ids.size) @ self.weights
        weight = newest_entries(history, rated, queries.item_ids.size) @ self.weights
        of_item = (items.rows, items.values)
        move = np.asarray(moved[of_item]) / np.maximum(np.asarray(weight[of_item]), 1e-9)
        return np.asarray(self.means[items.values] + move, dtype=np.float32)

    def similarity(self, items: Indices) -> Floats:
        """See :meth:`Recommender.similarity`."""
        return self.weights[:, items].T.toarray()  # type: ignore[no-any-return]

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {**super()._arrays(), "means": self.means}

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        super()._restore(arrays)
        self.means = arrays["means"]


def _nearest(matrix: sparse.csr_array, k: int) -> sparse.csr_array:
    """Keep the ``k`` largest entries of each row, and those that equal the last of them."""
    least = np.zeros(matrix.shape[0], dtype=matrix.dtype)
    for row in np.flatnonzero(np.diff(matrix.indptr) > k):
        least[row] = np.partition(matrix.data[matrix.indptr[row] : matrix.indptr[row + 1]], -k)[-k]
    matrix.data[matrix.data < np.repeat(least, np.diff(matrix.indptr))] = 0
    matrix.eliminate_zeros()
    return matrix
