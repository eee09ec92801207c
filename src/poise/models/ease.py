from __future__ import annotations

import os
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from annotated_types import Gt
from pydantic.dataclasses import dataclass
from scipy import linalg

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.errors import DataError
from poise.models.additive import Additive
from poise.models.vectors import weighted_sums
from poise.recommender import OPTIONS
from poise.types import Floats, Indices

_BLOCK = 1_024  # rows that are mirrored at once


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class EASE(Additive):
    """Embarrassingly shallow autoencoder: a linear model from what a person did to all items, in closed form.

    It finds the item-to-item weights B, with a zero diagonal, that minimise ``||X - XB||² + l2 ||B||²`` for the matrix
    X of who did something with what. A history then scores item i by the sum of ``B[h, i]`` over its items h. Training
    takes a dense inverse: memory grows with the square of the catalogue, up to about 30,000 items.

    The source is Steck, *Embarrassingly Shallow Autoencoders for Sparse Data*, 2019. Weighing the history by recency
    when scoring, so that what somebody did last counts most, is an addition.

    Args:
        l2: the penalty on large weights; None takes 50 times the root of the mean number of events an item, which is
            about what validation prefers on Amazon Beauty (200), MovieLens 100K (400) and MovieLens 1M (800).
        decay: see :class:`~poise.models.additive.Additive`.
    """

    l2: Annotated[float, Gt(0)] | None = None

    def _fit(self, data: Dataset, valid: Holdout | None) -> None:
        x = data.queries().matrix()
        gram = (x.T @ x).toarray()  # [n_items + 1, n_items + 1]
        l2 = 50.0 * np.sqrt(data.n_events / data.n_items) if self.l2 is None else self.l2
        np.fill_diagonal(gram, gram.diagonal() + np.float32(l2))
        self.weights: Floats = _inverse(gram)
        self.weights /= -self.weights.diagonal()
        np.fill_diagonal(self.weights, 0)
        self._choose_decay(valid)

    def obstacle(self, data: Dataset) -> str | None:
        """See :meth:`Recommender.obstacle`: the memory for a square matrix of the catalogue."""
        needed = 2.5 * 4 * data.item_ids.size**2
        there = _memory()
        if there is None or needed < 0.8 * there:
            return None
        return (
            f"{data.n_items:,} items take {needed / 1e9:.0f} GB, and this machine has {there / 1e9:.0f}: "
            "use ItemKNN or ALS"
        )

    def _grow(self, data: Dataset) -> None:
        self._count_added(data)  # the matrix is too large to be copied: where it ends, no item has weights

    def score(self, queries: Queries) -> Floats:
        """See :meth:`Recommender.score`."""
        scores = weighted_sums(queries.matrix(self.recency), self.weights)
        added = queries.item_ids.size - len(self.weights)
        return np.pad(scores, ((0, 0), (0, added))) if added else scores

    def contributions(self, query: Queries, items: Indices) -> Floats:
        """See :meth:`Recommender.contributions`."""
        history = query.history(0)
        between = self._weights_of(history, query.item_ids.size)[:, items]  # [n_history, k]
        return between * self._history_weights(query)[:, None]

    def _similarity(self, items: Indices) -> Floats:
        return self._weights_of(items, self.item_ids.size)

    def _weights_of(self, items: Indices, width: int) -> Floats:
        """Return the weights from ``items`` to every item, float32 ``[n, width]``, a new array."""
        known = len(self.weights)
        weights = np.zeros((len(items), width), dtype=np.float32)
        met = items < known
        weights[met, :known] = self.weights[items[met]]
        return weights

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"weights": self.weights}

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self.weights = arrays["weights"]


def _memory() -> int | None:
    """Return how many bytes of memory the machine has; None where the system does not say, as on Windows."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _inverse(gram: Floats) -> Floats:
    """Return the inverse of a positive definite matrix, in its own memory.

    By the Cholesky factor it takes half the work of a general inverse, and LAPACK fills one triangle only.
    """
    factor, failed = linalg.lapack.spotrf(gram.T, lower=1, overwrite_a=1)  # transposed it is in LAPACK's order
    lower, singular = linalg.lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed or singular:
        raise DataError("EASE: the matrix of the data cannot be inverted: give a larger l2")
    inverse = lower.T
    for start in range(0, len(inverse), _BLOCK):
        stop = start + _BLOCK
        inverse[stop:, start:stop] = inverse[start:stop, stop:].T
        corner = inverse[start:stop, start:stop]
        corner[:] = np.triu(corner) + np.triu(corner, 1).T
    return np.asarray(inverse)
