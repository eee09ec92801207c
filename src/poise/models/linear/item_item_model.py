"""What models share that hold a sparse matrix of weights from each item of a history to all items."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic.dataclasses import dataclass
from scipy import sparse

from poise.data.dataset import Dataset
from poise.data.queries import Queries
from poise.models.history_sum_model import HistorySumModel
from poise.recommender import OPTIONS
from poise.types import Floats, Indices

_AT_ONCE = 4_000_000  # weights that are gathered in memory at once


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class ItemItemModel(HistorySumModel):
    """A model whose score is the sum of sparse rows, one for each event of a history.

    Args:
        decay: see :class:`~poise.models.history_sum_model.HistorySumModel`.

    Attributes:
        weights: float32 ``[n_items + 1, n_items + 1]``, from an item of the history, the row, to each item.
    """

    def _grow(self, data: Dataset) -> None:
        added = self._count_added(data)
        old = self.weights
        size = data.item_ids.size
        pointers = np.pad(old.indptr, (0, added), mode="edge")
        self.weights: sparse.csr_array = sparse.csr_array((old.data, old.indices, pointers), shape=(size, size))

    def score(self, queries: Queries) -> Floats:
        """See :meth:`Recommender.score`."""
        history = queries.matrix(self.recency)
        gathered = int(np.diff(self.weights.indptr)[history.indices].sum())
        if gathered <= _AT_ONCE:
            return self._sums(history)
        scores = np.empty(history.shape, dtype=np.float32)
        for rows in np.array_split(np.arange(len(queries)), min(gathered // _AT_ONCE + 1, len(queries))):
            scores[rows[0] : rows[-1] + 1] = self._sums(history[rows[0] : rows[-1] + 1])
        return scores

    def _sums(self, history: sparse.csr_array) -> Floats:
        """Return ``history @ weights``, float32 ``[n, n_items + 1]``, in a fraction of the time of that product.

        The rows of all events are laid end to end. Those of one request lie together, so that they are one row of a
        matrix in which columns come several times, and as such are added up.
        """
        found = self.weights[history.indices]  # a row an event
        found.data *= np.repeat(history.data, np.diff(found.indptr))
        summed: Floats = sparse.csr_array(
            (found.data, found.indices, found.indptr[history.indptr]), shape=history.shape
        ).toarray()
        return summed

    def attributions(self, query: Queries, items: Indices) -> Floats:
        """See :meth:`Recommender.attributions`."""
        between = self.weights[query.history(0)][:, items].toarray()  # [n_history, k]
        return between * self._history_weights(query)[:, None]  # type: ignore[no-any-return]

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"data": self.weights.data, "indices": self.weights.indices, "indptr": self.weights.indptr}

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        size = self.item_ids.size
        stored = (arrays["data"], arrays["indices"], arrays["indptr"])
        self.weights = sparse.csr_array(stored, shape=(size, size))
