from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt, Lt
from pydantic.dataclasses import dataclass
from scipy import linalg, sparse

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.errors import DataError
from poise.models.linear.choices import blocks_of_items, choices
from poise.models.linear.item_item_model import ItemItemModel
from poise.options.fit_options import FitOptions
from poise.options.search_space import Range, Space
from poise.progress import track
from poise.recommender import OPTIONS
from poise.types import Floats, Indices, Offsets

_BLOCK = 1_024  # rows that are worked on at once
_MOST_ITEMS = 12_500  # in the inverse: about 15 s of two cores, and 1.6 GB
_BYTES_A_CELL = 10.0  # of the square matrix: float32, and half as much again and more while it is inverted
_RARE_CELLS = 250_000_000  # weights to rare items that are looked at: of so many items times those in the inverse
_RARE_NEIGHBOURS = 200


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class EASE(ItemItemModel):
    """Embarrassingly shallow autoencoder: a linear model from what a person did to all items, in closed form.

    It finds the item-to-item weights B, with a zero diagonal, that minimise ``||X - XB||² + l2 ||B||²`` for the matrix
    X of who did something with what. A history then scores item i by the sum of ``B[h, i]`` over its items h. Training
    takes a dense inverse, whose time grows with the cube and whose memory with the square of the items in it. So in a
    large catalogue only the most frequent items stand in it, and each of the others gets the weights that it has in
    the closed form of these items and itself: exact, but for what two rare items say of each other.

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
        items: how many of the most frequent items stand in the inverse; None takes up to 12,500, fewer where memory is
            short.
        left_out: which share of the sum of its squared weights an item may lose; 0 keeps the small ones too.
        decay: see :class:`~poise.models.history_sum_model.HistorySumModel`.
    """

    l2: Annotated[float, Gt(0)] | None = None
    neighbours: Annotated[int, Ge(1)] = 1_000
    items: Annotated[int, Ge(1)] | None = None
    left_out: Annotated[float, Ge(0), Lt(1)] = 0.01

    search_space: ClassVar[Space] = {"l2": Range(low=5.0, high=5000.0, log=True)}

    def _fit(self, data: Dataset, valid: Holdout | None, options: FitOptions) -> None:
        chosen = choices(data)
        frequent, rare = self._by_frequency(data)
        among = sparse.csr_array(chosen[:, frequent])
        gram = _gram(among)  # [n_frequent, n_frequent]
        n_touched = len(frequent) + len(rare)
        l2 = 50.0 * np.sqrt(data.n_events / max(n_touched, 1)) if self.l2 is None else self.l2
        np.fill_diagonal(gram, gram.diagonal() + np.float32(l2))
        inverse = _inverse(gram) if len(gram) else gram
        parts = [] if not len(rare) else self._rare_weights(inverse, chosen, among, frequent, rare, l2, options)
        inverse /= -inverse.diagonal()
        np.fill_diagonal(inverse, 0)
        weights = _largest(inverse, self.neighbours, self.left_out)
        self.weights = _placed([(weights, frequent, frequent), *parts], data.item_ids.size)
        self._choose_history_weights(data, valid)

    def _by_frequency(self, data: Dataset) -> tuple[Offsets, Offsets]:
        """Return the items with events, those that stand in the inverse and the others, the most frequent first."""
        counts = data.item_counts
        touched = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
        there = _memory()
        fitting = _MOST_ITEMS if there is None else min(_MOST_ITEMS, int(np.sqrt(0.4 * there / _BYTES_A_CELL)))
        most = fitting if self.items is None else self.items
        if len(touched) > most:
            self._note(
                f"the {most:,} most frequent of {len(touched):,} items with events stand in the inverse, so that it is "
                "done in seconds; 'items' changes that"
            )
        return np.sort(touched[:most]), touched[most:]

    def _rare_weights(
        self,
        inverse: Floats,
        chosen: sparse.csr_array,
        among: sparse.csr_array,
        frequent: Offsets,
        rare: Offsets,
        l2: float,
        options: FitOptions,
    ) -> list[tuple[sparse.csr_array, Offsets, Offsets]]:
        """Return the weights from and to the items that do not stand in the inverse, each with its rows and columns.

        By the inverse of a matrix with one row and column more: with ``b = P g``, for the inverse P of the frequent
        items and the counts g of the rare one with them, the weights to the rare one are b, and those from it
        ``s b / (P_jj + s b²)``, where ``1 / s`` is the rare one's own count, plus l2, less ``g b``.
        """
        most = max(1, _RARE_CELLS // max(len(frequent), 1))
        diagonal = inverse.diagonal()
        kept = min(self.neighbours, _RARE_NEIGHBOURS)
        parts = []
        for first in track(range(0, min(len(rare), most), _BLOCK), self.name, unit="block", shown=options.progress):
            items = rare[first : min(first + _BLOCK, most)]
            columns = sparse.csr_array(chosen[:, items])
            together = sparse.csr_array(columns.T @ among)  # [m, n_frequent]
            to_rare = together @ inverse  # [m, n_frequent]
            own = np.asarray(columns.sum(axis=0)) + l2
            scale = 1 / (own - np.asarray((together * to_rare).sum(axis=1)))
            from_rare = scale[:, None] * to_rare
            from_rare /= diagonal + from_rare * to_rare
            parts.append((_largest(from_rare, kept, self.left_out), items, frequent))
            parts.append((sparse.csr_array(_largest(to_rare, kept, self.left_out).T), frequent, items))
        return parts

    def unsupported_reason(self, data: Dataset) -> str | None:
        """See :meth:`Recommender.unsupported_reason`: the memory for the square matrix that :attr:`items` asks for."""
        there = _memory()
        needed = _BYTES_A_CELL * min(self.items or 0, data.n_items) ** 2
        if there is None or needed < 0.8 * there:
            return None
        return (
            f"items = {self.items:,} take {needed / 1e9:.0f} GB, and this machine has {there / 1e9:.0f}: "
            "leave it out, and as many are taken as fit"
        )

    def similarity(self, items: Indices) -> Floats:
        """See :meth:`Recommender.similarity`."""
        return self.weights[items].toarray()  # type: ignore[no-any-return]

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        if "weights" in arrays:  # the version of Poise that fitted it kept them all
            self.weights = _largest(arrays["weights"], self.neighbours, self.left_out)
        else:
            super()._restore(arrays)


def _gram(among: sparse.csr_array) -> Floats:
    """Return how often each two items were chosen by the same people, float32 ``[n, n]``, without a sparse copy."""
    by_item = sparse.csr_array(among.T)
    gram = np.empty((among.shape[1], among.shape[1]), dtype=np.float32)
    for items in blocks_of_items(among, len(gram)):
        gram[items] = (by_item[items] @ among).toarray()
    return gram


def _placed(parts: Sequence[tuple[sparse.csr_array, Offsets, Offsets]], size: int) -> sparse.csr_array:
    """Put blocks of weights, each with the items of its rows and of its columns, into one ``[size, size]``."""
    coordinates = [(block.tocoo(), rows, columns) for block, rows, columns in parts]
    row = np.concatenate([rows[block.row] for block, rows, _ in coordinates])
    column = np.concatenate([columns[block.col] for block, _, columns in coordinates])
    data = np.concatenate([block.data for block, _, _ in coordinates])
    return sparse.csr_array((data, (row, column)), shape=(size, size))


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
    blocks = [sparse.csr_array((0, weights.shape[1]), dtype=weights.dtype)]
    width = weights.shape[1]
    depth = min(most, width)
    for start in range(0, len(weights), _BLOCK):
        block = weights[start : start + _BLOCK]
        squares = np.square(block)
        total = squares.sum(axis=1, dtype=np.float64)
        largest = np.partition(squares, width - depth, axis=1)[:, width - depth :]
        largest.sort(axis=1)
        lost = total[:, None] - np.cumsum(largest[:, ::-1], axis=1, dtype=np.float64)[:, ::-1]  # without those below
        dropped = (lost + largest <= left_out * total[:, None]).sum(axis=1).clip(0, depth - 1)
        blocks.append(sparse.csr_array(np.where(squares >= largest[np.arange(len(block)), dropped, None], block, 0)))
    return sparse.csr_array(sparse.vstack(blocks))
