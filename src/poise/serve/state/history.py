"""What somebody did, in the terms of one catalogue, and the requests that are made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from poise.data.event_log import EventLog, user_offsets
from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.data.vocabulary import Vocabulary
from poise.types import Floats, Indices, Offsets

NO_ITEMS: Indices = np.empty(0, dtype=np.int32)


@dataclass(frozen=True, slots=True)
class History:
    """What somebody did, by index of one catalogue; events on items that it does not know are left out.

    Attributes:
        items: int32 ``[n]``, what they chose lately, oldest first: what models read.
        behaviours: uint8 ``[n]``, codes.
        values: float32 ``[n]``.
        times: int64 ``[n]``, milliseconds since 1970.
        names: what each of the behaviours is called.
        earlier: int32, all other items that they did something with, each once: hidden, and not read.
        rejected: int32, items that they said no to, each once.
        user: the columns of the user; empty where nothing is known, or no model reads them.
    """

    items: Indices
    behaviours: Indices
    values: Floats
    times: Offsets
    names: list[str]
    earlier: Indices = field(default_factory=lambda: NO_ITEMS)
    rejected: Indices = field(default_factory=lambda: NO_ITEMS)
    user: Mapping[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> Indices:
        """All items that the person ever did something with, int32, in any order, some of them several times."""
        return np.concatenate([self.items, self.earlier, self.rejected])

    def below(self, size: int) -> History:
        """Return what was done with items whose index is below ``size``."""
        done = self.done
        if not len(done) or done.max() < size:
            return self
        is_below = self.items < size
        return History(
            self.items[is_below],
            self.behaviours[is_below],
            self.values[is_below],
            self.times[is_below],
            [name for name, real in zip(self.names, is_below.tolist(), strict=True) if real],
            self.earlier[self.earlier < size],
            self.rejected[self.rejected < size],
            self.user,
        )


NOBODY = History(NO_ITEMS, NO_ITEMS.astype(np.uint8), NO_ITEMS.astype(np.float32), NO_ITEMS.astype(np.int64), [])
"""The history of somebody of whom nothing is known."""


def queries_of(histories: Sequence[History], item_ids: Vocabulary, times: Sequence[int]) -> Queries:
    """Return the requests of people with these histories, made at these ``times``, in milliseconds since 1970."""
    lengths = [len(history.items) for history in histories]
    user = np.repeat(np.arange(1, len(histories) + 1, dtype=np.int32), lengths)
    offsets = user_offsets(user, len(histories))
    log = EventLog(
        user=user,
        item=_end_to_end([history.items for history in histories], np.int32),
        behaviour=_end_to_end([history.behaviours for history in histories], np.uint8),
        value=_end_to_end([history.values for history in histories], np.float32),
        timestamp=_end_to_end([history.times for history in histories], np.int64),
        offsets=offsets,
        context=pl.DataFrame(),
        has_time=True,
    )
    return Queries(
        events=log,
        start=offsets[1:-1],
        stop=offsets[2:],
        user=np.zeros(len(histories), dtype=np.int32),
        item_ids=item_ids,
        time=np.asarray(times, dtype=np.int64),
        earlier=_ragged([history.earlier for history in histories]),
        rejected=_ragged([history.rejected for history in histories]),
    )


def _ragged(rows: Sequence[Indices]) -> Ragged | None:
    return Ragged.from_rows(rows) if any(len(row) for row in rows) else None


def _end_to_end(parts: Sequence[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate(parts).astype(dtype, copy=False) if parts else np.empty(0, dtype)
