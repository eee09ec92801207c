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
from poise.models.linear.item_item_model import ItemItemModel
from poise.options.fit_options import FitOptions
from poise.options.search_space import Range, Space
from poise.recommender import OPTIONS
from poise.types import Floats, Indices

_BLOCK = 1_000  # items whose similarities are held densely at once


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
        x = data.queries().matrix()
        together = sparse.csr_array(x.T @ x)  # [n_items + 1, n_items + 1]
        norm = np.sqrt(np.maximum(together.diagonal(), 1)).astype(np.float32)
        together.setdiag(0)
        together.eliminate_zeros()
        rows = np.repeat(np.arange(together.shape[0]), np.diff(together.indptr))
        shrunk = together.data / (together.data + self.shrink)
        together.data = together.data / (norm[rows] * norm[together.indices]) * shrunk
        # Similarity is symmetric, so an item's neighbours are its row; kept as columns, a history sums over its rows.
        self.weights = sparse.csr_array(_nearest(together, self.neighbours).T)
        self.means = mean_values(data.events.item, data.events.value, data.item_ids.size)
        self._choose_decay(valid)

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
    """Keep the ``k`` largest entries of each row."""
    blocks = []
    for first in range(0, matrix.shape[0], _BLOCK):
        block = matrix[first : first + _BLOCK]
        if (np.diff(block.indptr) > k).any():
            dense = block.toarray()
            least = np.partition(dense, -k, axis=1)[:, -k]
            dense[dense < least[:, None]] = 0
            block = sparse.csr_array(dense)
        blocks.append(block)
    return sparse.csr_array(sparse.vstack(blocks))
