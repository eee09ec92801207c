"""What people did lately, held in memory for those who come often; the store has it all."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from poise.data.event_log import EventLog
from poise.data.queries import Queries
from poise.data.vocabulary import Vocabulary
from poise.store.records import Event
from poise.store.store import Store
from poise.types import Floats, Indices, Offsets

LAST = 200  # events of a person that are looked at
REMEMBERED = 100_000  # people


@dataclass(frozen=True, slots=True)
class History:
    """What somebody did, oldest first, by index of one catalogue; events on items that it does not know are left out.

    Attributes:
        items: int32 ``[n]``.
        behaviours: uint8 ``[n]``, codes.
        values: float32 ``[n]``.
        times: int64 ``[n]``, milliseconds since 1970.
        names: what each of the behaviours is called.
        user: the columns of the user; empty where nothing is known, or no model reads them.
    """

    items: Indices
    behaviours: Indices
    values: Floats
    times: Offsets
    names: list[str]
    user: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        events: Sequence[Event],
        item_ids: Vocabulary,
        behaviours: Mapping[str, int],
        user: Mapping[str, Any] | None = None,
    ) -> History:
        """Look up events in a catalogue; a behaviour that the model does not know counts as the first."""
        lookup = item_ids._lookup
        indexed = [(index, event) for event in events if (index := lookup.get(event.item_id, 0))]
        return cls(
            np.array([index for index, _ in indexed], dtype=np.int32),
            np.array([behaviours.get(event.behaviour, 1) for _, event in indexed], dtype=np.uint8),
            np.array([np.nan if event.value is None else event.value for _, event in indexed], dtype=np.float32),
            np.array([event.time for _, event in indexed], dtype=np.int64),
            [event.behaviour for _, event in indexed],
            user or {},
        )

    def below(self, size: int) -> History:
        """Return the events on items whose index is below ``size``."""
        if not len(self.items) or self.items.max() < size:
            return self
        is_below = self.items < size
        names = [name for name, real in zip(self.names, is_below.tolist(), strict=True) if real]
        return History(
            self.items[is_below],
            self.behaviours[is_below],
            self.values[is_below],
            self.times[is_below],
            names,
            self.user,
        )


def queries_of(histories: Sequence[History], item_ids: Vocabulary, times: Sequence[int]) -> Queries:
    """Return the requests of people with these histories, made at these ``times``, in milliseconds since 1970."""
    lengths = [len(history.items) for history in histories]
    offsets = np.zeros(len(histories) + 2, dtype=np.int64)
    np.cumsum(lengths, out=offsets[2:])
    log = EventLog(
        user=np.repeat(np.arange(1, len(histories) + 1, dtype=np.int32), lengths),
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
    )


class UserHistoryCache:
    """The newest events of people, read from the store once and again after each new event.

    Args:
        store: where the log is.
        last: how many events a person.
        remembered: how many people at most; the least recently used is forgotten first.
    """

    def __init__(self, store: Store, last: int = LAST, remembered: int = REMEMBERED) -> None:
        self.store, self.last, self.remembered = store, last, remembered
        self._events: OrderedDict[str, list[Event]] = OrderedDict()
        self._histories: dict[str, tuple[Vocabulary, History]] = {}
        self._reading: dict[str, bool] = {}  # users that are being read: whether something happened meanwhile
        self._lock = threading.Lock()

    def events(self, user_id: str) -> list[Event]:
        """Return the newest events of a person, oldest first.

        Raises:
            StoreError: they are not in memory, and the store cannot be read.
        """
        with self._lock:
            events = self._events.get(user_id)
            if events is not None:
                self._events.move_to_end(user_id)
                return events
            self._reading[user_id] = False
        try:
            events = self.store.history(user_id, self.last)
        finally:
            with self._lock:
                changed = self._reading.pop(user_id, True)
        if not changed:
            with self._lock:
                self._events[user_id] = events
                while len(self._events) > self.remembered:
                    oldest, _ = self._events.popitem(last=False)
                    self._histories.pop(oldest, None)
        return events

    def cached(self, user_id: str, item_ids: Vocabulary) -> History | None:
        """Return the newest events of a person if they are in memory in the terms of a catalogue, else None."""
        cached = self._histories.get(user_id)
        return cached[1] if cached is not None and cached[0] is item_ids else None

    def history(
        self, user_id: str, item_ids: Vocabulary, behaviours: Mapping[str, int], *, reads_users: bool
    ) -> History:
        """Return the newest events of a person in the terms of a catalogue.

        Args:
            user_id: who.
            item_ids: the catalogue.
            behaviours: codes by name.
            reads_users: whether what is known of the person is to be there too.

        Raises:
            StoreError: they are not in memory, and the store cannot be read.
        """
        events = self.events(user_id)
        cached = self._histories.get(user_id)
        if cached is not None and cached[0] is item_ids:
            return cached[1]
        user = self.store.user(user_id) if reads_users else None
        history = History.of(events, item_ids, behaviours, None if user is None else user.content)
        with self._lock:
            if self._events.get(user_id) is events:
                self._histories[user_id] = (item_ids, history)
        return history

    def forget(self, user_ids: Iterable[str]) -> None:
        """Read these people again when they come next: something has happened."""
        with self._lock:
            for user_id in user_ids:
                self._events.pop(user_id, None)
                self._histories.pop(user_id, None)
                if user_id in self._reading:
                    self._reading[user_id] = True

    def forget_all(self) -> None:
        """Read everybody again."""
        with self._lock:
            self._events.clear()
            self._histories.clear()
            self._reading = dict.fromkeys(self._reading, True)


def _end_to_end(parts: Sequence[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate(parts).astype(dtype, copy=False) if parts else np.empty(0, dtype)
