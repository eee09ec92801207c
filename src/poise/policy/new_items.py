"""Room for items that nobody has touched yet.

A model that has learnt from events puts what has events first: the rest competes with meaning alone. But what is new
has to be shown before anybody can choose it. The dial says how far new items are lifted, and what that costs.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from poise.data.holdout import Holdout
from poise.evaluation import ranking
from poise.models.validation import K, sample
from poise.recommender import Recommender, batch_size, hide
from poise.top_k import top_k
from poise.types import Floats, Indices

BOOSTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8)
COST = 0.01  # of NDCG@10 on validation, that room for new items may take


def boosted(scores: Floats, new: Indices, cold_start_boost: float) -> Floats:
    """Return how much is added to the scores of new items, float32 ``[n, n_new]``.

    Args:
        scores: float32 ``[n, n_items + 1]``.
        new: int32 ``[n_new]``, the items without events.
        cold_start_boost: in [0, 1]: which share of the distance between the mean score of a request and its best one. A
            request in which all new items score alike is left as it is: nothing is known to tell them apart.
    """
    own = scores[:, new]
    if not own.size:
        return own
    real = scores[:, 1:]
    distance = real.max(axis=1) - real.mean(axis=1)  # [n]
    told_apart = (np.ptp(own, axis=1) > 0) | (len(new) == 1)
    return np.broadcast_to((np.float32(cold_start_boost) * distance * told_apart)[:, None], own.shape)


def measure_boosts(model: Recommender, valid: Holdout, new: Indices) -> dict[float, float]:
    """Return NDCG@10 on a sample of the validation part for each of ``BOOSTS``."""
    part = sample(valid)
    gains = dict.fromkeys(BOOSTS, 0.0)
    size = batch_size(part.queries.item_ids.size)
    for first in range(0, len(part), size):
        batch = part.take(np.arange(first, min(first + size, len(part))))
        scores = model.score(batch.queries)
        mask = ranking.target_mask(batch.targets, scores.shape[1])
        hidden = scores.copy()
        hide(hidden, batch.queries)
        of_new = hidden[:, new]
        hidden[:, new] = -np.inf
        items, best = top_k(hidden, K)  # of the others, which no lift changes
        both = np.hstack([items, np.broadcast_to(new, of_new.shape)])
        for cold_start_boost in BOOSTS:
            columns, values = top_k(np.hstack([best, of_new + boosted(scores, new, cold_start_boost)]), K)
            shown = np.where(values > -np.inf, np.take_along_axis(both, columns, axis=1), 0)
            hits = ranking.hit_matrix(shown, mask)
            gains[cold_start_boost] += float(ranking.ndcg(hits, batch.targets.lengths, K).sum())
    return {cold_start_boost: gain / len(part) for cold_start_boost, gain in gains.items()}


def choose_boost(metrics: Mapping[float, float]) -> float:
    """Return the largest lift that costs no more than ``COST`` of NDCG@10, by what :func:`measure_boosts` found."""
    return max(cold_start_boost for cold_start_boost, metric in metrics.items() if metric >= (1 - COST) * metrics[0.0])
