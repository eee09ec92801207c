from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from annotated_types import Gt
from pydantic.dataclasses import dataclass
from scipy import linalg

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.models.additive import Additive
from poise.recommender import OPTIONS
from poise.types import Floats, Indices


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class EASE(Additive):
    """Embarrassingly shallow autoencoder: a linear model from what a person did to all items, in closed form.

    It finds the item-to-item weights B, with a zero diagonal, that minimise ``||X - XB||² + l2 ||B||²`` for the matrix X
    of who did something with what. A history then scores item i by the sum of ``B[h, i]`` over its items h. Training
    takes a dense inverse: memory grows with the square of the catalogue, up to about 30,000 items.

    The source is Steck, *Embarrassingly Shallow Autoencoders for Sparse Data*, 2019. Weighing the history by recency when
    scoring, so that what somebody did last counts most, is an addition.

    Args:
        l2: the penalty on large weights; more for sparser data.
        decay: see :class:`~poise.models.additive.Additive`.
    """

    l2: Annotated[float, Gt(0)] = 300.0

    def _fit(self, data: Dataset, valid: Holdout | None) -> None:
        x = data.queries().matrix()
        gram = (x.T @ x).toarray()  # [n_items + 1, n_items + 1]
        diagonal = np.arange(len(gram))
        gram[diagonal, diagonal] += self.l2
        # The inverse of a positive definite matrix by its Cholesky factor: half the work and memory of a general one.
        factor, _ = linalg.lapack.spotrf(gram, lower=1, overwrite_a=1)
        inverse, _ = linalg.lapack.spotri(factor, lower=1, overwrite_c=1)
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        self.weights: Floats = inverse / -np.diag(inverse)
        self.weights[diagonal, diagonal] = 0.0
        self._choose_decay(valid)

    def score(self, queries: Queries) -> Floats:
        """See :meth:`Recommender.score`."""
        return np.asarray(queries.matrix(self.recency) @ self.weights)

    def contributions(self, query: Queries, items: Indices) -> Floats:
        """See :meth:`Recommender.contributions`."""
        history = query.history(0)
        return self.weights[history][:, items] * self._history_weights(query)[:, None]  # [n_history, k]

    def _similarity(self, items: Indices) -> Floats:
        return self.weights[items]

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"weights": self.weights}

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self.weights = arrays["weights"]
