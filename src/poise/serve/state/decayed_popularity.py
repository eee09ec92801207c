"""What is popular now: how many people chose each item, in which old choices weigh less, kept up with every event."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from poise.data.ingest.feedback import Opinion
from poise.data.vocabulary import Vocabulary
from poise.durations import DAY
from poise.serve.clock import SYSTEM_CLOCK, Clock
from poise.serve.state.log_counts import LogCounts
from poise.types import Doubles, Offsets

EVIDENCE = 5.0  # people of now that the tenth most popular item of the whole log weighs as much as
TENTH = 10
_PAIRS = 2**20  # people and items whose last choice is remembered, so that who repeats it counts once
_FAR = 200.0  # half-lives after which weights are referred to a later moment
_MOST = 500.0  # half-lives before the reference, beyond which a weight is as small as it gets


class DecayedPopularity:
    """How many people chose each item; a choice weighs half as much as one that is ``half_life`` days younger.

    The score of an item is ``now + ever * min(1, EVIDENCE / tenth)``: ``now`` is the sum of the weights of the people
    who chose it, each by their newest choice, ``ever`` how many people ever chose it, and ``tenth`` the latter of the
    item that stands tenth by it. This is the posterior mean of a Gamma-Poisson model, up to a factor, whose prior is
    the whole log: the best of it are worth some people of now, and one click does not outweigh them.

    Time passes as long as something happens: a pause that is longer than those of the log weighs no more than these.
    So what was popular when a log ended is popular still when it is taken up again years later, and fades with what
    comes. Weights are kept relative to one moment, so that nothing has to be multiplied as time goes by.

    Args:
        half_life: in days.
        clock: beyond whose time no event is dated.
    """

    def __init__(self, half_life: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self.half_life, self.clock = half_life, clock
        self._unit = half_life * DAY
        self._longest_pause = math.inf
        self._newest: int | None = None  # the moment of the newest event, and the passed time at it, in half-lives
        self._passed = 0.0
        self._reference = 0.0  # the passed time that weights are relative to
        self._weights: dict[str, tuple[float, float]] = {}  # of an item: now, and ever
        self._keys, self._choices = np.zeros(_PAIRS, dtype=np.int64), np.zeros(_PAIRS)
        self._item_ids: Vocabulary | None = None
        self._now: Doubles = np.zeros(1)
        self._ever: Doubles = np.zeros(1)

    def start(self, counts: Offsets, ids: Sequence[str]) -> None:
        """Begin with how many chose each item, int64 ``[n_items + 1]``, by index of ``ids``, at unknown times."""
        for item_id, count in zip(ids[1:], counts[1:].tolist(), strict=False):
            self._weights[item_id] = 0.0, float(count)

    def count(self, log: LogCounts) -> None:
        """Begin with all that stands in a log."""
        self._longest_pause = log.longest_pause or self._unit
        self._newest, self._passed = log.newest, log.passed / self._unit
        self._reference = self._passed
        passed = log.passed_at_choice / self._unit
        weight = np.exp2(np.maximum(passed - self._reference, -_MOST))
        now = np.bincount(log.item, weight, minlength=len(log.item_ids))
        ever = np.bincount(log.item, minlength=len(log.item_ids)).astype(np.float64)
        self._weights = dict(zip(log.item_ids, zip(now.tolist(), ever.tolist(), strict=True), strict=True))
        order = np.argsort(passed, kind="stable")  # where two share a place, the newer one is remembered
        place = log.pair[order] & (_PAIRS - 1)
        self._keys[place], self._choices[place] = log.pair[order], passed[order]

    def add(self, events: Iterable[tuple[str, str, int, int]]) -> None:
        """Count events: user, item, what it says (see :class:`~poise.data.ingest.feedback.Opinion`), time.

        A no takes back what the same person chose before. Times are milliseconds since 1970.
        """
        now = self.clock.milliseconds()
        for user_id, item_id, opinion, when in events:
            key = hash((user_id, item_id))
            place = key & (_PAIRS - 1)
            before = float(self._choices[place]) if self._keys[place] == key else None
            if opinion == Opinion.CHOSEN:
                passed = self._passed_at(min(when, now))  # a client with a wrong clock must not outweigh all others
                if before is not None and passed <= before:
                    continue
                self._keys[place], self._choices[place] = key, passed
                self._change(item_id, self._weight(passed) - self._weight(before), before is None)
            elif opinion in (Opinion.REJECTED, Opinion.TAKEN_BACK) and before is not None:
                self._keys[place] = 0
                self._change(item_id, -self._weight(before), -1)

    def _change(self, item_id: str, now: float, ever: float) -> None:
        weight, people = self._weights.get(item_id, (0.0, 0.0))
        self._weights[item_id] = max(weight + now, 0.0), max(people + ever, 0.0)
        index = 0 if self._item_ids is None else self._item_ids._lookup.get(item_id, 0)
        if index:
            self._now[index], self._ever[index] = self._weights[item_id]

    def _weight(self, passed: float | None) -> float:
        return 0.0 if passed is None else math.exp2(max(passed - self._reference, -_MOST))

    def _passed_at(self, moment: int) -> float:
        """Return how much time has passed at a moment, in half-lives, and let it pass if it is the newest."""
        if self._newest is None:
            self._newest = moment
        pause = moment - self._newest
        if pause <= 0:
            return self._passed + pause / self._unit
        self._newest, self._passed = moment, self._passed + min(pause, self._longest_pause) / self._unit
        if self._passed - self._reference > _FAR:
            self._refer_to(self._passed)
        return self._passed

    def _refer_to(self, passed: float) -> None:
        """Keep weights relative to a later moment from now on, before they become too large."""
        factor = math.exp2(max(self._reference - passed, -2 * _MOST))
        self._weights = {item_id: (now * factor, ever) for item_id, (now, ever) in self._weights.items()}
        self._now *= factor
        self._reference = passed

    def scores(self, item_ids: Vocabulary) -> Doubles:
        """Return how popular each item of a catalogue is, float64 ``[n_items + 1]``, relative to the most popular."""
        if item_ids is not self._item_ids:
            self._take_over(item_ids)
        scores = self._now * math.exp2(self._reference - self._passed) + self._ever * self._prior()
        return scores / max(float(scores.max()), 1e-300)

    def people(self, item_ids: Sequence[str]) -> list[int]:
        """Return how many people ever chose each of some items."""
        return [round(self._weights.get(item_id, (0.0, 0.0))[1]) for item_id in item_ids]

    def _prior(self) -> float:
        """Return what somebody who ever chose an item weighs beside somebody who chooses it now."""
        n = min(TENTH, int(np.count_nonzero(self._ever)))
        return min(1.0, EVIDENCE / float(np.partition(self._ever, -n)[-n])) if n else 0.0

    def _take_over(self, item_ids: Vocabulary) -> None:
        """Bring the counts into the order of another catalogue; of one that has grown only what is new is looked up."""
        before = self._item_ids
        n_kept = before.size if before is not None and item_ids.begins_with(before) else 1
        self._now, self._ever = (
            np.pad(counts[:n_kept], (0, item_ids.size - n_kept)) for counts in (self._now, self._ever)
        )
        for index, item_id in enumerate(item_ids.series[n_kept - 1 :], n_kept):
            self._now[index], self._ever[index] = self._weights.get(item_id, (0.0, 0.0))
        self._item_ids = item_ids
