"""What people did, held in memory for those who come often; the store has it all."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from poise.data.ingest.feedback import Opinion, Opinions
from poise.data.vocabulary import Vocabulary
from poise.serve.state.codes import Codes
from poise.serve.state.history import History
from poise.serve.state.past import NOTHING_DONE, Deeds, Past
from poise.store.records import Event
from poise.store.store import Store
from poise.types import Floats, Indices, Mask, Offsets

REMEMBERED = 100_000  # people
MOST_ITEMS = 50_000_000  # that are remembered of all of them together: 200 MB
MOST_WAITING = 1_000  # new events of a person who does not come; beyond, they are read again

Judge = Callable[[Sequence[str], Indices, Floats, Offsets], tuple[Opinions, Mask]]
"""Tells what events say and whether their items count as done; see :meth:`poise.serve.state.rules.LiveRules.judge`."""


@dataclass(slots=True)
class _Remembered:
    """What is remembered of one person.

    Attributes:
        past: what they did.
        version: of the store, up to which it was read.
        waiting: events that came since.
    """

    past: Past
    version: int
    waiting: list[Event] = field(default_factory=list)


class UserHistoryCache:
    """What people did, read from the store once, and kept up with every event from then on.

    Hidden is all that a person ever did; what models read of it are the newest events. Both are kept in arrays of
    codes, so that a hundred thousand people fit into memory, and somebody with a hundred thousand events too.

    Args:
        store: where the log is.
        judge: tells what events say.
        remembered: how many people at most; the least recently used is forgotten first.
        most_items: how many items of all of them together at most.
    """

    def __init__(self, store: Store, judge: Judge, remembered: int = REMEMBERED, most_items: int = MOST_ITEMS) -> None:
        self.store, self.judge, self.remembered, self.most_items = store, judge, remembered, most_items
        self._items, self._behaviours = Codes(), Codes()
        self._people: OrderedDict[str, _Remembered] = OrderedDict()
        self._n_items = 0
        self._histories: dict[str, tuple[Vocabulary, Past, History]] = {}
        self._reading: dict[str, bool] = {}  # users that are being read: whether something happened meanwhile
        self._lock = threading.Lock()

    def past(self, user_id: str) -> Past:
        """Return all that a person did.

        Raises:
            StoreError: it is not in memory, and the store cannot be read.
        """
        with self._lock:
            person = self._people.get(user_id)
            if person is not None:
                self._people.move_to_end(user_id)
                if self._take_in(user_id, person):
                    return person.past
            self._reading[user_id] = False
        try:
            columns, version = self.store.whole_history(user_id)
            past = NOTHING_DONE.then(*self._judged(*columns))
        finally:
            with self._lock:
                changed = self._reading.pop(user_id, True)
        if not changed:
            with self._lock:
                self._forget(user_id)
                self._people[user_id] = _Remembered(past, version)
                self._n_items += len(past.done)
                while len(self._people) > self.remembered or (
                    self._n_items > self.most_items and len(self._people) > 1
                ):
                    self._forget(next(iter(self._people)))
        return past

    def _take_in(self, user_id: str, person: _Remembered) -> bool:
        """Take in what has happened since a person was remembered; False if it has to be read from the store."""
        if not person.waiting:
            return True
        events, person.waiting = sorted(person.waiting, key=lambda event: event.time), []
        before = person.past
        rows = ((event.item_id, event.behaviour, event.value, event.time) for event in events)
        deeds, opinions, done = self._judged(*zip(*rows, strict=True))
        if (
            events[0].time < before.until or (opinions == Opinion.TAKEN_BACK).any()
        ):  # of what is not remembered, perhaps
            self._forget(user_id)
            return False
        person.past = before.then(deeds, opinions, done)
        self._n_items += len(person.past.done) - len(before.done)
        return True

    def _judged(
        self, items: Sequence[str], behaviours: Sequence[str], values: Sequence[float | None], times: Sequence[int]
    ) -> tuple[Deeds, Opinions, Mask]:
        """Return events in codes, what they say, and whether their items are hidden for them."""
        codes = self._behaviours.of(behaviours)
        deeds = Deeds(self._items.of(items), codes, np.array(values, np.float32), np.array(times, np.int64))
        return deeds, *self.judge(self._behaviours.names, codes, deeds.values, deeds.times)

    def cached(self, user_id: str, item_ids: Vocabulary) -> History | None:
        """Return what a person did if it is in memory in the terms of a catalogue, else None."""
        cached = self._histories.get(user_id)
        return cached[2] if cached is not None and cached[0] is item_ids else None

    def history(
        self, user_id: str, item_ids: Vocabulary, behaviours: Mapping[str, int], *, reads_users: bool
    ) -> History:
        """Return what a person did in the terms of a catalogue.

        Args:
            user_id: who.
            item_ids: the catalogue.
            behaviours: codes by name.
            reads_users: whether what is known of the person is to be there too.

        Raises:
            StoreError: it is not in memory, and the store cannot be read.
        """
        past = self.past(user_id)
        cached = self._histories.get(user_id)
        if cached is not None and cached[0] is item_ids and cached[1] is past:
            return cached[2]
        user = self.store.user(user_id) if reads_users else None
        index = self._items.indices(item_ids)
        content = {} if user is None else user.content
        history = _in_terms_of(past, index, self._behaviours.names, behaviours, content)
        with self._lock:
            person = self._people.get(user_id)
            if person is not None and person.past is past and not person.waiting:
                self._histories[user_id] = (item_ids, past, history)
        return history

    def chosen(self, past: Past, item_ids: Vocabulary) -> list[int]:
        """Return the items that a person chose lately, oldest first, by their index in a catalogue."""
        items = self._items.indices(item_ids)[past.chosen.items]
        known: list[int] = items[items > 0].tolist()
        return known

    def of_events(self, events: Sequence[Event], item_ids: Vocabulary, behaviours: Mapping[str, int]) -> History:
        """Return the history of somebody who is not known by an id, from events, the oldest first."""
        names = sorted({event.behaviour for event in events})
        deeds = Deeds(
            item_ids.index([event.item_id for event in events]),
            np.array([names.index(event.behaviour) for event in events], dtype=np.int32),
            np.array([event.value for event in events], dtype=np.float32),
            np.array([event.time for event in events], dtype=np.int64),
        )
        opinions, done = self.judge(names, deeds.behaviours, deeds.values, deeds.times)
        past = NOTHING_DONE.then(deeds, opinions, done)
        return _in_terms_of(past, np.arange(item_ids.size, dtype=np.int32), names, behaviours)

    def add(self, events: Iterable[Event], since: int, upto: int) -> None:
        """Take in new events of the store, those with versions beyond ``since`` and up to ``upto``."""
        with self._lock:
            for event in events:
                user_id = event.user_id
                if user_id in self._reading:
                    self._reading[user_id] = True
                person = self._people.get(user_id)
                if person is None or person.version >= upto:
                    continue
                self._histories.pop(user_id, None)
                if person.version > since or len(person.waiting) >= MOST_WAITING:
                    self._forget(user_id)
                else:
                    person.waiting.append(event)

    def forget(self, user_ids: Iterable[str]) -> None:
        """Read these people again when they come next."""
        with self._lock:
            for user_id in user_ids:
                self._forget(user_id)
                if user_id in self._reading:
                    self._reading[user_id] = True

    def forget_all(self) -> None:
        """Read everybody again."""
        with self._lock:
            self._people.clear()
            self._histories.clear()
            self._n_items = 0
            self._reading = dict.fromkeys(self._reading, True)

    def _forget(self, user_id: str) -> None:
        person = self._people.pop(user_id, None)
        self._histories.pop(user_id, None)
        if person is not None:
            self._n_items -= len(person.past.done)


def _in_terms_of(
    past: Past,
    index: Indices,
    names: Sequence[str],
    behaviours: Mapping[str, int],
    user: Mapping[str, Any] | None = None,
) -> History:
    """Return what somebody did in the terms of a catalogue; a behaviour that the model does not know is the first.

    Args:
        past: in codes.
        index: int32, the index of each code in the catalogue; 0 for what it does not know.
        names: of the codes of behaviours.
        behaviours: the model's codes by name.
        user: what is known of the person.
    """
    chosen = past.chosen
    items = index[chosen.items]
    known = items > 0
    called = [names[code] for code in chosen.behaviours[known].tolist()]
    done, rejected = index[past.done], index[past.rejected]
    return History(
        items[known],
        np.array([behaviours.get(name, 1) for name in called], dtype=np.uint8),
        chosen.values[known],
        chosen.times[known],
        called,
        earlier=np.setdiff1d(done[done > 0], np.concatenate([items, rejected])),
        rejected=rejected[rejected > 0],
        user=user or {},
    )
