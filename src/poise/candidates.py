"""Scored items on their way to slates: what a ranker hands to the policy, and what each policy step hands on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.top_k import top_k
from poise.types import Codes, Floats, Indices, Mask, Offsets

CATALOGUE = "catalogue"
"""The source of items that no retriever brought, because all items were scored."""


@dataclass(frozen=True)
class Candidates:
    """Items and their scores for a batch of requests.

    There are two forms. Where all items were scored, column i is the item with index i and :attr:`items` is None. Where
    retrievers brought some, each row names its own. Methods that go by items (:meth:`items_at`, :meth:`is_among`,
    :meth:`hide`, :meth:`keep_only`) know both. Slates are the second form, best first, see :attr:`is_slate`.

    Attributes:
        scores: float32 ``[n, width]``; minus infinity for what may not be shown. A step may write into it.
        items: int32 ``[n, width]``, 0 where a row has fewer; None for the whole catalogue.
        mean: float32 ``[n]``, the mean score of each request over the catalogue, before anything was hidden.
        best: float32 ``[n]``, the best score of each request before anything was hidden.
        sources: uint8 ``[n, width]``, the source of each item, as a place in :attr:`source_names`; None for the first.
        source_names: what the sources are called.
        probabilities: float32 ``[n, width]``, with which each is shown if it is; None where nothing was drawn.
        is_slate: whether the rows are slates already, best first: then :meth:`top` only cuts them.
    """

    scores: Floats
    items: Indices | None
    mean: Floats
    best: Floats
    sources: Codes | None = None
    source_names: tuple[str, ...] = (CATALOGUE,)
    probabilities: Floats | None = None
    is_slate: bool = False

    @classmethod
    def of_catalogue(cls, scores: Floats, *, source: str = CATALOGUE) -> Candidates:
        """Take the scores of all items, float32 ``[n, n_items + 1]``; column 0 is padding."""
        scores[:, 0] = -np.inf
        real = scores[:, 1:]
        return cls(scores, None, real.mean(axis=1), real.max(axis=1, initial=-np.inf), source_names=(source,))

    @classmethod
    def of_lists(
        cls,
        candidates: Ragged,
        scores: Floats,
        mean: Floats,
        *,
        sources: Codes | None = None,
        source_names: Sequence[str] = (CATALOGUE,),
    ) -> Candidates:
        """Take what was scored of each request's candidates.

        Args:
            candidates: the items of each request, each once, none of them padding.
            scores: float32 ``[total]``.
            mean: float32 ``[n]``, of each request over the catalogue.
            sources: uint8 ``[total]``, the source of each, as a place in ``source_names``; None for all the first.
            source_names: what they are called.
        """
        width = int(candidates.lengths.max(initial=0))
        shape = (len(candidates), width)
        row = candidates.rows
        column = np.arange(len(candidates.values)) - candidates.offsets[row]
        items = np.zeros(shape, dtype=np.int32)
        padded = np.full(shape, -np.inf, dtype=np.float32)
        items[row, column] = candidates.values
        padded[row, column] = scores
        of_source = None
        if sources is not None:
            of_source = np.zeros(shape, dtype=np.uint8)
            of_source[row, column] = sources
        best = padded.max(axis=1, initial=-np.inf)
        return cls(padded, items, mean, best, of_source, tuple(source_names))

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, rows: Mask | Offsets) -> Candidates:
        """Return the selected requests, a copy; ``rows`` is a mask or positions."""
        return replace(
            self,
            scores=self.scores[rows],
            items=None if self.items is None else self.items[rows],
            mean=self.mean[rows],
            best=self.best[rows],
            sources=None if self.sources is None else self.sources[rows],
            probabilities=None if self.probabilities is None else self.probabilities[rows],
        )

    def items_at(self, columns: Offsets) -> Indices:
        """Return the items that stand in some columns of each row, int32 ``[n, k]`` as ``columns`` is."""
        return columns.astype(np.int32) if self.items is None else np.take_along_axis(self.items, columns, axis=1)

    def is_among(self, items: Indices) -> Mask:
        """Tell which columns hold one of ``items``: bool ``[n, width]``, or ``[1, width]`` for the whole catalogue."""
        if self.items is not None:
            return np.isin(self.items, items)
        among = np.zeros((1, self.scores.shape[1]), dtype=np.bool_)
        among[0, items] = True
        return among

    def hide(self, hidden: Ragged) -> None:
        """Set the scores of some items of each request to minus infinity, in place."""
        if not len(hidden.values):
            return
        if self.items is None:
            self.scores[hidden.rows, hidden.values] = -np.inf
            return
        stride = max(int(self.items.max(initial=0)), int(hidden.values.max())) + 1
        shown = np.arange(len(self))[:, None] * stride + self.items
        self.scores[np.isin(shown, hidden.rows * stride + hidden.values)] = -np.inf

    def keep_only(self, allowed: Sequence[Mask]) -> None:
        """Set the scores of what the mask of each request, bool ``[n_items + 1]``, does not allow to minus infinity."""
        for mask in {id(mask): mask for mask in allowed}.values():
            rows = np.array([row for row, of_row in enumerate(allowed) if of_row is mask])
            if self.items is None:
                self.scores[rows[:, None], np.flatnonzero(~mask[: self.scores.shape[1]])] = -np.inf
            else:
                self.scores[rows] = np.where(mask[self.items[rows]], self.scores[rows], -np.inf)

    def top(self, k: int, *, seed: int = 0) -> Candidates:
        """Return slates: the ``k`` best of each request, best first, ties in seeded random order.

        Places for which nothing is left hold item 0 and minus infinity.
        """
        if self.is_slate:  # what was hidden since leaves no gap
            picked: Offsets = np.argsort(self.scores == -np.inf, axis=1, kind="stable")[:, :k]
            scores = np.take_along_axis(self.scores, picked, axis=1)
        else:
            columns, scores = top_k(self.scores, k, seed=seed)
            picked = columns.astype(np.int64)
        empty = scores == -np.inf
        return replace(
            self,
            scores=scores,
            items=np.where(empty, 0, self.items_at(picked)).astype(np.int32),
            sources=None if self.sources is None else np.take_along_axis(self.sources, picked, axis=1),
            probabilities=None
            if self.probabilities is None
            else np.take_along_axis(self.probabilities, picked, axis=1),
            is_slate=True,
        )

    def dense(self, size: int) -> Floats:
        """Return the scores, float32 ``[n, size]``, a column an item; minus infinity for what is no candidate."""
        if self.items is None:
            return self.scores
        scores = np.full((len(self), size), -np.inf, dtype=np.float32)
        np.put_along_axis(scores, self.items.astype(np.int64), self.scores, axis=1)
        scores[:, 0] = -np.inf
        return scores


def hide_unwanted(candidates: Candidates, queries: Queries, *, seen: bool = True) -> None:
    """Hide, in place, what a request rules out: excluded items, what filters leave out, and seen items.

    Args:
        candidates: of the requests.
        queries: the requests.
        seen: whether items of the history are hidden where the request says so; excluded ones always are.
    """
    wanted = queries if seen else replace(queries, hide_seen=False)
    candidates.hide(wanted.seen())
    if queries.allowed is not None:
        candidates.keep_only(queries.allowed)
