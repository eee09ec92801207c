"""Is there anything personal to learn? Whether the rest of a history tells what else somebody has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse, stats

from poise.data.dataset import Dataset
from poise.data.doctor.rebuys import visits
from poise.types import Doubles, Indices, Mask, Offsets

_LEVEL = 0.001  # of a false alarm, by each of the two tests
_PAIRS = 60_000  # different pairs of person and item that are looked at
_OF_ONE = 50  # of one person, at most
_CASES = 2_000
_DRAWS = 8  # to find an item that is as popular, and that the person does not have
_AS_POPULAR = 0.1  # of the number of people, by which the two items of a case may differ
_FEW_CASES = 200  # of which 61 % have to be right to be more than chance
_SHUFFLED_EVENTS, _SHUFFLES = 60_000, 19


@dataclass(frozen=True)
class Signal:
    """Whether the log tells more than how often each thing is chosen.

    Attributes:
        told: in which share of the cases the rest of a history tells the item that the person has from one that is as
            popular and that they do not have; chance gives .5. None where there is no case.
        cases: how many cases can be told at all: in which somebody has the items together.
        p: the probability of as many by chance.
        p_again: the probability that people come back to the same things as often by chance; 1 where they do not.
    """

    told: float | None
    cases: int
    p: float
    p_again: float

    @property
    def found(self) -> bool:
        """Whether there is a signal: that things go together, or that people come back to theirs."""
        return min(self.p, self.p_again) <= _LEVEL

    @property
    def reason(self) -> str:
        """What it rests on, in one sentence."""
        if self.told is None:
            return "Nobody has two things that others have together too."
        sentence = (
            f"The rest of a history tells what somebody has from something as popular in {self.told:.0%} of "
            f"{self.cases:,} cases; chance gives 50%"
        )
        if self.p_again <= _LEVEL:
            return sentence + ", and people come back to the same things more than by chance."
        if not self.found and self.cases < _FEW_CASES:
            return sentence + ", and so few cases can hardly show more."
        return sentence + "."


def find_signal(data: Dataset, *, seed: int = 0) -> Signal:
    """Look for what models of behaviour learn from: that the same people choose the same things.

    One item of a history is set against an item that as many others have. If what people choose were popular things at
    random, either might as well be the one in the history, and the rest of it, by the cosines of the items among all
    other people, would tell them apart in half of the cases: that is a sign test. That people come back to the same
    things is tested against logs whose items are shuffled over the visits. Large logs are sampled.

    The sign test is of Dixon and Mood, *The Statistical Sign Test*, 1946.

    Args:
        data: the log.
        seed: of sample and draws.
    """
    rng = np.random.default_rng(seed)
    user, item = _sample(data, rng)
    right = wrong = 0
    if len(user):
        right, wrong = _tell_apart(user, item, rng)
    cases = right + wrong
    return Signal(
        told=right / cases if cases else None,
        cases=cases,
        p=float(stats.binomtest(right, cases, alternative="greater").pvalue) if cases else 1.0,
        p_again=_chance_of_coming_back(data, rng),
    )


def _sample(data: Dataset, rng: np.random.Generator) -> tuple[Offsets, Offsets]:
    """Return different pairs of person and item, of people with two items or more, both numbered anew from 0."""
    width = data.item_ids.size
    cells = rng.permutation(np.unique(data.events.user * np.int64(width) + data.events.item))
    cells = cells[np.argsort(cells // width, kind="stable")]
    user = cells // width
    lengths = np.bincount(user)
    place = np.arange(len(user)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    cells = cells[(place < _OF_ONE) & (lengths[user] >= 2)]
    people, lengths = np.unique(cells // width, return_counts=True)
    order = rng.permutation(len(people))
    chosen = people[order[: np.searchsorted(np.cumsum(lengths[order]), _PAIRS) + 1]]
    cells = cells[np.isin(cells // width, chosen)]
    user, item = (np.unique(column, return_inverse=True)[1] for column in (cells // width, cells % width))
    return user.astype(np.int64), item.astype(np.int64)


def _tell_apart(user: Offsets, item: Offsets, rng: np.random.Generator) -> tuple[int, int]:
    """Return in how many cases the history tells the right item, and in how many the wrong one; ties do not count."""
    n_people = np.bincount(item)
    has = sparse.csr_array((np.ones(len(user), dtype=np.float32), (user, item)))
    cells = np.sort(user * len(n_people) + item)
    case = _cases(user, n_people[item], rng)
    person, right = user[case], item[case]
    wrong = _as_popular(person, n_people[right] - 1, n_people, cells, rng)
    is_case = wrong >= 0
    person, right, wrong = person[is_case], right[is_case], wrong[is_case]
    if not len(person):
        return 0, 0
    weight = 1 / np.sqrt(n_people)
    histories = sparse.csr_array(has[person] * weight[None, :])  # [n_cases, n_items]
    by_item = sparse.csr_array(has.T)

    def fit_of(items: Offsets) -> Doubles:
        return np.asarray((by_item[items] @ has * histories).sum(axis=1)).ravel()

    # The person does not count for their own item, nor does the item for itself.
    of_person = np.asarray(histories.sum(axis=1)).ravel()
    fit_right = fit_of(right) - of_person - (n_people[right] - 1) * weight[right]
    both = np.asarray((by_item[wrong] * by_item[right]).sum(axis=1)).ravel()
    fit_wrong = fit_of(wrong) - both * weight[right]
    ahead = fit_right / (n_people[right] - 1) - fit_wrong / n_people[wrong]
    return int((ahead > 1e-6).sum()), int((ahead < -1e-6).sum())


def _cases(user: Offsets, n_people: Offsets, rng: np.random.Generator) -> Offsets:
    """Return the positions of pairs to test, of as many people as there are before a second one of anybody's."""
    drawn = rng.permutation(np.flatnonzero(n_people >= 2))
    drawn = drawn[np.argsort(user[drawn], kind="stable")]
    lengths = np.bincount(user[drawn])
    place = np.arange(len(drawn)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return drawn[np.argsort(place, kind="stable")][:_CASES]


def _as_popular(
    person: Offsets, wanted: Offsets, n_people: Offsets, cells: Offsets, rng: np.random.Generator
) -> Offsets:
    """Return for each case an item that about as many people have and this one does not; -1 where none is found.

    Args:
        person: int64 ``[n_cases]``.
        wanted: int64 ``[n_cases]``, how many people should have it.
        n_people: int64 ``[n_items]``, how many have each.
        cells: int64, person times number of items plus item, of all pairs, in ascending order.
        rng: draws the items.
    """
    by_popularity = np.argsort(n_people, kind="stable")
    ascending = n_people[by_popularity]
    low, high = np.searchsorted(ascending, wanted, "left"), np.searchsorted(ascending, wanted, "right")
    nobody = low == high  # then one of the two next to it
    low, high = np.where(nobody, np.maximum(low - 1, 0), low), np.where(nobody, high + 1, high).clip(max=len(n_people))
    found: Offsets = np.full(len(person), -1, dtype=np.int64)
    for _ in range(_DRAWS):
        open_cases = np.flatnonzero(found < 0)
        drawn = by_popularity[rng.integers(low[open_cases], high[open_cases])]
        cell = person[open_cases] * len(n_people) + drawn
        is_new: Mask = cells[np.minimum(np.searchsorted(cells, cell), len(cells) - 1)] != cell
        is_like = np.abs(n_people[drawn] - wanted[open_cases]) <= _AS_POPULAR * wanted[open_cases]
        found[open_cases[is_new & is_like]] = drawn[is_new & is_like]
    return found


def _chance_of_coming_back(data: Dataset, rng: np.random.Generator) -> float:
    """Return the probability that shuffled visits repeat as many items, by the normal distribution of the shuffles."""
    log = data.events
    width = data.item_ids.size
    _, first = np.unique(visits(log) * np.int64(width) + log.item, return_index=True)
    user, item = log.user[first], log.item[first]
    if len(user) > _SHUFFLED_EVENTS:
        people = rng.permutation(np.unique(user))
        counts = np.bincount(user)[people]
        chosen = people[: np.searchsorted(np.cumsum(counts), _SHUFFLED_EVENTS) + 1]
        user, item = (column[np.isin(user, chosen)] for column in (user, item))

    def repeats(items: Indices) -> int:
        return len(items) - len(np.unique(user * np.int64(width) + items))

    observed = repeats(item)
    if not observed:
        return 1.0
    by_chance = np.array([repeats(rng.permutation(item)) for _ in range(_SHUFFLES)])
    if observed <= by_chance.max():
        return 1.0
    spread = max(float(by_chance.std(ddof=1)), 1.0) * np.sqrt(1 + 1 / _SHUFFLES)
    return float(stats.t.sf((observed - by_chance.mean()) / spread, _SHUFFLES - 1))
