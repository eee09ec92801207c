"""How models choose an option on the validation part: by the mean NDCG@10 of a sample of its requests."""

from __future__ import annotations

import numpy as np

from poise.data.holdout import Holdout
from poise.evaluation import ranking
from poise.recommender import Recommender, batch_size

K = 10
SAMPLE = 3_000  # requests: the standard error of NDCG@10 is then about .005


def sample(valid: Holdout, *, seed: int = 0) -> Holdout:
    """Return at most ``SAMPLE`` of the requests, drawn without order."""
    if len(valid) <= SAMPLE:
        return valid
    return valid.take(np.sort(np.random.default_rng(seed).choice(len(valid), SAMPLE, replace=False)))


def mean_ndcg(model: Recommender, holdout: Holdout) -> float:
    """Return the mean NDCG@10 of a model whose arrays are fitted, over all requests of ``holdout``."""
    total = 0.0
    size = batch_size(holdout.queries.item_ids.size)
    for first in range(0, len(holdout), size):
        batch = holdout.take(np.arange(first, min(first + size, len(holdout))))
        slates, _ = model.rank(batch.queries, min(K, batch.queries.item_ids.size))
        hits = ranking.hit_matrix(slates.items, ranking.target_mask(batch.targets, batch.queries.item_ids.size))
        total += float(ranking.ndcg(hits, batch.targets.lengths, K).sum())
    return total / len(holdout)
