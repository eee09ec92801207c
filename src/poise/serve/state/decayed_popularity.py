"""What is popular now: counts of events in which an old one weighs less, kept up with every event."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from poise.data.vocabulary import Vocabulary
from poise.durations import DAY
from poise.serve.clock import SYSTEM_CLOCK, Clock
from poise.types import Doubles, Offsets

AGAINST = ("skip", "dislike", "hide", "unlike")  # behaviours that do not make an item popular
_TIE = 1e-3  # what having been popular at any time counts beside being popular now
_FAR = 200.0  # half-lives after which weights are referred to a later moment
_MOST = 500.0  # half-lives before the reference, beyond which a weight is as small as it gets


class DecayedPopularity:
    """Decayed counts by item. An event weighs half as much as one that is ``half_life`` days younger.

    Weights are kept relative to one moment, so that nothing has to be multiplied as time goes by. What was popular at
    any time breaks ties, which matters when a log is taken up again after a long pause.

    Args:
        half_life: in days.
        clock: beyond whose time no event is dated.
    """

    def __init__(self, half_life: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self.half_life, self.clock = half_life, clock
        self._reference: int | None = None
        self._weights: dict[str, tuple[float, int]] = {}  # of an item: decayed, and plain
        self._item_ids: Vocabulary | None = None
        self._lately: Doubles = np.zeros(1)
        self._ever: Doubles = np.zeros(1)

    def start(self, counts: Offsets, ids: Sequence[str]) -> None:
        """Begin with how many events each item had, int64 ``[n_items + 1]``, by index of ``ids``, of unknown times."""
        for item_id, count in zip(ids[1:], counts[1:].tolist(), strict=False):
            self._weights[item_id] = 0.0, count

    def add(self, events: Iterable[tuple[str, str, int, int]]) -> None:
        """Count events: item, behaviour, time in milliseconds, how many."""
        lookup = {} if self._item_ids is None else self._item_ids._lookup
        now = self.clock.milliseconds()
        for item_id, behaviour, when, count in events:
            if behaviour in AGAINST:
                continue
            moment = min(when, now)  # a client with a wrong clock must not outweigh all others
            if self._reference is None:
                self._reference = moment
            if moment - self._reference > _FAR * self.half_life * DAY:
                self._refer_to(moment)
            age = (moment - self._reference) / (self.half_life * DAY)
            weight = count * math.exp2(max(age, -_MOST))
            decayed, plain = self._weights.get(item_id, (0.0, 0))
            self._weights[item_id] = decayed + weight, plain + count
            if (index := lookup.get(item_id, 0)) != 0:
                self._lately[index], self._ever[index] = self._weights[item_id]

    def _refer_to(self, moment: int) -> None:
        """Keep weights relative to a later moment from now on, before they become too large."""
        assert self._reference is not None
        factor = math.exp2(max((self._reference - moment) / (self.half_life * DAY), -2 * _MOST))
        self._weights = {item_id: (decayed * factor, plain) for item_id, (decayed, plain) in self._weights.items()}
        self._lately *= factor
        self._reference = moment

    def scores(self, item_ids: Vocabulary) -> Doubles:
        """Return how popular each item of a catalogue is, float64 ``[n_items + 1]``, relative to the most popular."""
        if item_ids is not self._item_ids:
            self._take_over(item_ids)
        return _share(self._lately) + _TIE * _share(np.log1p(self._ever))

    def _take_over(self, item_ids: Vocabulary) -> None:
        """Bring the counts into the order of another catalogue; of one that has grown only what is new is looked up."""
        before = self._item_ids
        n_kept = before.size if before is not None and item_ids.begins_with(before) else 1
        self._lately, self._ever = (
            np.pad(counts[:n_kept], (0, item_ids.size - n_kept)) for counts in (self._lately, self._ever)
        )
        for index, item_id in enumerate(item_ids.series[n_kept - 1 :], n_kept):
            self._lately[index], self._ever[index] = self._weights.get(item_id, (0.0, 0))
        self._item_ids = item_ids


def _share(weights: Doubles) -> Doubles:
    return weights / max(float(weights.max()), 1e-300)
