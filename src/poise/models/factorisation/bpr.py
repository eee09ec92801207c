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
from poise.models.vectors import cosine_scores
from poise.options.fit_options import FitOptions
from poise.options.search_space import Range, Space
from poise.recommender import OPTIONS
from poise.types import Floats, Indices


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class BPR(HistoryProductModel):
    """Bayesian personalised ranking: vectors learnt so that what a person chose scores above what they did not.

    The library ``implicit`` learns vectors of users and items. The users' are not kept: a person is the sum of the
    vectors of what they did, weighed by recency and divided by the root of the total weight, and so somebody new is
    served as well.

    The sources are Rendle, Freudenthaler, Gantner and Schmidt-Thieme, *BPR: Bayesian Personalized Ranking from Implicit
    Feedback*, 2009, and for people as sums of items Kabbur, Ning and Karypis, *FISM: Factored Item Similarity Models
    for Top-N Recommender Systems*, 2013.

    Args:
        factors: the length of the vectors.
        learning_rate: of stochastic gradient descent.
        l2: the penalty on long vectors.
        iterations: passes over the events.
        decay: see :class:`~poise.models.history_sum_model.HistorySumModel`.
        seed: of the first vectors and the order of events.
    """

    factors: Annotated[int, Ge(1)] = 128
    learning_rate: Annotated[float, Gt(0)] = 0.05
    l2: Annotated[float, Ge(0)] = 0.01
    iterations: Annotated[int, Ge(1)] = 200
    seed: int = 0

    search_space: ClassVar[Space] = {
        "factors": [32, 64, 128, 256],
        "learning_rate": Range(low=0.01, high=0.2, log=True),
        "l2": Range(low=1e-4, high=0.1, log=True),
        "iterations": [50, 100, 200],
    }

    def _fit(self, data: Dataset, valid: Holdout | None, options: FitOptions) -> None:
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        model = BayesianPersonalizedRanking(
            factors=self.factors,
            learning_rate=self.learning_rate,
            regularization=self.l2,
            iterations=self.iterations,
            random_state=options.seed_or(self.seed),
            num_threads=1,  # with more, threads race and no two runs are the same
        )
        model.fit(sparse.csr_matrix(data.queries().matrix()), show_progress=False)
        self._set_item_vectors(model.item_factors)  # [n_items + 1, factors + 1], the bias last
        self._choose_history_weights(data, valid)

    def _grow(self, data: Dataset) -> None:
        self._set_item_vectors(np.pad(self.item_vectors, ((0, self._count_added(data)), (0, 0))))

    def request_vectors(self, queries: Queries) -> Floats:
        """Return the vector of each person, and a 1 that meets the items' biases, float32 ``[n, factors + 1]``."""
        weights = self._history_matrix(queries)
        user_vectors = (weights @ self.vectors) / _root_weight(weights)[:, None]
        return np.column_stack([user_vectors, np.ones(len(user_vectors), dtype=np.float32)])

    @property
    def vectors(self) -> Floats:
        """The vectors of the items without their biases, float32 ``[n_items + 1, factors]``."""
        return self.item_vectors[:, :-1]

    def attributions(self, query: Queries, items: Indices) -> Floats:
        """See :meth:`Recommender.attributions`; the items' biases are left out, as no event adds them."""
        history = query.history(0)
        weight = self._history_weights(query) / _root_weight(self._history_matrix(query))
        return (self.vectors[history] @ self.vectors[items].T) * weight[:, None]  # [n_history, k]

    def similarity(self, items: Indices) -> Floats:
        """See :meth:`Recommender.similarity`."""
        return cosine_scores(self.vectors, items)

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"vectors": self.item_vectors}

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self._set_item_vectors(arrays["vectors"])


def _root_weight(weights: sparse.csr_array) -> Floats:
    """Return the root of each row's sum, and 1 for a row without entries, float32 ``[n]``."""
    return np.asarray(np.sqrt(np.maximum(weights.sum(axis=1), 1.0)), dtype=np.float32)
