"""Room for items without events.

A model that has learnt from events puts what has events first: the rest competes by content alone. But what is new
has to be shown before anybody can choose it. The dial says how far new items are boosted, and what that costs.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Annotated, Any, Self

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Le
from pydantic.dataclasses import dataclass

from poise.candidates import Candidates
from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.policy.cold_items import BOOSTS, boost_distance, measure_costs, measure_finds
from poise.policy.step import PolicyRequest, PolicyStep
from poise.recommender import OPTIONS, Recommender
from poise.slates import Reason, Slates
from poise.types import Doubles, Indices, Offsets

COST = 0.01  # of NDCG@10 on validation, that room for new items may take at most
WORTH = 25  # times what it costs, that it has to bring: for 1 % a quarter of what is found of other items
_FEWEST_REQUESTS = 10  # for new items, by which anything can be told


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class ColdStartBoost(PolicyStep):
    """Adds to the scores of items without events, so that some of them are shown.

    A request in which all new items score alike is left as it is: nothing is known to tell them apart.

    Args:
        boost: which share of the distance between the mean score of a request and its best one is added, in [0, 1].
            None takes what finds most new items on validation for at most 1 % of NDCG@10, see :func:`choose_boost`, and
            0 where nothing was found or nothing could be measured.

    Attributes:
        new_items: int32 ``[n_new]``, the items without events of which something is known.
        selected: the boost that validation selected; None where it did not.
        costs: NDCG@10 on validation by boost.
        finds: the same of requests for new items.
    """

    boost: Annotated[float, Ge(0), Le(1)] | None = None

    def __post_init__(self) -> None:
        self.new_items: Indices = np.empty(0, dtype=np.int32)
        self.selected: float | None = None
        self.costs: dict[float, float] = {}
        self.finds: dict[float, float] = {}

    @property
    def strength(self) -> float:
        """The boost in use: the option, else what was selected on validation."""
        return self.boost if self.boost is not None else self.selected or 0.0

    @property
    def selection(self) -> dict[str, Any]:
        """See :attr:`PolicyStep.selection`."""
        return {} if self.selected is None else {"boost": self.selected}

    @property
    def metrics(self) -> dict[str, float]:
        """See :attr:`PolicyStep.metrics`: the cost of each boost, and what it finds."""
        costs = {f"NDCG@10 with boost {boost:g}": round(ndcg, 5) for boost, ndcg in self.costs.items()}
        return costs | {f"of new items with boost {boost:g}": round(ndcg, 5) for boost, ndcg in self.finds.items()}

    def fit(self, ranker: Recommender, data: Dataset, valid: Holdout | None) -> None:
        """See :meth:`PolicyStep.fit`."""
        self.new_items = _items_without_events(data)
        self.selected, self.costs, self.finds = None, {}, {}
        if self.boost is None and valid is not None and len(self.new_items):
            costs = measure_costs(ranker, valid, self.new_items)
            finds, n_real = measure_finds(ranker, data, valid, self.new_items)
            self.selected = choose_boost(costs, finds, n_real)
            self.costs = dict(zip(BOOSTS, costs.tolist(), strict=True))
            if finds.size:
                self.finds = dict(zip(BOOSTS, finds.mean(axis=1).tolist(), strict=True))

    def refit(self, data: Dataset) -> None:
        """See :meth:`PolicyStep.refit`."""
        self.new_items = _items_without_events(data)

    def extend_catalogue(self, data: Dataset, n_added: int) -> Self:
        """See :meth:`PolicyStep.extend_catalogue`: what is added is new."""
        grown = copy.copy(self)
        added = np.arange(data.item_ids.size - n_added, data.item_ids.size)
        grown.new_items = np.append(self.new_items, _with_vectors(data, added))
        return grown

    def without(self, items: Indices) -> Self:
        """Return the same step, in which ``items`` are no longer new: somebody has chosen them."""
        changed = copy.copy(self)
        changed.new_items = np.setdiff1d(self.new_items, items).astype(np.int32)
        return changed

    def apply(self, candidates: Candidates, request: PolicyRequest) -> Candidates:
        """See :meth:`PolicyStep.apply`; scores that are not personal stay as they are."""
        if self.strength and len(self.new_items):
            distance = boost_distance(candidates, self.new_items, request.personalized)[:, None]
            if candidates.items is None:
                candidates.scores[:, self.new_items] += np.float32(self.strength) * distance
            else:
                candidates.scores[...] += np.float32(self.strength) * distance * candidates.is_among(self.new_items)
        return candidates

    def explain(
        self, reasons: list[list[list[Reason]]], slates: Slates, queries: Queries, ranker: Recommender
    ) -> list[list[list[Reason]]]:
        """See :meth:`PolicyStep.explain`: that an item is new, by the part of its score that this is."""
        is_new = np.isin(slates.items, self.new_items) & (slates.items > 0)
        if not self.strength or not is_new.any():
            return reasons
        n, k = slates.items.shape
        ranker_scores = ranker.score_candidates(
            queries, Ragged(slates.items.reshape(-1), np.arange(n + 1) * k)
        ).reshape(n, k)
        for row, place in zip(*np.nonzero(is_new), strict=True):
            added = float(slates.scores[row, place] - ranker_scores[row, place])
            if added > 0:
                share = added / (added + max(float(ranker_scores[row, place]), 0.0))
                rest = [replace(reason, share=reason.share * (1 - share)) for reason in reasons[row][place]]
                reasons[row][place] = sorted([Reason("new", share=share), *rest], key=lambda reason: -reason.share)
        return reasons

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        selected = np.array([np.nan if self.selected is None else self.selected])
        costs, finds = (np.array(list(of.items())).reshape(-1, 2) for of in (self.costs, self.finds))
        return {"new_items": self.new_items, "selected": selected, "costs": costs, "finds": finds}

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self.new_items = arrays["new_items"]
        self.selected = None if np.isnan(arrays["selected"][0]) else float(arrays["selected"][0])
        self.costs = {float(boost): float(ndcg) for boost, ndcg in arrays["costs"]}
        self.finds = {float(boost): float(ndcg) for boost, ndcg in arrays.get("finds", ())}  # not in earlier versions


def choose_boost(costs: Doubles, finds: Doubles, n_real: int) -> float:
    """Return the boost that is worth most: by what it finds of new items, less what it costs the others.

    What it finds is the lower end of the one-sided 95 % interval of the gain in NDCG@10, so that a chance find does not
    count. Each part of NDCG@10 that is lost on all requests has to bring ``WORTH`` times as much on requests for new
    items.

    Args:
        costs: float64 ``[n_boosts]``, see :func:`~poise.policy.cold_items.measure_costs`.
        finds: float64 ``[n_boosts, n]``, see :func:`~poise.policy.cold_items.measure_finds`.
        n_real: how many of the requests, the first ones, asked for items that are new. Where these find nothing, what
            was found in place of new items does not count.

    Returns:
        0 where no boost is worth anything, or no request asked for a new item.
    """
    n = finds.shape[1]
    if n < _FEWEST_REQUESTS:
        return 0.0
    gains = finds - finds[0]  # [n_boosts, n]
    surely_found = gains.mean(axis=1) - 1.645 * gains.std(axis=1) / np.sqrt(n)
    worth = surely_found - WORTH * np.maximum(costs[0] - costs, 0)
    worth[costs < (1 - COST) * costs[0]] = 0
    if n_real >= _FEWEST_REQUESTS:
        worth[gains[:, :n_real].mean(axis=1) <= 0] = 0
    return BOOSTS[int(worth.argmax())]


def _items_without_events(data: Dataset) -> Indices:
    """Return the items without events of which something is known: those with a vector."""
    return _with_vectors(data, np.flatnonzero(data.item_counts == 0))


def _with_vectors(data: Dataset, items: Offsets) -> Indices:
    """Return those of ``items`` that have a vector."""
    has_vector = np.zeros(len(items), dtype=np.bool_)
    for vectors in data.vectors.values():
        has_vector |= np.any(vectors[items], axis=1)
    return items[has_vector].astype(np.int32)
