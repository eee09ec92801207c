from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from poise.types import Floats, Indices, Mask, Offsets


@dataclass(frozen=True)
class EventLog:
    """Events in columns, sorted by (user, time, order in the file), so that a history is a slice.

    Attributes:
        user: int32 ``[n_events]``, never 0.
        item: int32 ``[n_events]``, never 0.
        behaviour: uint8 ``[n_events]``, 1-based codes of the data set's behaviours.
        value: float32 ``[n_events]``; NaN where an event has none.
        timestamp: int64 ``[n_events]``, milliseconds since 1970 in UTC; 0 where an event has none, as if
            it were before all others.
        offsets: int64 ``[n_users + 2]``; the events of user u are ``offsets[u]:offsets[u + 1]``, none for user 0.
        context: one row an event, the columns that say where and how it happened; without columns if there are none.
        has_time: whether any event has a time; if none does, only the order of the file is known.
    """

    user: Indices
    item: Indices
    behaviour: npt.NDArray[np.uint8]
    value: Floats
    timestamp: Offsets
    offsets: Offsets
    context: pl.DataFrame
    has_time: bool

    def __post_init__(self) -> None:
        for column in (self.user, self.item, self.behaviour, self.value, self.timestamp, self.offsets):
            column.flags.writeable = False  # as those of a saved log are: many histories are slices of them

    def __len__(self) -> int:
        return len(self.item)

    @property
    def until(self) -> int:
        """When the newest event happened, in milliseconds since 1970 in UTC; 0 where that is not known."""
        return int(self.timestamp.max(initial=0))

    @property
    def is_ordered(self) -> bool:
        """Whether it is known of most events what came before and after them: half of them or more have a time."""
        return self.has_time and 2 * int(np.count_nonzero(self.timestamp)) >= len(self)

    @property
    def n_users(self) -> int:
        """The number of users that the log has room for, with events or not."""
        return len(self.offsets) - 2

    @cached_property
    def newest_of_pairs(self) -> Offsets:
        """The places of each person's newest event on each item, int64 ``[n_pairs]``: repeats are left out."""
        return newest_of_pairs(self.user, self.item)

    def select(self, keep: Mask) -> EventLog:
        """Return the log with the events for which ``keep``, bool ``[n_events]``, is true; users keep their indices."""
        user = self.user[keep]
        return EventLog(
            user=user,
            item=self.item[keep],
            behaviour=self.behaviour[keep],
            value=self.value[keep],
            timestamp=self.timestamp[keep],
            offsets=user_offsets(user, self.n_users),
            context=self.context.filter(pl.Series(keep)) if self.context.width else self.context,
            has_time=self.has_time,
        )

    def together_with(self, other: EventLog) -> EventLog:
        """Return one log of the events of two, of the same users and items."""
        columns = {
            name: np.concatenate([getattr(self, name), getattr(other, name)])
            for name in ("user", "item", "behaviour", "value", "timestamp")
        }
        order = np.lexsort((columns["timestamp"], columns["user"]))
        context = pl.concat([self.context, other.context], how="diagonal_relaxed")
        return EventLog(
            **{name: column[order] for name, column in columns.items()},
            offsets=user_offsets(columns["user"], self.n_users),
            context=context[order] if context.width else context,
            has_time=self.has_time,
        )


def newest_of_pairs(user: Indices, item: Indices) -> Offsets:
    """Return the place of the last of each pair of user and item, int64 ``[n_pairs]``.

    Args:
        user: int32 ``[n_events]``.
        item: int32 ``[n_events]``.
    """
    pair = user.astype(np.int64) * (int(item.max(initial=0)) + 1) + item
    _, from_end = np.unique(pair[::-1], return_index=True)
    places: Offsets = len(pair) - 1 - from_end
    return places


def user_offsets(user: Indices, n_users: int) -> Offsets:
    """Return where each user's events start in a sorted column of user indices, int64 ``[n_users + 2]``."""
    offsets = np.zeros(n_users + 2, dtype=np.int64)
    np.cumsum(np.bincount(user, minlength=n_users + 1), out=offsets[1:])
    return offsets
