from __future__ import annotations

import dataclasses
from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from annotated_types import Ge
from pydantic.dataclasses import dataclass

from poise.data.dataset import Dataset
from poise.data.doctor.rebuys import find_rebuys, visits_of
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.durations import DAY
from poise.models.validation import mean_ndcg, sample
from poise.options.fit_options import FitOptions
from poise.options.selection import Selection
from poise.recommender import OPTIONS, Recommender
from poise.slates import Reason
from poise.types import Doubles, Floats, Indices, Offsets

Timing = Literal["due", "recent", "often"]
_TIMINGS: tuple[Timing, ...] = ("recent", "due", "often")
_PEOPLE = 10  # as whom, times the prior, what all items have in common counts for one item
_EVENTS = 10  # as which the log's share of coming back counts for one person
_SHARE = 0.1  # of an interval, within which it does not matter how recent an event is
_SHORTEST = 1 / 24  # days: what comes again sooner comes again at once


@dataclasses.dataclass(frozen=True)
class TimingSelection(Selection):
    """What the model selected.

    Attributes:
        timing: when an item comes again.
    """

    timing: Timing | None = None


@plain_dataclass(frozen=True)
class _Habits:
    """What the people of some requests did with the items that they had before, one entry a pair of both.

    Attributes:
        row: int64 ``[n]``, the request.
        item: int32 ``[n]``.
        times: float64 ``[n]``, on how many visits.
        interval: float64 ``[n]``, the mean time from one to the next; NaN after a single one.
        elapsed: float64 ``[n]``, the time since the last.
        has_time: whether times are in days; without a clock they are numbers of events of the person.
    """

    row: Offsets
    item: Indices
    times: Doubles
    interval: Doubles
    elapsed: Doubles
    has_time: bool


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class RepeatConsumption(Recommender):
    """What somebody comes back to, when it is due, and else what is popular: for groceries, music, daily goods.

    An item that the person had before scores by the rate at which they will have it again: how many times they had it,
    over the time that it takes, each with what is usual for the item as a prior, times the share of its people who come
    back to it at all. When it comes again is chosen on validation: ``due``, when its interval has passed, as sugar is;
    ``recent``, the sooner the less time has passed, as songs are; or ``often``, at any time. What the person did not
    have scores by its popularity. How much of what they do is coming back is learnt too, of the log and of each person.

    The rates are those of Bhagat, Muralidharan, Lobzhanidze and Vishwanath, *Buy It Again: Modeling Repeat Purchase
    Recommendations*, 2018 (the modified Poisson-Gamma model); that recency rules where tastes do is from Anderson,
    Kumar, Tomkins and Vassilvitskii, *The Dynamics of Repeat Consumption*, 2014; repeating and exploring as two parts
    from Li, Jullien, Ariannezhad and de Rijke, *A Next Basket Recommendation Reality Check*, 2023.

    Args:
        timing: when an item comes again; None chooses on validation.
        prior: people as whom what is usual for an item counts against what its own people did, and times as which it
            counts against what one person did.
    """

    timing: Timing | None = None
    prior: Annotated[float, Ge(0.01)] = 1.0

    selected = TimingSelection()
    for_seen: ClassVar[bool] = True

    def unsupported_reason(self, data: Dataset) -> str | None:
        """See :meth:`Recommender.unsupported_reason`: people do not come back to the same things."""
        if hasattr(self, "popularity"):  # a little less than a tenth is no reason not to learn on
            return None
        rebuys = find_rebuys(data)
        if rebuys.come_back:
            return None
        return f"people do not come back to the same things ({rebuys.share:.1%} of {rebuys.returning_events:,} events)"

    def _fit(self, data: Dataset, valid: Holdout | None, options: FitOptions) -> None:
        log, width = data.events, data.item_ids.size
        self.popularity = np.bincount(log.item, minlength=width).astype(np.float64)
        self.popularity /= self.popularity.sum()
        habits = _habits(data.queries())
        again = habits.times > 1
        self.repeat_share = float(habits.times[again].sum() - again.sum()) / max(float(habits.times.sum()), 1.0)
        people = np.bincount(habits.item, minlength=width)
        came_back = np.bincount(habits.item[again], minlength=width)
        overall = came_back.sum() / max(people.sum(), 1)
        self.come_back = (came_back + _PEOPLE * self.prior * overall) / (people + _PEOPLE * self.prior)
        self.intervals, self.has_time = _usual_intervals(habits, width, self.prior), log.has_time
        if self.timing is None and valid is not None:
            part = sample(valid)
            ndcg: dict[Timing, float] = {timing: mean_ndcg(self._with(timing), part) for timing in _TIMINGS}
            best = max(ndcg, key=lambda timing: ndcg[timing])
            self.selected = TimingSelection(best)
            self.metrics = {f"NDCG@10, {timing}": value for timing, value in ndcg.items()}

    def _with(self, timing: Timing) -> RepeatConsumption:
        self.selected = TimingSelection(timing)
        return self

    def _grow(self, data: Dataset) -> None:
        added = self._count_added(data)
        self.popularity = np.pad(self.popularity, (0, added))
        self.come_back = np.pad(self.come_back, (0, added), constant_values=self.come_back[0])  # of padding: usual
        self.intervals = np.pad(self.intervals, (0, added), constant_values=self.intervals[0])

    def score(self, queries: Queries) -> Floats:
        """See :meth:`Recommender.score`: the logarithm of the probability that the item is next."""
        habits = _habits(queries)
        rate = self._rates(habits)
        total = np.bincount(habits.row, rate, minlength=len(queries))
        repeats = np.bincount(habits.row, habits.times - 1, minlength=len(queries))
        times = np.bincount(habits.row, habits.times, minlength=len(queries))
        share = (repeats + _EVENTS * self.repeat_share) / (times + _EVENTS)
        share = np.where(total > 0, share, 0.0)
        probability = (1 - share)[:, None] * self.popularity[None, :]
        probability[habits.row, habits.item] += share[habits.row] * rate / np.maximum(total, 1e-12)[habits.row]
        scores: Floats = np.log1p(probability * len(self.popularity) * 10).astype(np.float32)
        return scores

    def _rates(self, habits: _Habits) -> Doubles:
        """Return how much of coming back falls to each item that was there before, float64 ``[n]``."""
        frequency = habits.times + self.prior
        usual = self.intervals[habits.item]
        is_comparable = habits.has_time == self.has_time  # a history of ids alone has no times that a log in days knows
        own = np.where(np.isnan(habits.interval) | (not is_comparable), usual, habits.interval)
        weight = habits.times - 1
        interval = (weight * own + self.prior * usual) / (weight + self.prior)
        elapsed = habits.elapsed if is_comparable else interval
        timing = self.timing or self.selected.timing or "recent"
        if timing == "often":
            rate = frequency
        elif timing == "recent":
            rate = frequency / (elapsed + _SHARE * interval)
        else:  # as likely so long before it is due as after
            rate = frequency / (np.abs(elapsed - interval) + interval)
        return np.asarray(self.come_back[habits.item] * rate)

    def explain(self, queries: Queries, items: Indices) -> list[list[list[Reason]]]:
        """See :meth:`Recommender.explain`: what somebody had before, and about how often; else what is popular."""
        habits = _habits(queries)
        place = {pair: n for n, pair in enumerate(zip(habits.row.tolist(), habits.item.tolist(), strict=True))}
        explained = []
        for row in range(len(queries)):
            reasons = []
            for item in items[row].tolist():
                n = place.get((row, item))
                if n is None:
                    reasons.append([Reason("popular")])
                    continue
                interval = float(habits.interval[n])
                days = interval if habits.has_time and not np.isnan(interval) else None
                reasons.append([Reason("again", items=(item,), days=days)])
            explained.append(reasons)
        return explained

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {
            "popularity": self.popularity,
            "come_back": self.come_back,
            "intervals": self.intervals,
            "repeat_share": np.array([self.repeat_share]),
            "has_time": np.array([self.has_time]),
        }

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self.popularity, self.come_back, self.intervals = (
            arrays[name] for name in ("popularity", "come_back", "intervals")
        )
        self.repeat_share, self.has_time = float(arrays["repeat_share"][0]), bool(arrays["has_time"][0])


