from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt
from pydantic.dataclasses import dataclass
from scipy import sparse

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.models.history_product_model import HistoryProductModel
from poise.models.history_sum_model import history_weights
from poise.models.vectors import cosine_scores
from poise.options.fit_options import FitOptions
from poise.options.search_space import Range, Space
from poise.recommender import OPTIONS
from poise.types import Floats, Indices


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class ALS(HistoryProductModel):
    """Implicit-feedback matrix factorisation by alternating least squares, with people folded in from their history.

    Each item has a vector y. A person's vector x minimises ``Σ c (p - x·y)² + l2 ||x||²`` over all items, where p is 1
    for what stands in the history, with confidence ``c = 1 + confidence * weight``, and 0 with confidence 1 elsewhere.
    It is solved when a request comes, so somebody new is served, and the last event counts, without refitting.

    The source is Hu, Koren and Volinsky, *Collaborative Filtering for Implicit Feedback Datasets*, 2008, also for what
    each event contributes. The factors are learnt by the library ``implicit``.

    Args:
        factors: the length of the vectors.
        confidence: how much more an event says than its absence.
        l2: the penalty on long vectors.
        iterations: sweeps over users and items.
        decay: see :class:`~poise.models.history_sum_model.HistorySumModel`.
        seed: of the first vectors.
    """

    factors: Annotated[int, Ge(1)] = 128
    confidence: Annotated[float, Gt(0)] = 30.0
    l2: Annotated[float, Gt(0)] = 50.0
    iterations: Annotated[int, Ge(1)] = 15
    seed: int = 0

    search_space: ClassVar[Space] = {
        "factors": [32, 64, 128, 256],
        "confidence": Range(low=1.0, high=200.0, log=True),
        "l2": Range(low=0.1, high=500.0, log=True),
    }

    def _fit(self, data: Dataset, valid: Holdout | None, options: FitOptions) -> None:
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, "blas"):  # implicit has threads of its own
            model = AlternatingLeastSquares(
                factors=self.factors,
                regularization=self.l2,
                alpha=1.0 + self.confidence,
                iterations=self.iterations,
                random_state=options.seed_or(self.seed),
                num_threads=options.threads or 0,  # 0 takes all
            )
            model.fit(sparse.csr_matrix(data.queries().matrix()), show_progress=False)
        self._set_item_vectors(model.item_factors)  # [n_items + 1, factors]
        self._gram = self._penalised_gram()
        self._choose_history_weights(data, valid)

    def _grow(self, data: Dataset) -> None:
        self._set_item_vectors(np.pad(self.item_vectors, ((0, self._count_added(data)), (0, 0))))

    def request_vectors(self, queries: Queries) -> Floats:
        """Return each person's vector, folded in from the history, float32 ``[n, factors]``."""
        weights = self._history_matrix(queries)
        systems = np.empty((len(queries), *self._gram.shape), dtype=np.float32)  # [n, factors, factors]
        for row in range(len(queries)):
            of_row = slice(weights.indptr[row], weights.indptr[row + 1])
            history_vectors = self.item_vectors[weights.indices[of_row]]  # [n_history, factors]
            more = self.confidence * weights.data[of_row]
            systems[row] = self._gram + (history_vectors * more[:, None]).T @ history_vectors
        counted = sparse.csr_array((1 + self.confidence * weights.data, weights.indices, weights.indptr), weights.shape)
        return np.linalg.solve(systems, (counted @ self.item_vectors)[:, :, None])[:, :, 0]

    def attributions(self, query: Queries, items: Indices) -> Floats:
        """See :meth:`Recommender.attributions`."""
        history = query.history(0)
        history_vectors = self.item_vectors[history]  # [n_history, factors]
        weight = self._history_weights(query)
        system = self._gram + (history_vectors * (self.confidence * weight)[:, None]).T @ history_vectors
        between = history_vectors @ np.linalg.solve(system, self.item_vectors[items].T)  # [n_history, k]
        counts = history_weights(
            history, 1.0
        )  # 1 for each event that counts, also where its weight has come to nothing
        return between * (counts + self.confidence * weight)[:, None]

    def similarity(self, items: Indices) -> Floats:
        """See :meth:`Recommender.similarity`."""
        return cosine_scores(self.item_vectors, items)

    def _penalised_gram(self) -> Floats:
        return self.item_vectors.T @ self.item_vectors + np.float32(self.l2) * np.eye(self.factors, dtype=np.float32)

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"vectors": self.item_vectors}

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self._set_item_vectors(arrays["vectors"])
        self._gram = self._penalised_gram()
