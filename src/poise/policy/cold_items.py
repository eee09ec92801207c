"""What a boost of items without events costs and brings, measured on the validation part.

What it brings is measured on requests that asked for a new item: one that got its first event in the validation part.
Where there are too few of those, items that have events are put into the catalogue a second time, as if they had just
come in. Of such a twin the fitted ranker knows what it would know of a new item, and whoever chose the item has to find
its twin. So nothing is fitted a second time.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from poise.candidates import Candidates, hide_unwanted
from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.ragged import Ragged
from poise.data.vocabulary import Vocabulary
from poise.errors import PoiseError
from poise.evaluation import ranking
from poise.models.validation import K, sample
from poise.recommender import Recommender, batch_size
from poise.types import Doubles, Floats, Indices, Mask, Offsets

BOOSTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8)
_ENOUGH = 300  # requests for new items, from which on no twins are made
_TWINS_FROM = 2_000  # items with events; of fewer, what maps content to items may have learnt each by heart
_FEWEST_TWINS = 20  # in a round; as many as there are new items, if these are more
_ROUNDS = 8
_REQUESTS_FOR_TWINS = 500  # after which there is no further round


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


def measure_costs(ranker: Recommender, valid: Holdout, new_items: Indices) -> Doubles:
    """Return the mean NDCG@10 on a sample of the validation part for each of ``BOOSTS``, float64 ``[n_boosts]``."""
    return np.asarray(_gains(ranker, sample(valid), new_items).mean(axis=1), dtype=np.float64)


def measure_finds(
    ranker: Recommender, data: Dataset, valid: Holdout, new_items: Indices, *, seed: int = 0
) -> tuple[Doubles, int]:
    """Return NDCG@10 of requests for new items for each of ``BOOSTS``.

    Args:
        ranker: a fitted one.
        data: that it was fitted on.
        valid: the validation part.
        new_items: int32 ``[n_new]``, the items without events of which something is known.
        seed: of the draw of items that get a twin.

    Returns:
        float64 ``[n_boosts, n]``, and how many of the ``n`` requests, the first ones, asked for items that are new.
    """
    is_new = np.zeros(data.item_ids.size, dtype=np.bool_)
    is_new[new_items] = True
    asked = sample(_asking_for(valid, is_new))
    found = [_gains(ranker, asked, new_items)]
    if len(asked) < _ENOUGH:
        found += _finds_of_twins(ranker, data, valid, new_items, seed)
    return np.hstack(found), len(asked)


def _finds_of_twins(ranker: Recommender, data: Dataset, valid: Holdout, new_items: Indices, seed: int) -> list[Doubles]:
    """Return the finds of each round of twins; none where the log is too small or the ranker takes no new items."""
    touched = np.flatnonzero(data.item_counts)
    if len(touched) < _TWINS_FROM:
        return []
    is_described = np.logical_or.reduce([np.any(vectors, axis=1) for vectors in data.vectors.values()])
    drawn = np.random.default_rng(seed).permutation(touched[is_described[touched]])
    each = min(max(len(new_items), _FEWEST_TWINS), len(touched) // 10)
    found: list[Doubles] = []
    for first in range(0, min(_ROUNDS * each, len(drawn)), each):
        try:
            found.append(_finds_of_round(ranker, data, valid, drawn[first : first + each], new_items))
        except PoiseError:  # a model that takes no new items
            return []
        if sum(of_round.shape[1] for of_round in found) >= _REQUESTS_FOR_TWINS:
            break
    return found


def _finds_of_round(
    ranker: Recommender, data: Dataset, valid: Holdout, originals: Offsets, new_items: Indices
) -> Doubles:
    """Return the finds of the requests for ``originals``, in whose place their twins stand, among the new items."""
    twin = np.zeros(data.item_ids.size, dtype=np.int32)  # of each item; 0 for none
    twin[originals] = np.arange(len(twin), len(twin) + len(originals))
    ids = data.item_ids.series
    with_twins = replace(
        data,
        item_ids=Vocabulary(pl.concat([ids, ids.gather(originals - 1) + "\0twin"])),
        items=pl.concat([data.items, data.items[originals - 1]]) if data.items.width else data.items,
        vectors={name: np.concatenate([vectors, vectors[originals]]) for name, vectors in data.vectors.items()},
    )
    asked = sample(_asking_for(valid, twin > 0))
    asked = replace(
        asked,
        queries=replace(asked.queries, item_ids=with_twins.item_ids),
        targets=replace(asked.targets, values=twin[asked.targets.values]),
    )
    boosted = np.concatenate([new_items, twin[originals]])
    return _gains(ranker.extend_catalogue(with_twins), asked, boosted, twin)


def _asking_for(valid: Holdout, wanted: Mask) -> Holdout:
    """Return the requests that have targets among ``wanted``, bool ``[n_items + 1]``, that they did not see before."""
    seen = replace(valid.queries, hide_seen=True, exclude=None).seen()
    cells = valid.targets.rows * len(wanted) + valid.targets.values
    keep = wanted[valid.targets.values] & ~np.isin(cells, seen.rows * len(wanted) + seen.values)
    counts = np.bincount(valid.targets.rows[keep], minlength=len(valid))
    targets = Ragged(valid.targets.values[keep], np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))
    return replace(valid, targets=targets, values=valid.values[keep]).take(counts > 0)


def _gains(ranker: Recommender, part: Holdout, new_items: Indices, twin: Indices | None = None) -> Doubles:
    """Return NDCG@10 of each request of ``part`` for each of ``BOOSTS``, float64 ``[n_boosts, n]``.

    Args:
        ranker: that scores.
        part: the requests.
        new_items: int32 ``[n_new]``, what is boosted.
        twin: int32, by item the one that stands in its place, 0 for none; a twin of what was seen is seen too.
    """
    gains = [np.zeros((len(BOOSTS), 0))]
    width = part.queries.item_ids.size
    size = batch_size(width)
    for first in range(0, len(part), size):
        batch = part.take(np.arange(first, min(first + size, len(part))))
        candidates = Candidates.of_catalogue(ranker.score(batch.queries))
        hide_unwanted(candidates, batch.queries)
        if twin is not None:
            seen = replace(batch.queries, hide_seen=True).seen()
            candidates.hide(Ragged(twin[seen.values], seen.offsets))
            candidates.scores[:, np.flatnonzero(twin)] = -np.inf
        distance = boost_distance(candidates, new_items, np.ones(len(batch), dtype=np.bool_))
        of_new = candidates.scores[:, new_items]
        candidates.scores[:, new_items] = -np.inf
        others = candidates.top(K)  # which no boost changes
        assert others.items is not None
        items = np.hstack([others.items, np.broadcast_to(new_items, of_new.shape)])
        mask = ranking.target_mask(batch.targets, width)
        by_boost = []
        for boost in BOOSTS:
            scores = np.hstack([others.scores, of_new + np.float32(boost) * distance[:, None]])
            slates = replace(candidates, items=items, scores=scores).top(K)
            assert slates.items is not None
            by_boost.append(ranking.ndcg(ranking.hit_matrix(slates.items, mask), batch.targets.lengths, K))
        gains.append(np.stack(by_boost))
    return np.hstack(gains)