def _habits(queries: Queries) -> _Habits:
    """Return what the people of the requests did with each item, by visits."""
    log = queries.events
    _, items = queries.histories()
    row, item = items.rows, items.values
    if log.has_time:
        positions, _ = queries.histories()
        time = log.timestamp[positions] / DAY
        newest = np.maximum(items.offsets[1:] - 1, 0)
        now = np.append(time, 0)[newest] if queries.time is None else queries.time / DAY
        visit = visits_of(row, log.timestamp[positions])
    else:
        time = (np.arange(len(item)) - items.offsets[row]).astype(np.float64)
        now = items.lengths.astype(np.float64)
        visit = visits_of(row, None)
    order = np.lexsort((np.arange(len(item)), item, row))
    row, item, time, visit = row[order], item[order], time[order], visit[order]
    starts = np.ones(len(item), dtype=np.bool_)
    starts[1:] = (row[1:] != row[:-1]) | (item[1:] != item[:-1])
    first = np.flatnonzero(starts)
    last = np.append(first[1:], len(item))[: len(first)] - 1
    begins = starts.copy()
    begins[1:] |= visit[1:] != visit[:-1]
    times = np.bincount((np.cumsum(starts) - 1)[begins], minlength=len(first)).astype(np.float64)
    interval = np.where(times > 1, (time[last] - time[first]) / np.maximum(times - 1, 1), np.nan)
    return _Habits(
        row=row[first],
        item=item[first],
        times=times,
        interval=np.maximum(interval, _SHORTEST),
        elapsed=np.maximum(now[row[first]] - time[last], 0),
        has_time=log.has_time,
    )


def _usual_intervals(habits: _Habits, width: int, prior: float) -> Doubles:
    """Return the geometric mean of each item's intervals, drawn to that of all, float64 ``[width]``."""
    again = habits.times > 1
    item, logarithm = habits.item[again], np.log(habits.interval[again])
    overall = float(logarithm.mean()) if len(item) else 0.0
    count = np.bincount(item, minlength=width)
    total = np.bincount(item, logarithm, minlength=width)
    return np.asarray(np.exp((total + _PEOPLE * prior * overall) / (count + _PEOPLE * prior)))
