"""All that somebody ever did, in little room: what is hidden from them, what they said no to, what models read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from poise.data.ingest.feedback import Opinion, Opinions, settle
from poise.types import Floats, Indices, Mask, Offsets

LAST = 200  # events of a person that models read
REPEATS = 5  # of one item among them: whoever does one thing a thousand times has done the others, too


@dataclass(frozen=True, slots=True)
class Deeds:
    """Events of one person in columns, oldest first.

    Attributes:
        items: int32 ``[n]``, codes.
        behaviours: int32 ``[n]``, codes.
        values: float32 ``[n]``; NaN where an event has none.
        times: int64 ``[n]``, milliseconds since 1970.
    """

    items: Indices
    behaviours: Indices
    values: Floats
    times: Offsets

    def where(self, keep: Mask | Offsets) -> Deeds:
        """Return the events that ``keep``, a mask or positions, names."""
        return Deeds(self.items[keep], self.behaviours[keep], self.values[keep], self.times[keep])

    def and_then(self, later: Deeds) -> Deeds:
        """Return these events and later ones."""
        return Deeds(
            np.concatenate([self.items, later.items]),
            np.concatenate([self.behaviours, later.behaviours]),
            np.concatenate([self.values, later.values]),
            np.concatenate([self.times, later.times]),
        )


_CHOSEN = int(Opinion.CHOSEN)
NO_DEEDS = Deeds(
    np.empty(0, dtype=np.int32),
    np.empty(0, dtype=np.int32),
    np.empty(0, dtype=np.float32),
    np.empty(0, dtype=np.int64),
)


@dataclass(frozen=True, slots=True)
class Past:
    """What somebody did, as far as it is remembered.

    Attributes:
        n_events: how many events there are.
        until: the time of the newest, in milliseconds since 1970; 0 without any.
        done: int32, sorted, the items that they did something with that says something, however long ago.
        rejected: int32, sorted, the items of which the last thing they said is a no.
        chosen: what models read: the newest events that say yes, at most ``LAST``, of each item at most ``REPEATS``.
    """

    n_events: int
    until: int
    done: Indices
    rejected: Indices
    chosen: Deeds

    def then(self, deeds: Deeds, opinions: Opinions, done: Mask) -> Past:
        """Return the past with later events.

        Args:
            deeds: ``n`` events, none before :attr:`until`.
            opinions: int8 ``[n]``, what each says.
            done: bool ``[n]``, whether the item of each is hidden from now on.
        """
        after: dict[str, Any] = {
            "n_events": self.n_events + len(deeds.items),
            "until": max(self.until, int(deeds.times.max(initial=0))),
            "done": np.union1d(self.done, deeds.items[done]).astype(np.int32),
        }
        if not len(self.rejected) and (opinions == _CHOSEN).all():
            return Past(rejected=self.rejected, chosen=_newest(self.chosen.and_then(deeds)), **after)
        said = opinions.copy()
        passed_over = said == Opinion.PASSED_OVER
        said[passed_over & np.isin(deeds.items, self.done)] = Opinion.NOTHING  # they had chosen it before, or said no
        rejections = Deeds(
            self.rejected,
            np.zeros(len(self.rejected), dtype=np.int32),
            np.full(len(self.rejected), np.nan, dtype=np.float32),
            np.zeros(len(self.rejected), dtype=np.int64),
        )
        told = rejections.and_then(self.chosen).and_then(deeds.where(said != Opinion.NOTHING))
        words = np.concatenate(
            [
                np.full(len(self.rejected), Opinion.REJECTED, dtype=np.int8),
                np.full(len(self.chosen.items), Opinion.CHOSEN, dtype=np.int8),
                said[said != Opinion.NOTHING],
            ]
        )
        yes, no = settle(told.items.astype(np.int64), words, told.behaviours)
        stands = yes | no
        is_last = _last_of_each(told.items, stands)
        return Past(rejected=np.sort(told.items[is_last & no]), chosen=_newest(told.where(yes)), **after)


NOTHING_DONE = Past(0, 0, NO_DEEDS.items, NO_DEEDS.items, NO_DEEDS)


def _last_of_each(items: Indices, among: Mask) -> Mask:
    """Tell which entries are the last of their item of those that ``among`` names, bool ``[n]``."""
    places = np.flatnonzero(among)[::-1]
    last = np.zeros(len(items), dtype=np.bool_)
    last[places[np.unique(items[places], return_index=True)[1]]] = True
    return last


def _newest(chosen: Deeds) -> Deeds:
    """Return the newest ``LAST`` events, of each item the newest ``REPEATS``."""
    items = chosen.items
    if len(items) <= min(REPEATS, LAST):
        return chosen
    order = np.argsort(items, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(items[order]) != 0]))
    lengths = np.diff(np.append(starts, len(items)))
    newer = np.repeat(starts + lengths, lengths) - 1 - np.arange(len(items))  # events on the same item that came after
    keep = np.ones(len(items), dtype=np.bool_)
    keep[order] = newer < REPEATS
    return chosen.where(np.flatnonzero(keep)[-LAST:])
