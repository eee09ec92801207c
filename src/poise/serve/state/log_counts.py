"""A whole log, counted: who chose what, each person and item once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
import numpy.typing as npt

from poise.data.ingest.feedback import Opinion, Opinions, settle
from poise.serve.state.codes import Codes
from poise.types import Doubles, Floats, Indices, Mask, Offsets

Part = tuple[Sequence[str], Sequence[str], Sequence[str], Sequence[float | None], Sequence[int]]
Judge = Callable[[Sequence[str], Indices, Floats, Offsets], tuple[Opinions, Mask]]

_LONG = 0.999  # the share of pauses between events that is shorter than a long one


@dataclass(frozen=True)
class LogCounts:
    """Who chose what, each person and item once, by the newest choice that stands.

    Time is told by what happens: a pause between events counts at most as the longest but one in a thousand.

    Attributes:
        pair: int64 ``[n]``, a number for each person and item.
        item: int32 ``[n]``, the item, as a place in ``item_ids``.
        passed_at_choice: float64 ``[n]``, milliseconds that had passed at the choice.
        item_ids: all items that anything was done with.
        passed: milliseconds that have passed at the end of the log.
        newest: the moment of the newest choice, in milliseconds since 1970; None without any.
        longest_pause: what a pause counts at most, in milliseconds; 0 if nothing is known of it.
    """

    pair: npt.NDArray[np.int64]
    item: Indices
    passed_at_choice: Doubles
    item_ids: Sequence[str]
    passed: float
    newest: int | None
    longest_pause: float

    @classmethod
    def of(cls, parts: Iterable[Part], judge: Judge, now: int) -> LogCounts:
        """Count a log.

        Args:
            parts: of the log, in columns: users, items, behaviours, values, times in milliseconds since 1970.
            judge: tells what events say.
            now: beyond which no event is dated, in milliseconds since 1970.
        """
        items, behaviours = Codes(), Codes()
        told = [_told(part, judge, items, behaviours) for part in parts]
        if not told:
            return cls(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0), items.names, 0.0, None, 0.0)
        pair, item, behaviour, opinions, moment = (np.concatenate(parts) for parts in zip(*told, strict=True))
        moment = np.minimum(moment, now)
        order = np.argsort(moment, kind="stable")
        pair, item, opinions, moment = pair[order], item[order], opinions[order], moment[order]
        stands = opinions == Opinion.CHOSEN
        disputed = np.flatnonzero(np.isin(pair, np.unique(pair[~stands])))
        stands[disputed] = settle(pair[disputed], opinions[disputed], behaviour[order][disputed])[0]
        pair, item, moment = pair[stands], item[stands], moment[stands]
        pauses = np.diff(moment)
        longest = float(np.quantile(pauses, _LONG, method="lower")) if len(pauses) else 0.0
        passed = np.concatenate([np.zeros(min(len(moment), 1)), np.cumsum(np.minimum(pauses, longest or np.inf))])
        newest = len(pair) - 1 - np.unique(pair[::-1], return_index=True)[1]
        return cls(
            pair[newest],
            item[newest],
            passed[newest],
            items.names,
            float(passed[-1]) if len(passed) else 0.0,
            int(moment[-1]) if len(moment) else None,
            longest,
        )


def _told(
    part: Part, judge: Judge, items: Codes, behaviours: Codes
) -> tuple[npt.NDArray[np.int64], Indices, Indices, Opinions, Offsets]:
    """Return what a part of a log says: pairs of person and item, items, behaviours, opinions, times."""
    users, item_ids, names, values, times = part
    code, moment = behaviours.of(names), np.array(times, dtype=np.int64)
    opinions, _ = judge(behaviours.names, code, np.array(values, dtype=np.float32), moment)
    says = opinions != Opinion.NOTHING
    told = list(compress(zip(users, item_ids, strict=True), says.tolist()))
    pair = np.fromiter(map(hash, told), dtype=np.int64, count=len(told))
    return pair, items.of(item_id for _, item_id in told), code[says], opinions[says], moment[says]
