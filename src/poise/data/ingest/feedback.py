"""What events say: yes, no, or nothing; and what is left when people change their minds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
import numpy.typing as npt
import polars as pl

from poise.data.ingest.staging import Staging
from poise.data.schema.behaviour_names import (
    PASSING_OVER,
    RATING,
    REJECTING,
    SAYING_NOTHING,
    TAKING_BACK,
    negates,
    plain,
    takes_back,
)
from poise.data.schema.value_kinds import ZERO_IS_NOTHING, ValueKind
from poise.errors import DataError, UsageError
from poise.types import Floats, Mask, Offsets

UNKNOWN_SCALE_THRESHOLD = 2.5
"""From which value on a rating is a yes where no ratings are known that would tell their scale: that of 1 to 5."""


class Opinion(IntEnum):
    """What one event says of its item. Only what was chosen is learnt from as a yes."""

    TAKEN_BACK = -3
    REJECTED = -2
    PASSED_OVER = -1
    NOTHING = 0
    CHOSEN = 1


Opinions = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Feedback:
    """Which events say yes, which say no, and which say nothing.

    What is named in none of the lists is judged by its name, in several languages: ``dislike``, ``hide`` or ``report``
    say no; ``skip`` or ``dismiss`` do where the person never chose the item; ``return``, ``unlike`` or ``cancel`` take
    back what came before; ``impression`` says nothing; all else says yes.

    Attributes:
        positive: behaviours that say yes, whatever their names.
        negative: behaviours that say no.
        ignored: behaviours that say nothing: their events are left out.
        threshold: the value from which on a rating is a yes; ``auto`` for the middle of the scale, ``none`` to take
            every rating as a yes.
    """

    positive: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    threshold: float | str = "auto"

    def __post_init__(self) -> None:
        for name in ("positive", "negative", "ignored"):  # a list of poise.toml or of JSON, too
            object.__setattr__(self, name, tuple(getattr(self, name)))
        named = [plain(name) for name in (*self.positive, *self.negative, *self.ignored)]
        twice = next((name for name in named if named.count(name) > 1), None)
        if twice is not None:
            raise UsageError(f"the behaviour {twice!r} stands in two of positive, negative and ignored; choose one")
        if isinstance(self.threshold, str) and self.threshold not in ("auto", "none"):
            raise UsageError(f"threshold is {self.threshold!r}; give a number, 'auto' or 'none'")

    def opinion(self, behaviour: str) -> Opinion:
        """Return what a behaviour says, by its name alone."""
        name = plain(behaviour)
        if name in map(plain, self.positive):
            return Opinion.CHOSEN
        if name in map(plain, self.ignored):
            return Opinion.NOTHING
        if "👎" in behaviour or negates(behaviour):
            return Opinion.REJECTED
        if name in TAKING_BACK or takes_back(behaviour):
            return Opinion.TAKEN_BACK
        if name in PASSING_OVER:
            return Opinion.PASSED_OVER
        if name in REJECTING or name in map(plain, self.negative):
            return Opinion.REJECTED
        return Opinion.NOTHING if name in SAYING_NOTHING else Opinion.CHOSEN

    def resolved(self, kind: ValueKind | None, values: Floats) -> Feedback:
        """Return the same rules with a number for a threshold; ``auto`` stays where the values are no ratings.

        Args:
            kind: what the values of the log mean.
            values: float32 ``[n_events]``, by which the scale is told; NaN where an event has none.
        """
        given = values[np.isfinite(values)]
        if self.threshold != "auto" or kind != "rating":
            return self
        if not len(given) or given.min() == given.max():  # one value alone is no scale
            return replace(self, threshold="none")
        return replace(self, threshold=middle_of_scale(given))

    def opinions(
        self, names: Sequence[str], behaviour: npt.NDArray[np.integer], value: Floats, kind: ValueKind | None
    ) -> Opinions:
        """Return what each event says, int8 ``[n_events]``, codes of :class:`Opinion`.

        Args:
            names: of the behaviours.
            behaviour: ``[n_events]``, the place of each event's behaviour in ``names``.
            value: float32 ``[n_events]``; NaN where an event has none.
            kind: what the values of the log mean; None where that is not known, or there are none.
        """
        of_name = np.array([self.opinion(name) for name in names], dtype=np.int8)
        opinions: Opinions = of_name[behaviour]
        chosen = opinions == Opinion.CHOSEN
        rated = chosen if kind == "rating" else chosen & self._is_rating(names)[behaviour]
        threshold = UNKNOWN_SCALE_THRESHOLD if self.threshold == "auto" else self.threshold
        if not isinstance(threshold, str):
            opinions[rated & (value < threshold)] = Opinion.REJECTED
        if kind in ZERO_IS_NOTHING:
            opinions[chosen & (value == 0)] = Opinion.PASSED_OVER
        if kind == "label":
            opinions[chosen & (value < 0)] = Opinion.REJECTED
        return opinions

    def _is_rating(self, names: Sequence[str]) -> Mask:
        return np.array([plain(name) in RATING for name in names], dtype=np.bool_)

    def part(self, log: Staging, kind: ValueKind | None) -> pl.DataFrame | None:
        """Leave in ``log`` the events that say yes, and return those that say no; None if there are none.

        A no takes back what the person chose before on the same item, unless it only passes it over. A later yes does
        not take the no out: by the time of a request it is told which of the two is newer. What was taken back, and
        what says nothing, goes to quarantine.

        Raises:
            DataError: no event says yes.
        """
        frame = log.frame
        behaviours = frame["behaviour"].unique().sort() if "behaviour" in log else pl.Series(["interaction"])
        behaviour = np.zeros(frame.height, dtype=np.int64)
        if "behaviour" in log:
            behaviour = frame["behaviour"].replace_strict(behaviours, range(len(behaviours))).to_numpy()
        value = np.full(frame.height, np.nan, dtype=np.float32)
        if "value" in log:
            value = frame["value"].cast(pl.Float32).fill_null(float("nan")).to_numpy()
        pair = frame.select(pl.struct("user_id", "item_id").hash()).to_series().to_numpy().view(np.int64)
        time = frame["timestamp"].fill_null(0).to_numpy() if "timestamp" in log else None
        opinions = self.opinions(behaviours.to_list(), behaviour, value, kind)
        if (opinions == Opinion.CHOSEN).all():
            return None
        yes, no = judge(pair, opinions, behaviour, time)
        if not yes.any():
            raise DataError(_no_yes(behaviours.to_list(), self, kind))
        rejections = frame.filter(pl.Series(no))
        log.refuse(pl.Series(opinions == Opinion.NOTHING), "says neither yes nor no (ignored)")
        left = log.frame["_row"].to_numpy()
        kept = np.zeros(log.raw.height, dtype=np.bool_)
        kept[frame["_row"].to_numpy()[yes | no]] = True
        log.refuse(pl.Series(~kept[left]), "taken back: another event of the person on the item says otherwise")
        log.frame = log.frame.filter(~pl.col("_row").is_in(rejections["_row"].implode()))
        return rejections if rejections.height else None


def judge(
    pair: npt.NDArray[np.int64], opinions: Opinions, behaviour: npt.NDArray[np.integer], time: Offsets | None
) -> tuple[Mask, Mask]:
    """Return which events of a log stand as a yes and which as a no, two masks, bool ``[n_events]``.

    Args:
        pair: int64 ``[n_events]``, a number for each pair of user and item.
        opinions: int8 ``[n_events]``, of :class:`Opinion`.
        behaviour: ``[n_events]``, codes of the behaviours.
        time: int64 ``[n_events]``; None where only the order of the events is known.
    """
    pairs = pl.Series(pair)
    with_no = pairs.filter(pl.Series(opinions < Opinion.NOTHING)).unique()
    disputed = np.flatnonzero(pairs.is_in(with_no.implode()).to_numpy())
    if time is not None:
        disputed = disputed[np.argsort(time[disputed], kind="stable")]
    yes, no = opinions == Opinion.CHOSEN, np.zeros(len(pair), dtype=np.bool_)
    yes[disputed], no[disputed] = settle(pair[disputed], opinions[disputed], behaviour[disputed])
    if time is None:  # no request can tell which is newer: here the last word counts
        no &= ~pairs.is_in(pairs.filter(pl.Series(yes)).unique().implode()).to_numpy()
    return yes, no


def settle(pair: npt.NDArray[np.int64], opinions: Opinions, behaviour: npt.NDArray[np.integer]) -> tuple[Mask, Mask]:
    """Return which events stand as a yes and which as a no when all that people said is taken together.

    - A rejection takes back every earlier yes on the item.
    - What takes back (a return, an unlike) takes back the newest yes. If that was the last of its behaviour, all
      earlier ones go with it, and the item is rejected: bought and returned. Else it says no more.
    - An item that was passed over counts as a no only if the person had not chosen it before.

    Args:
        pair: int64 ``[n]``, a number for each pair of user and item; events in order of time.
        opinions: int8 ``[n]``, of :class:`Opinion`.
        behaviour: ``[n]``, codes of the behaviours.

    Returns:
        two masks, bool ``[n]``.
    """
    order = np.argsort(pair, kind="stable")
    said = opinions[order].astype(np.int8)
    starts = np.flatnonzero(np.concatenate([[True], np.diff(pair[order]) != 0])) if len(pair) else np.empty(0, int)
    segment = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(pair))))
    for part in np.unique(segment[said == Opinion.TAKEN_BACK]):
        stop = starts[part + 1] if part + 1 < len(starts) else len(pair)
        _take_back(said[starts[part] : stop], behaviour[order][starts[part] : stop])
    place = np.arange(len(pair))
    yes, no = np.zeros(len(pair), dtype=np.bool_), np.zeros(len(pair), dtype=np.bool_)
    if len(pair):
        chosen, rejected = said == Opinion.CHOSEN, said == Opinion.REJECTED
        last_no = np.maximum.reduceat(np.where(rejected, place, -1), starts)[segment]
        first_yes = np.minimum.reduceat(np.where(chosen, place, len(pair)), starts)[segment]
        yes[order] = chosen & (place > last_no)
        no[order] = rejected | ((said == Opinion.PASSED_OVER) & (place < first_yes))
    return yes, no


def _take_back(said: Opinions, behaviour: npt.NDArray[np.integer]) -> None:
    """Settle, in place, the events on one item by one person that take something back."""
    for place in np.flatnonzero(said == Opinion.TAKEN_BACK):
        chosen = np.flatnonzero(said[:place] == Opinion.CHOSEN)
        said[place] = Opinion.REJECTED
        if len(chosen):
            said[chosen[-1]] = Opinion.NOTHING
            if (behaviour[chosen[:-1]] == behaviour[chosen[-1]]).any():
                said[place] = Opinion.NOTHING


def middle_of_scale(ratings: Floats) -> float:
    """Return the middle of the scale that ratings are on: 3 where they lie between 1 and 5."""
    low, high = float(ratings.min()), float(ratings.max())
    ends: Mapping[float, float] = {1.0: 0.0, 5.0: 1.0, 10.0: 1.0, 100.0: 0.0}
    for end, start in ends.items():
        middle = (min(low, start) + end) / 2
        if low >= 0 and middle <= high <= end:
            return middle
    return (low + high) / 2


def _no_yes(behaviours: Sequence[str], feedback: Feedback, kind: ValueKind | None) -> str:
    if kind == "label":
        return "no event says yes: all labels are 0; a label of 1 says that the item was chosen"
    if kind == "rating" and all(feedback.opinion(name) == Opinion.CHOSEN for name in behaviours):
        return f"no event says yes: all ratings lie below {feedback.threshold} (threshold under [data.feedback])"
    names = ", ".join(behaviours[:5])
    return f"no event says yes: the behaviours are {names}; name those that do with positive under [data.feedback]"
