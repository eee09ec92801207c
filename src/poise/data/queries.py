from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from poise.data.event_log import EventLog, user_offsets
from poise.data.ragged import Ragged, gather_slices, side_by_side
from poise.data.vocabulary import Vocabulary
from poise.errors import UsageError
from poise.types import Floats, Indices, Mask, Offsets


@dataclass(frozen=True)
class Queries:
    """A batch of requests: for each, the user (if known), what they did before, when and where, what to leave out.

    Histories are slices of a log, oldest event first: nothing is copied until a model asks for an array.

    Attributes:
        events: the log that the histories are slices of.
        start: int64 ``[n]``, where each history starts in the log.
        stop: int64 ``[n]``, where it ends; equal to ``start`` for a person without a past.
        user: int32 ``[n]``; 0 for somebody unknown.
        item_ids: the vocabulary that the items of the log are indices of.
        time: int64 ``[n]``, when each request is made, in milliseconds since 1970 in UTC; None if the log has no times.
        context: one row a request: place, device, scenario ...; None if nothing is known.
        users: one row a request, what is known of the user, as in the data set's users; None if nothing is known.
        rejected: items that the person had said no to; hidden as the history is. None where nobody said no.
        earlier: items that the person did something with longer ago than the history reaches; hidden as the history is.
            None where histories are whole.
        exclude: items that must not be returned, besides the history; None for none.
        candidates: the items that alone may be returned; None for the whole catalogue.
        allowed: for each request a mask, bool ``[n_items + 1]``, of what may be returned, such as what filters leave;
            requests may share one; None for no filter.
        hide_seen: whether items of the history must not be returned.
    """

    events: EventLog
    start: Offsets
    stop: Offsets
    user: Indices
    item_ids: Vocabulary
    time: Offsets | None = None
    context: pl.DataFrame | None = None
    users: pl.DataFrame | None = None
    rejected: Ragged | None = None
    earlier: Ragged | None = None
    exclude: Ragged | None = None
    candidates: Ragged | None = None
    allowed: Sequence[Mask] | None = None
    hide_seen: bool = True

    @classmethod
    def from_histories(
        cls,
        histories: Sequence[Sequence[int] | Indices],
        item_ids: Vocabulary,
        *,
        values: Sequence[Sequence[float]] | None = None,
        behaviours: Sequence[Sequence[int]] | None = None,
        timestamps: Sequence[Sequence[int]] | None = None,
        hide_seen: bool = True,
    ) -> Queries:
        """Make requests of people who are not in a data set, from item indices.

        Args:
            histories: the item indices of each person, oldest first unless there are ``timestamps``, which order them;
                unknown items (0) are left out.
            item_ids: the vocabulary that the indices belong to.
            values: the value of each event, shaped like ``histories``.
            behaviours: the behaviour code of each event, shaped like ``histories``; 1 where not given.
            timestamps: milliseconds since 1970, shaped like ``histories``.
            hide_seen: whether items of the history must not be returned.

        Raises:
            UsageError: an index is not in the catalogue, or a column is shaped otherwise than ``histories``.
        """
        item = Ragged.from_rows(histories)
        if len(item.values) and not 0 <= item.values.min() <= item.values.max() < item_ids.size:
            raise UsageError(f"a history holds item indices that are not in 0..{len(item_ids)}: of another catalogue?")
        for name, rows in (("values", values), ("behaviours", behaviours), ("timestamps", timestamps)):
            if rows is not None and [len(row) for row in rows] != item.lengths.tolist():
                raise UsageError(f"{name} must hold one entry for each event of the histories")
        is_known = item.values > 0
        user = np.repeat(np.arange(1, len(item) + 1, dtype=np.int32), item.lengths)[is_known]
        offsets = user_offsets(user, len(item))
        flat = {
            name: None if rows is None else np.concatenate([np.asarray(row) for row in rows] or [np.empty(0)])[is_known]
            for name, rows in (("value", values), ("behaviour", behaviours), ("timestamp", timestamps))
        }
        n_events = len(user)
        timestamp = _column(flat["timestamp"], np.zeros(n_events)).astype(np.int64)
        order = np.lexsort((timestamp, user))
        events = EventLog(
            user=user,
            item=item.values[is_known][order],
            behaviour=_column(flat["behaviour"], np.ones(n_events)).astype(np.uint8)[order],
            value=_column(flat["value"], np.full(n_events, np.nan)).astype(np.float32)[order],
            timestamp=timestamp[order],
            offsets=offsets,
            context=pl.DataFrame(),
            has_time=timestamps is not None,
        )
        return cls(
            events=events,
            start=offsets[1:-1],
            stop=offsets[2:],
            user=np.zeros(len(item), dtype=np.int32),
            item_ids=item_ids,
            hide_seen=hide_seen,
        )

    def __len__(self) -> int:
        return len(self.start)

    @property
    def n_items(self) -> int:
        """The number of items in the catalogue, padding not counted."""
        return len(self.item_ids)

    @property
    def lengths(self) -> Offsets:
        """The number of events in each history, int64 ``[n]``."""
        return self.stop - self.start

    def take(self, rows: npt.ArrayLike) -> Queries:
        """Return the chosen requests, in the order given; ``rows`` is a mask or positions."""
        rows = np.asarray(rows)
        positions = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.int64)
        return replace(
            self,
            start=self.start[positions],
            stop=self.stop[positions],
            user=self.user[positions],
            time=None if self.time is None else self.time[positions],
            context=None if self.context is None else self.context[positions],
            users=None if self.users is None else self.users[positions],
            rejected=None if self.rejected is None else self.rejected.take(positions),
            earlier=None if self.earlier is None else self.earlier.take(positions),
            exclude=None if self.exclude is None else self.exclude.take(positions),
            candidates=None if self.candidates is None else self.candidates.take(positions),
            allowed=None if self.allowed is None else [self.allowed[row] for row in positions.tolist()],
        )

    def batches(self, size: int) -> Iterator[Queries]:
        """Yield the requests in order, ``size`` at a time."""
        if 0 < len(self) <= size:
            yield self
            return
        for first in range(0, len(self), size):
            yield self.take(np.arange(first, min(first + size, len(self))))

    def history(self, row: int) -> Indices:
        """Return the item indices of one history, oldest first."""
        return self.events.item[self.start[row] : self.stop[row]]

    def histories(self, last: int | None = None) -> tuple[Offsets, Ragged]:
        """Return the histories, or the ``last`` events of each, laid end to end.

        Returns:
            positions int64 ``[total]`` in the log, by which any of its columns can be gathered, and the items.
        """
        start = self.start if last is None else np.maximum(self.start, self.stop - last)
        positions, offsets = gather_slices(start, self.stop)
        return positions, Ragged(self.events.item[positions], offsets)

    def matrix(self, decay: float = 1.0) -> sparse.csr_array:
        """Return who did something with what, float32 ``[n, n_items + 1]``; it is shared, and must not be changed.

        An entry is ``decay`` to the power of the number of events that came after it: 1 for the newest event. An item
        that stands in a history several times counts by its newest event.

        Args:
            decay: in (0, 1]; 1 gives the plain binary matrix.
        """
        if decay not in self._matrices:
            self._matrices[decay] = self._weigh(decay)
        return self._matrices[decay]

    @cached_property
    def _matrices(self) -> dict[float, sparse.csr_array]:
        """By decay: the models that a slate is blended of ask for the same ones."""
        return {}

    def _weigh(self, decay: float) -> sparse.csr_array:
        age = self._ages
        weights = np.power(np.float32(decay), age.data, dtype=np.float32)
        return sparse.csr_array((weights, age.indices, age.indptr), shape=age.shape)

    @cached_property
    def encodings(self) -> dict[int, tuple[Any, Any]]:
        """What models made of the requests, by the ``id`` of the model: what it was made with, and what was made.

        A retriever and a ranker may be the same model, and need not read the histories twice.
        """
        return {}

    @cached_property
    def _ages(self) -> sparse.csr_array:
        """How many events came after the newest one on each item of a history, sparse float32 ``[n, n_items + 1]``."""
        _, items = self.histories()
        age = np.repeat(items.offsets[1:], items.lengths) - 1 - np.arange(len(items.values))
        return newest_entries(items, age.astype(np.float32), self.item_ids.size)

    def done(self) -> Ragged:
        """Return what the person of each request ever did something with: chose, chose long ago, said no to."""
        rows = [self.histories()[1], self.rejected, self.earlier]
        return side_by_side([ragged for ragged in rows if ragged is not None])

    def seen(self) -> Ragged:
        """Return the items that must not be returned: what the person did if it is hidden, and the excluded ones."""
        rows = [self.done() if self.hide_seen else None, self.exclude]
        given = [ragged for ragged in rows if ragged is not None]
        return side_by_side(given) if given else Ragged.from_rows([[]] * len(self))

    def reindex(self, item_ids: Vocabulary) -> Queries:
        """Return the same requests in the terms of another vocabulary; events on items it does not know are left out.

        A model calls it when the catalogue has changed since it was fitted.
        """
        if item_ids is self.item_ids or item_ids == self.item_ids:
            return self
        table = np.concatenate([np.zeros(1, dtype=np.int32), item_ids.index(self.item_ids.series)])
        positions, items = self.histories()
        mapped = table[items.values]
        is_kept = mapped > 0
        counts = np.bincount(items.rows[is_kept], minlength=len(self))
        offsets = np.concatenate([[0, 0], np.cumsum(counts)]).astype(np.int64)
        log = self.events
        events = EventLog(
            user=np.repeat(np.arange(1, len(self) + 1, dtype=np.int32), counts),
            item=mapped[is_kept],
            behaviour=log.behaviour[positions][is_kept],
            value=log.value[positions][is_kept],
            timestamp=log.timestamp[positions][is_kept],
            offsets=offsets,
            context=log.context[positions[is_kept]] if log.context.width else log.context,
            has_time=log.has_time,
        )

        def translate(rows: Ragged | None) -> Ragged | None:
            if rows is None:
                return None
            return Ragged.from_rows(
                [indices[indices > 0] for indices in (table[rows[row]] for row in range(len(rows)))]
            )

        allowed = None
        if self.allowed is not None:
            translated = {}
            for mask in self.allowed:
                if id(mask) not in translated:
                    translated[id(mask)] = np.zeros(item_ids.size, dtype=np.bool_)
                    translated[id(mask)][table[np.flatnonzero(mask)]] = True
            allowed = [translated[id(mask)] for mask in self.allowed]
        return replace(
            self,
            events=events,
            start=offsets[1:-1],
            stop=offsets[2:],
            item_ids=item_ids,
            rejected=translate(self.rejected),
            earlier=translate(self.earlier),
            exclude=translate(self.exclude),
            candidates=translate(self.candidates),
            allowed=allowed,
        )


def newest_entries(items: Ragged, weights: Floats, width: int) -> sparse.csr_array:
    """Return a sparse matrix of ``weights`` at ``items``; of several entries in one place the last one counts.

    Args:
        items: item indices of each row, oldest first.
        weights: float32 ``[total]``, the weight of each.
        width: the number of columns.
    """
    cell = items.rows * width + items.values
    _, last_from_end = np.unique(cell[::-1], return_index=True)
    last = len(cell) - 1 - last_from_end  # in the order of the cells: by row, then by column
    counts = np.bincount(items.rows[last], minlength=len(items))
    pointers = np.concatenate([[0], np.cumsum(counts)])
    return sparse.csr_array((weights[last], items.values[last], pointers), shape=(len(items), width))


def _column(given: npt.NDArray[np.generic] | None, default: npt.NDArray[np.float64]) -> npt.NDArray[np.generic]:
    return default if given is None else given
