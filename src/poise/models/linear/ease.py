from __future__ import annotations

import os
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt, Lt
from pydantic.dataclasses import dataclass
from scipy import linalg, sparse

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.errors import DataError
from poise.models.linear.item_item_model import ItemItemModel
from poise.options.fit_options import FitOptions
from poise.options.search_space import Range, Space
from poise.recommender import OPTIONS
from poise.types import Floats, Indices

_BLOCK = 1_024  # rows that are worked on at once


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class EASE(ItemItemModel):
    """Embarrassingly shallow autoencoder: a linear model from what a person did to all items, in closed form.

    It finds the item-to-item weights B, with a zero diagonal, that minimise ``||X - XB||² + l2 ||B||²`` for the matrix
    X of who did something with what. A history then scores item i by the sum of ``B[h, i]`` over its items h. Training
    takes a dense inverse: memory grows with the square of the catalogue, up to about 30,000 items.

    Most weights are next to nothing: the small ones are left out, which costs nothing on validation (NDCG@10 .0597,
    .1252 and .1298 on Amazon Beauty, MovieLens 100K and 1M, with them .0596, .1258 and .1298), makes a request several
    times quicker, and on a shop a fitted model thirty times smaller.

    The source is Steck, *Embarrassingly Shallow Autoencoders for Sparse Data*, 2019; leaving out small weights is from
    Steck, *Markov Random Fields for Collaborative Filtering*, 2019, there before the fit. Weighing the history by
    recency when scoring, so that what somebody did last counts most, is an addition.

    Args:
        l2: the penalty on large weights; None takes 50 times the root of the mean number of events an item, which is
            about what validation prefers on Amazon Beauty (200), MovieLens 100K (400) and MovieLens 1M (800).
        neighbours: how many weights an item keeps at most; more where the last of them are equal.
        left_out: which share of the sum of its squared weights an item may lose; 0 keeps the small ones too.
        decay: see :class:`~poise.models.history_sum_model.HistorySumModel`.
    """

    l2: Annotated[float, Gt(0)] | None = None
    neighbours: Annotated[int, Ge(1)] = 1_000
    left_out: Annotated[float, Ge(0), Lt(1)] = 0.01

    search_space: ClassVar[Space] = {"l2": Range(low=5.0, high=5000.0, log=True)}

    def _fit(self, data: Dataset, valid: Holdout | None, options: FitOptions) -> None:
        x = data.queries().matrix()
        gram = (x.T @ x).toarray()  # [n_items + 1, n_items + 1]
        l2 = 50.0 * np.sqrt(data.n_events / data.n_items) if self.l2 is None else self.l2
        np.fill_diagonal(gram, gram.diagonal() + np.float32(l2))
        inverse = _inverse(gram)
        inverse /= -inverse.diagonal()
        np.fill_diagonal(inverse, 0)
        self.weights = _largest(inverse, self.neighbours, self.left_out)
        self._choose_decay(valid)

    def unsupported_reason(self, data: Dataset) -> str | None:
        """See :meth:`Recommender.unsupported_reason`: the memory for a square matrix of the catalogue."""
        needed = 2.5 * 4 * data.item_ids.size**2
        there = _memory()
        if there is None or needed < 0.8 * there:
            return None
        return (
            f"{data.n_items:,} items take {needed / 1e9:.0f} GB, and this machine has {there / 1e9:.0f}: "
            "use ItemKNN or ALS"
        )

    def similarity(self, items: Indices) -> Floats:
        """See :meth:`Recommender.similarity`."""
        return self.weights[items].toarray()  # type: ignore[no-any-return]

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        if "weights" in arrays:  # the version of Poise that fitted it kept them all
            self.weights = _largest(arrays["weights"], self.neighbours, self.left_out)
        else:
            super()._restore(arrays)


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


def _largest(weights: Floats, most: int, left_out: float) -> sparse.csr_array:
    """Keep the ``most`` largest entries of each row, and of these no more than hold all but a share of its squares."""
    blocks = []
    for start in range(0, len(weights), _BLOCK):
        block = weights[start : start + _BLOCK]
        squares = np.square(block)
        ordered = np.sort(squares, axis=1)
        held = np.cumsum(ordered, axis=1, dtype=np.float64)
        dropped = (held <= left_out * held[:, -1:]).sum(axis=1).clip(max(len(weights) - most, 0), len(weights) - 1)
        blocks.append(sparse.csr_array(np.where(squares >= ordered[np.arange(len(block)), dropped, None], block, 0)))
    return sparse.csr_array(sparse.vstack(blocks))
