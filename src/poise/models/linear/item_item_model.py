"""What models share that hold a sparse matrix of weights from each item of a history to all items."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic.dataclasses import dataclass
from scipy import sparse

from poise.data.dataset import Dataset
from poise.data.queries import Queries
from poise.data.ragged import Ragged
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
        history = self._history_matrix(queries)
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
        rows = self._weighted_rows(history)
        summed: Floats = sparse.csr_array(
            (rows.data, rows.indices, rows.indptr[history.indptr]), shape=history.shape
        ).toarray()
        return summed

    def _weighted_rows(self, history: sparse.csr_array) -> sparse.csr_array:
        """Return the weights of each event's item times what the event weighs, a row an event."""
        rows = self.weights[history.indices]
        rows.data *= np.repeat(history.data, np.diff(rows.indptr))
        return rows

    def score_candidates(self, queries: Queries, candidates: Ragged) -> Floats:
        """See :meth:`Recommender.score_candidates`."""
        return _picked(self._added_up(queries), candidates)

    def score_with_moments(
        self, queries: Queries, candidates: Ragged, n_items: int | None = None
    ) -> tuple[Floats, Floats, Floats]:
        """See :meth:`Recommender.score_with_moments`: an item without a weight scores 0."""
        scores = self._added_up(queries)
        count = n_items or queries.n_items
        real = np.where((scores.indices > 0) & (scores.indices <= count), scores.data, 0).astype(np.float64)
        rows = np.repeat(np.arange(len(queries)), np.diff(scores.indptr))
        mean = np.bincount(rows, real, len(queries)) / count
        variance = np.bincount(rows, real**2, len(queries)) / count - mean**2
        deviation = np.sqrt(np.maximum(variance, 0))
        return _picked(scores, candidates), mean.astype(np.float32), deviation.astype(np.float32)

    def _added_up(self, queries: Queries) -> sparse.csr_array:
        """Return the scores that are not 0, float32 sparse ``[n, n_items + 1]``, each row's items in order."""
        history = self._history_matrix(queries)
        rows = self._weighted_rows(history)
        scores = sparse.csr_array((rows.data, rows.indices, rows.indptr[history.indptr]), shape=history.shape)
        scores.sum_duplicates()
        return scores

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


def _picked(scores: sparse.csr_array, candidates: Ragged) -> Floats:
    """Return the scores of candidates, float32 ``[total]``, of sparse scores whose rows are in order."""
    width = scores.shape[1]
    cells = np.repeat(np.arange(scores.shape[0]), np.diff(scores.indptr)) * width + scores.indices
    wanted = candidates.rows * width + candidates.values
    place = np.searchsorted(cells, wanted)
    place[place == len(cells)] = 0
    if not len(cells):
        return np.zeros(len(wanted), dtype=np.float32)
    return np.where(cells[place] == wanted, scores.data[place], 0).astype(np.float32)
