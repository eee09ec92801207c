"""Re-buys: do people come back to the same things?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from poise.data.dataset import Dataset
from poise.data.event_log import EventLog
from poise.durations import DAY, MINUTE
from poise.types import Indices, Mask, Offsets

_PAUSE = 30 * MINUTE  # without an event, after which a person comes back: the usual end of a session
_COME_BACK = 0.1  # share of what is done later, from which hiding what is known costs more than it spares
_PURCHASES = re.compile(
    r"purchase|\b(buy|bought|orders?|ordered|sales?|transactions?|checkout|kauf|bestellung|compra|pedido|achat|commande)\b"
    r"|购买|下单|購入"
)
_FEWEST = 20  # events of people who were there before, below which a share says nothing


@dataclass(frozen=True)
class Rebuys:
    """How much of what people do, when they come back, they do with what they had before.

    Attributes:
        share: of the events of people who were there before, those on an item with which the person did the same on an
            earlier visit; 0 where nobody came back.
        returning_events: how many events of people who were there before.
        days: the median time between doing something with an item and doing it again, in days; None without a clock, or
            where nobody does anything again.
        behaviours: what was counted: purchases where there are enough of them, else everything.
    """

    share: float
    returning_events: int
    days: float | None
    behaviours: Sequence[str]

    @property
    def come_back(self) -> bool:
        """Whether people come back to the same things: at least a tenth of what they do later."""
        return self.share >= _COME_BACK and self.returning_events >= _FEWEST

    @property
    def hide_seen(self) -> bool:
        """What ``[policy] hide_seen`` should be: False where people come back to the same things."""
        return not self.come_back


def find_rebuys(data: Dataset) -> Rebuys:
    """Measure how often people come back to the same things.

    What happens within one visit, until half an hour passes without an event, is no coming back: somebody looks at a
    thing, and at it again. Without a clock each event is a visit of its own.

    Args:
        data: the log. Where it knows purchases, these alone are counted: a thing may well be looked at ten times, and
            bought once.
    """
    names = data.behaviour_ids.series.to_list()
    bought = np.array([False, *(_is_purchase(name) for name in names)])
    log = data.events
    if bought.any() and not bought[1:].all():
        purchases = log.select(bought[log.behaviour])
        later, _, _ = _returns(purchases)
        if later.sum() >= _FEWEST:
            return _count(purchases, [name for name in names if _is_purchase(name)])
    return _count(log, names)


def visits(log: EventLog) -> Offsets:
    """Return the number of the visit that each event belongs to, int64 ``[n_events]``, counted through all people."""
    return visits_of(log.user, log.timestamp if log.has_time else None)


def visits_of(person: Indices | Offsets, time: Offsets | None) -> Offsets:
    """Return the number of the visit that each event belongs to, int64 ``[n]``, counted through all people.

    Args:
        person: int ``[n]``, of each event, all of one person's together.
        time: int64 ``[n]``, in milliseconds, ascending for each person; None where each event is a visit of its own.
    """
    if time is None:
        return np.arange(len(person))
    begins = (np.diff(person, prepend=-1) != 0) | (np.diff(time, prepend=0) > _PAUSE)
    return np.cumsum(begins)


def _count(log: EventLog, behaviours: Sequence[str]) -> Rebuys:
    later, again, pause = _returns(log)
    returning = int(later.sum())
    return Rebuys(
        share=int(again.sum()) / max(returning, 1),
        returning_events=returning,
        days=float(np.median(pause)) / DAY if log.has_time and len(pause) else None,
        behaviours=behaviours,
    )


def _returns(log: EventLog) -> tuple[Mask, Mask, Offsets]:
    """Tell which events belong to a later visit, and which of these repeat one of an earlier visit of the same person.

    Returns:
        bool ``[n_events]`` each, and of each pair of neighbouring visits to an item the milliseconds between them.
    """
    n = len(log)
    visit = visits(log)
    starts = np.diff(log.user, prepend=0) != 0
    first_visit = np.maximum.accumulate(np.where(starts, visit, 0))
    later = visit > first_visit
    order = np.lexsort((np.arange(n), log.behaviour, log.item, log.user))
    same = np.zeros(n, dtype=np.bool_)
    here, before = order[1:], order[:-1]
    same[1:] = (
        (log.user[here] == log.user[before])
        & (log.item[here] == log.item[before])
        & (log.behaviour[here] == log.behaviour[before])
    )
    # Of several events in one visit, all repeat what an earlier visit had: the visit of the first such event counts.
    group_start = np.maximum.accumulate(np.where(same, 0, np.arange(n)))
    again = np.zeros(n, dtype=np.bool_)
    again[order] = visit[order] > visit[order[group_start]]
    came_back = same[1:] & (visit[here] > visit[before])
    return later, again, (log.timestamp[here] - log.timestamp[before])[came_back]


def _is_purchase(behaviour: str) -> bool:
    return _PURCHASES.search(behaviour.lower().replace("_", " ")) is not None
