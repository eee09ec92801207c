"""The weights of a blend: those with the best NDCG@10 on validation, found by coordinate ascent and averaged.

NDCG has no gradient, but there are few weights and only items near the top can matter: for each request the items are
cut down to the best of each member, and a candidate for the weights then costs milliseconds. One ascent would fit the
chance of its sample; the mean over resamples of the requests (Breiman, *Bagging Predictors*, 1996) fits less of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from poise.candidates import Candidates, hide_unwanted
from poise.data.holdout import Holdout
from poise.models.blend.standardise import standardise_scores
from poise.models.validation import MOST_SCORES, SAMPLE, K
from poise.recommender import Recommender, batch_size
from poise.top_k import top_k
from poise.types import Doubles, Floats, Mask, Offsets

_POOL = 100  # items kept of each member, a request
_RESAMPLES = 8
_STEPS = (0.5, 0.25, 0.1, 0.05)
_TARGETS = 5  # of one request
_LEAST_GAIN = 0.003  # of NDCG@10, that a member has to bring to be worth its time in every request
_REQUESTS = 10_000  # by which weights are chosen


@dataclass(frozen=True)
class Pools:
    """The standardised scores of the items that could reach the top.

    Attributes:
        scores: float32 ``[n_members, n, pool]``; -1e6 for all members where a pool is smaller: finite, so
            that a weight of 0 can be multiplied with it.
        request: int64 ``[n_targets]``, the request of each target.
        target: float32 ``[n_members, n_targets]``, the scores of each target.
        gain: float64 ``[n_targets]``: one divided by the ideal DCG of the target's request.
        n: the number of requests.
    """

    scores: Floats
    request: Offsets
    target: Floats
    gain: Doubles
    n: int

    def ndcg(self, weights: Doubles) -> Doubles:
        """Return what each target adds to its request's NDCG@10, float64 ``[n_targets]``; ties count against it."""
        used = weights.astype(np.float32)
        pool = np.tensordot(used, self.scores, 1)  # [n, pool]
        target = used @ self.target
        # The target itself is in the pool, so 1 is the best; the margin is for the rounding of equal sums.
        rank = (pool[self.request] >= target[:, None] - 1e-6).sum(axis=1)
        return np.where(rank <= K, self.gain / np.log2(rank + 1), 0)

    def take(self, requests: Mask) -> Pools:
        """Return the pools of some requests; ``requests`` is bool ``[n]``."""
        number = np.cumsum(requests) - 1
        kept = requests[self.request]
        return Pools(
            scores=self.scores[:, requests],
            request=number[self.request[kept]],
            target=self.target[:, kept],
            gain=self.gain[kept],
            n=int(requests.sum()),
        )


def choose_weights(members: Sequence[Recommender], valid: Holdout, *, seed: int = 0) -> Doubles:
    """Return the weight of each fitted member, float64 ``[n_members]``, not negative and adding up to 1."""
    pools = gather_pools(members, valid)
    rng = np.random.default_rng(seed)
    size = min(pools.n, SAMPLE)
    draws = [np.bincount(rng.integers(pools.n, size=size), minlength=pools.n) for _ in range(_RESAMPLES)]
    weights = np.mean([_ascend(pools.take(draw > 0), draw[draw > 0]) for draw in draws], axis=0)
    return _without_idle(pools, np.ones(len(pools.request)), weights / weights.sum(), 1 - _LEAST_GAIN)


def weighing_requests(valid: Holdout, n_members: int) -> int:
    """Return by how many requests weights are chosen: fewer where the catalogue is large."""
    affordable = MOST_SCORES // (valid.queries.item_ids.size * n_members)
    return int(np.clip(affordable, SAMPLE, _REQUESTS))


def gather_pools(members: Sequence[Recommender], valid: Holdout) -> Pools:
    """Score the requests with every member and keep, of each request, the best items of each and the targets."""
    pools: list[Floats] = []
    targets: list[Floats] = []
    size = batch_size(valid.queries.item_ids.size * len(members))
    for first in range(0, len(valid), size):
        batch = valid.take(np.arange(first, min(first + size, len(valid))))
        scores = np.stack(
            [standardise_scores(member.score(batch.queries), unscored=member.unscored) for member in members]
        )
        hidden = Candidates.of_catalogue(np.zeros(scores.shape[1:], dtype=np.float32))
        hide_unwanted(hidden, batch.queries)
        best = [top_k(of_member + hidden.scores, min(_POOL, scores.shape[2]))[0] for of_member in scores]
        for row in range(len(batch)):
            wanted = batch.targets[row][:_TARGETS]
            pooled = np.unique(np.concatenate([*(items[row] for items in best), wanted]))
            pools.append(scores[:, row, pooled[pooled > 0]])
            targets.append(scores[:, row, wanted])
    width = max(pool.shape[1] for pool in pools)
    padded = np.full((len(members), len(pools), width), -1e6, dtype=np.float32)
    for row, pool in enumerate(pools):
        padded[:, row, : pool.shape[1]] = pool
    lengths = np.array([target.shape[1] for target in targets])
    ideal = np.cumsum(1 / np.log2(np.arange(2, _TARGETS + 2)))
    return Pools(
        scores=padded,
        request=np.repeat(np.arange(len(pools)), lengths),
        target=np.concatenate(targets, axis=1),
        gain=np.repeat(1 / ideal[lengths - 1], lengths),
        n=len(pools),
    )


def _ascend(pools: Pools, times: Offsets) -> Doubles:
    """Climb from equal weights, one at a time, in ever smaller steps; ``times`` is how often each request counts."""
    n_members, drawn = len(pools.scores), times[pools.request]
    weights = np.full(n_members, 1 / n_members)
    best = float(pools.ndcg(weights) @ drawn)
    for step in _STEPS:
        improved = True
        while improved:
            improved = False
            for member in range(n_members):
                for change in (step, -step):
                    moved = weights.copy()
                    moved[member] = max(0.0, moved[member] + change)
                    if not moved.sum():
                        continue
                    moved /= moved.sum()
                    quality = float(pools.ndcg(moved) @ drawn)
                    if quality > best * (1 + 1e-6):
                        weights, best, improved = moved, quality, True
    return _without_idle(pools, drawn, weights)


def _without_idle(pools: Pools, drawn: Offsets | Doubles, weights: Doubles, share: float = 1.0) -> Doubles:
    """Take out the members without which the blend keeps a share of its NDCG@10: they would only cost time."""
    least = share * float(pools.ndcg(weights) @ drawn)
    for member in np.argsort(weights):
        rest = weights.copy()
        rest[member] = 0
        if weights[member] and rest.sum() and pools.ndcg(rest) @ drawn >= least:
            weights = rest / rest.sum()
    return weights
