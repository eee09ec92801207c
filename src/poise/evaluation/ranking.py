"""Accuracy of slates against the items then chosen, the targets. Every function returns one value per request.

``hits`` is bool ``[n, at least k]``: whether the item at each rank, best first, is a target; False where a slate is
shorter. ``n_targets`` is int ``[n]``, the number of targets of each request, at least 1. A target counts as relevant,
everything else does not: gains are 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from poise.data.ragged import Ragged
from poise.types import Doubles, Floats, Indices, Mask, Offsets


def target_mask(targets: Ragged, width: int) -> Mask:
    """Return which items are targets, bool ``[n, width]``; never the padding in column 0."""
    mask = np.zeros((len(targets), width), dtype=np.bool_)
    mask[targets.rows, targets.values] = True
    mask[:, 0] = False
    return mask


def hit_matrix(items: Indices, targets: Mask) -> Mask:
    """Return whether each item of each slate, int32 ``[n, k]``, is among the targets, bool ``[n, n_items + 1]``."""
    return np.take_along_axis(targets, items.astype(np.int64), axis=1)


def precision(hits: Mask, n_targets: Offsets, k: int) -> Doubles:
    """Share of the k places that hold a target; the places that a short slate leaves empty count as misses."""
    return np.asarray(hits[:, :k].sum(axis=1) / k)


def recall(hits: Mask, n_targets: Offsets, k: int) -> Doubles:
    """Share of all targets that are among the first k; with more than k targets it cannot reach 1."""
    return np.asarray(hits[:, :k].sum(axis=1) / n_targets)


def f1(hits: Mask, n_targets: Offsets, k: int) -> Doubles:
    """Harmonic mean of a request's precision and recall: ``2 hits / (k + targets)``."""
    return np.asarray(2 * hits[:, :k].sum(axis=1) / (k + n_targets))


def hit_rate(hits: Mask, n_targets: Offsets, k: int) -> Doubles:
    """1 where at least one target is among the first k, else 0."""
    return np.asarray(hits[:, :k].any(axis=1), dtype=np.float64)


def reciprocal_rank(hits: Mask, n_targets: Offsets, k: int) -> Doubles:
    """One divided by the rank of the first target; 0 where none is among the first k."""
    first = hits[:, :k].argmax(axis=1)
    return np.asarray(np.where(hits[:, :k].any(axis=1), 1.0 / (first + 1), 0.0))


def average_precision(hits: Mask, n_targets: Offsets, k: int) -> Doubles:
    """Mean over the targets of the precision at the rank of each; targets beyond k add nothing.

    The sum is divided by ``min(k, targets)``, so that a perfect slate gets 1. trec_eval's ``map_cut`` divides by the
    number of targets; the two agree wherever there are at most k targets.
    """
    first_hits = hits[:, :k]
    ranks = np.arange(1, first_hits.shape[1] + 1)
    return np.asarray((first_hits * first_hits.cumsum(axis=1) / ranks).sum(axis=1) / np.minimum(k, n_targets))


def dcg(hits: Mask, n_targets: Offsets, k: int) -> Doubles:
    """Discounted cumulative gain: a hit at rank r adds ``1 / log2(r + 1)``.

    The source is Järvelin and Kekäläinen, *Cumulated Gain-Based Evaluation of IR Techniques*, 2002.
    """
    first_hits = hits[:, :k]
    return np.asarray((first_hits * _discounts(first_hits.shape[1])).sum(axis=1))


def ndcg(hits: Mask, n_targets: Offsets, k: int) -> Doubles:
    """DCG divided by that of the ideal slate, whose first ``min(k, targets)`` places are all hits."""
    ideal = np.concatenate([[0.0], np.cumsum(_discounts(k))])
    return np.asarray(dcg(hits, n_targets, k) / ideal[np.minimum(k, n_targets)])


def auc(scores: Floats, targets: Ragged, allowed: Mask) -> Doubles:
    """Probability that a target scores above an item that could have been shown and was not chosen; ties count half.

    This is the area under the ROC curve of the whole catalogue, the Mann-Whitney statistic.

    Args:
        scores: float32 ``[n, n_items + 1]``; what a model left at minus infinity ranks last, tied.
        targets: the targets of each request.
        allowed: bool ``[n, n_items + 1]``, what the protocol lets a model return; other items do not take part.

    Returns:
        float64 ``[n]``; NaN where all that may be returned is a target.
    """
    rows, lengths = targets.rows, targets.lengths
    of_target = scores[rows, targets.values]
    others = np.where(allowed, scores, np.float32(np.nan))  # NaN is neither below nor equal
    others[rows, targets.values] = np.nan
    n_others = (~np.isnan(others)).sum(axis=1)
    wins = np.zeros(len(targets))
    for nth in range(int(lengths.max(initial=0))):
        having = np.flatnonzero(lengths > nth)
        score = of_target[targets.offsets[having] + nth][:, None]
        rivals = others if len(having) == len(targets) else others[having]
        wins[having] += np.count_nonzero(rivals < score, axis=1) + 0.5 * np.count_nonzero(rivals == score, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(n_others > 0, wins / (lengths * n_others), np.nan))


AT_K: dict[str, Callable[[Mask, Offsets, int], Doubles]] = {
    "Precision": precision,
    "Recall": recall,
    "F1": f1,
    "HitRate": hit_rate,
    "MRR": reciprocal_rank,
    "MAP": average_precision,
    "DCG": dcg,
    "NDCG": ndcg,
}
"""The metrics of the first k places, by the name of their mean over requests."""


def _discounts(k: int) -> Doubles:
    return np.asarray(1.0 / np.log2(np.arange(2, k + 2)))
