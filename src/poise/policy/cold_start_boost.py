"""Room for items without events.

A model that has learnt from events puts what has events first: the rest competes by content alone. But what is new
has to be shown before anybody can choose it. The dial says how far new items are boosted, and what that costs.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Self

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Le
from pydantic.dataclasses import dataclass

from poise.candidates import Candidates, hide_unwanted
from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.evaluation import ranking
from poise.models.validation import K, sample
from poise.policy.step import PolicyRequest, PolicyStep
from poise.recommender import OPTIONS, Recommender, batch_size
from poise.slates import Reason, Slates
from poise.types import Floats, Indices, Mask, Offsets

BOOSTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8)
COST = 0.01  # of NDCG@10 on validation, that room for new items may take


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class ColdStartBoost(PolicyStep):
    """Adds to the scores of items without events, so that some of them are shown.

    A request in which all new items score alike is left as it is: nothing is known to tell them apart.

    Args:
        boost: which share of the distance between the mean score of a request and its best one is added, in [0, 1].
            None takes the most that costs at most 1 % of NDCG@10 on validation, and 0 without a validation part.

    Attributes:
        new_items: int32 ``[n_new]``, the items without events of which something is known.
        selected: the boost that validation selected; None where it did not.
        costs: NDCG@10 on validation by boost.
    """

    boost: Annotated[float, Ge(0), Le(1)] | None = None

    def __post_init__(self) -> None:
        self.new_items: Indices = np.empty(0, dtype=np.int32)
        self.selected: float | None = None
        self.costs: dict[float, float] = {}

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
        """See :attr:`PolicyStep.metrics`: the cost of each boost."""
        return {f"NDCG@10 with boost {boost:g}": round(ndcg, 5) for boost, ndcg in self.costs.items()}

    def fit(self, ranker: Recommender, data: Dataset, valid: Holdout | None) -> None:
        """See :meth:`PolicyStep.fit`."""
        self.new_items = _items_without_events(data)
        self.selected, self.costs = None, {}
        if self.boost is None and valid is not None and len(self.new_items):
            self.costs = measure_boosts(ranker, valid, self.new_items)
            self.selected = choose_boost(self.costs)

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
        costs = np.array([[boost, ndcg] for boost, ndcg in self.costs.items()]).reshape(-1, 2)
        return {"new_items": self.new_items, "selected": selected, "costs": costs}

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self.new_items = arrays["new_items"]
        self.selected = None if np.isnan(arrays["selected"][0]) else float(arrays["selected"][0])
        self.costs = {float(boost): float(ndcg) for boost, ndcg in arrays["costs"]}


def boost_distance(candidates: Candidates, new_items: Indices, personalized: Mask) -> Floats:
    """Return how far new items may be moved, float32 ``[n]``: the distance from a request's mean score to its best.

    Args:
        candidates: of ``n`` requests.
        new_items: int32 ``[n_new]``.
        personalized: bool ``[n]``, which requests are changed; the others get 0, and so do those whose new items all
            score alike.
    """
    if candidates.items is None:
        scores = candidates.scores[:, new_items]
    else:
        scores = np.where(candidates.is_among(new_items), candidates.scores, -np.inf)
    low = np.where(scores > -np.inf, scores, np.inf).min(axis=1, initial=np.inf)
    is_told_apart = scores.max(axis=1, initial=-np.inf) > low
    moved = personalized & (is_told_apart | (len(new_items) == 1))
    return np.where(moved, candidates.best - candidates.mean, 0).astype(np.float32)


def measure_boosts(ranker: Recommender, valid: Holdout, new_items: Indices) -> dict[float, float]:
    """Return NDCG@10 on a sample of the validation part for each of ``BOOSTS``."""
    part = sample(valid)
    gains = dict.fromkeys(BOOSTS, 0.0)
    size = batch_size(part.queries.item_ids.size)
    for first in range(0, len(part), size):
        batch = part.take(np.arange(first, min(first + size, len(part))))
        candidates = Candidates.of_catalogue(ranker.score(batch.queries))
        hide_unwanted(candidates, batch.queries)
        distance = boost_distance(candidates, new_items, np.ones(len(batch), dtype=np.bool_))
        of_new = candidates.scores[:, new_items]
        candidates.scores[:, new_items] = -np.inf
        others = candidates.top(K)  # which no boost changes
        assert others.items is not None
        items = np.hstack([others.items, np.broadcast_to(new_items, of_new.shape)])
        mask = ranking.target_mask(batch.targets, batch.queries.item_ids.size)
        for boost in BOOSTS:
            scores = np.hstack([others.scores, of_new + np.float32(boost) * distance[:, None]])
            slates = replace(candidates, items=items, scores=scores).top(K)
            assert slates.items is not None
            hits = ranking.hit_matrix(slates.items, mask)
            gains[boost] += float(ranking.ndcg(hits, batch.targets.lengths, K).sum())
    return {boost: gain / len(part) for boost, gain in gains.items()}


def choose_boost(ndcg_by_boost: Mapping[float, float]) -> float:
    """Return the largest boost that costs no more than ``COST`` of NDCG@10, by what :func:`measure_boosts` found."""
    return max(boost for boost, ndcg in ndcg_by_boost.items() if ndcg >= (1 - COST) * ndcg_by_boost[0.0])


def _items_without_events(data: Dataset) -> Indices:
    """Return the items without events of which something is known: those with a vector."""
    return _with_vectors(data, np.flatnonzero(data.item_counts == 0))


def _with_vectors(data: Dataset, items: Offsets) -> Indices:
    """Return those of ``items`` that have a vector."""
    has_vector = np.zeros(len(items), dtype=np.bool_)
    for vectors in data.vectors.values():
        has_vector |= np.any(vectors[items], axis=1)
    return items[has_vector].astype(np.int32)
