"""Metrics beyond accuracy: diversity, novelty, serendipity, calibration, coverage and popularity bias.

``items`` is int32 ``[n, k]``, best first, 0 where a slate is shorter. A metric of a request is NaN where it is not
defined.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse

from poise.data.queries import Queries
from poise.evaluation.items import ItemStatistics, slate_matrix
from poise.types import Doubles, Floats, Indices, Mask, Offsets

_SMOOTHING = 0.01
_Z = 1.959963984540054  # the 97.5 % point of the normal distribution


def mean_over_slate(items: Indices, of_item: Doubles) -> Doubles:
    """Return the mean of a property of items, float ``[n_items + 1]``, over each slate; NaN for an empty one."""
    real = items > 0
    with np.errstate(invalid="ignore"):
        return np.asarray((of_item[items] * real).sum(axis=1) / real.sum(axis=1))


def novelty(items: Indices, statistics: ItemStatistics) -> Doubles:
    """Mean self-information of the items shown, in bits: ``-log2`` of each item's share of the training events.

    The sources are Zhou et al., *Solving the Apparent Diversity-Accuracy Dilemma of Recommender Systems*, 2010, and
    Vargas and Castells, *Rank and Relevance in Novelty and Diversity Metrics for Recommender Systems*, 2011.
    """
    return mean_over_slate(items, statistics.information)


def average_popularity(items: Indices, statistics: ItemStatistics) -> Doubles:
    """Mean number of training events of the items shown.

    The source is Yin, Cui, Li, Yao and Chen, *Challenging the Long Tail Recommendation*, 2012.
    """
    return mean_over_slate(items, statistics.counts.astype(np.float64))


def long_tail_share(items: Indices, statistics: ItemStatistics) -> Doubles:
    """Share of the items shown that lie outside the head, the most popular items with 80 % of the training events.

    The source is Abdollahpouri, Burke and Mobasher, *Controlling Popularity Bias in Learning-to-Rank Recommendation*,
    2017 (average percentage of long tail items).
    """
    return mean_over_slate(items, statistics.long_tail.astype(np.float64))


def intra_list_diversity(items: Indices, statistics: ItemStatistics) -> Doubles:
    """One minus the mean cosine of all pairs of items in a slate; NaN for slates with fewer than two items.

    The cosine is that of the data's vectors, or, without vectors, of the items' label sets. The source is Ziegler,
    McNee, Konstan and Lausen, *Improving Recommendation Lists Through Topic Diversification*, 2005.
    """
    content = statistics.content
    assert content is not None
    norms = content_norms(content)
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    total = slate_matrix(items, scale) @ content  # [n, dim]: the sum of each slate's unit vectors
    square = content_norms(total) ** 2
    n_real = (items > 0).sum(axis=1)
    n_unit = (scale > 0)[items].sum(axis=1)
    pairs = n_real * (n_real - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(pairs > 0, 1 - (square - n_unit) / pairs, np.nan))


def content_norms(content: Floats | sparse.csr_array) -> Doubles:
    """Return the Euclidean length of each row."""
    if isinstance(content, sparse.csr_array):
        return np.asarray(np.sqrt(content.multiply(content).sum(axis=1)), dtype=np.float64)
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", content, content, dtype=np.float64)))


def serendipity(items: Indices, hits: Mask, popular: Offsets, statistics: ItemStatistics) -> Doubles:
    """Share of the items shown that are both relevant and unexpected.

    An item is relevant if it is a target, and unexpected if a list of the k most popular items does not have it. The
    source is Ge, Delgado-Battenfeld and Jannach, *Beyond Accuracy: Evaluating Recommender Systems by Coverage and
    Serendipity*, 2010; variants in Kaminskas and Bridge, *Diversity, Serendipity, Novelty, and Coverage*, 2016.

    Args:
        items: the slates.
        hits: bool ``[n, k]``, which of them are targets.
        popular: int64 ``[n]``, how far down the order of popularity such a list reaches, from :func:`popular_reach`.
        statistics: of the items.
    """
    unexpected = statistics.popularity_rank[items] > popular[:, None]
    with np.errstate(invalid="ignore"):
        return np.asarray((hits & unexpected).sum(axis=1) / (items > 0).sum(axis=1))


def popular_reach(allowed: Mask, statistics: ItemStatistics, k: int) -> Offsets:
    """Return how far down the order of popularity one must go to fill k places, int64 ``[n]``.

    Args:
        allowed: bool ``[n, n_items + 1]``, what may be returned to each request.
        statistics: of the items.
        k: the number of places.
    """
    n_items = len(statistics.by_popularity)
    reach = np.full(len(allowed), n_items, dtype=np.int64)
    left = np.arange(len(allowed))
    depth = 0
    while (
        len(left) and depth < n_items
    ):  # the first few items fill most slates: the rest of the catalogue is not visited
        depth = min(n_items, max(2 * k, 4 * depth))
        filled = allowed[np.ix_(left, statistics.by_popularity[:depth])].cumsum(axis=1, dtype=np.int32) >= k
        done = filled[:, -1]
        reach[left[done]] = filled[done].argmax(axis=1) + 1
        left = left[~done]
    return reach


def calibration(items: Indices, history: Doubles, statistics: ItemStatistics) -> Doubles:
    """Kullback-Leibler divergence of the labels shown from the labels of the history, in nats; 0 is a perfect match.

    Each item spreads a weight of one evenly over its labels; p is the mean over the history, q over the slate, and the
    divergence is that of p from ``.99 q + .01 p``, so that it is finite. NaN where the history or the slate has no
    labels. The source is Steck, *Calibrated Recommendations*, 2018, with equal weights.

    Args:
        items: the slates.
        history: float64 ``[n, n_labels]``, p, from :func:`label_distribution`.
        statistics: of the items.
    """
    ones = np.ones(len(statistics.counts))
    ones[0] = 0.0
    q = label_distribution(slate_matrix(items, ones), statistics)
    mixed = (1 - _SMOOTHING) * q + _SMOOTHING * history
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(history > 0, history * np.log(history / mixed), 0.0)
    return np.where(np.isnan(history[:, 0]) | np.isnan(q[:, 0]), np.nan, terms.sum(axis=1))


def history_labels(queries: Queries, statistics: ItemStatistics) -> Doubles:
    """Return how the labels of each history are distributed, float64 ``[n, n_labels]``; each item counts once."""
    return label_distribution(queries.matrix(), statistics)


def label_distribution(chosen: sparse.csr_array, statistics: ItemStatistics) -> Doubles:
    """Return the label distribution of each row of items, float64 ``[n, n_labels]``; NaN where there are no labels."""
    labels = statistics.labels
    assert labels is not None
    per_item = np.asarray(labels.sum(axis=1), dtype=np.float64)
    scale = np.divide(1.0, per_item, out=np.zeros_like(per_item), where=per_item > 0)
    mass = (chosen @ (sparse.diags_array(scale) @ labels)).toarray()
    with np.errstate(invalid="ignore"):
        return np.asarray(mass / mass.sum(axis=1, keepdims=True))


def coverage(items: Indices, n_items: int) -> tuple[float, float]:
    """Return the share of the catalogue that stands in at least one slate, and its standard error.

    The source is Herlocker, Konstan, Terveen and Riedl, *Evaluating Collaborative Filtering Recommender Systems*, 2004.
    The error is the jackknife's over requests: resampling them would lose the items that only one slate shows, and so
    would be biased. See Efron and Stein, *The Jackknife Estimate of Variance*, 1981.
    """
    exposure = np.bincount(items.ravel(), minlength=n_items + 1)
    lost = ((exposure == 1)[items] & (items > 0)).sum(axis=1) / n_items  # without that request
    return float((exposure[1:] > 0).mean()), _jackknife_error(-lost)


def gini(items: Indices, n_items: int) -> tuple[float, float]:
    """Return the Gini index of how often each item is shown, and its standard error.

    0: all items of the catalogue are shown equally often; near 1: a few items fill all slates. The source is Fleder and
    Hosanagar, *Blockbuster Culture's Next Rise or Fall*, 2009. The error is the jackknife's, see :func:`coverage`.
    """
    exposure = np.bincount(items.ravel(), minlength=n_items + 1)[1:]
    total = int(exposure.sum())
    if not total:
        return float("nan"), float("nan")
    ordered = np.sort(exposure)
    weights = 2 * np.arange(1, n_items + 1) - n_items - 1
    numerator = float(weights @ ordered)
    # An item shown once less moves to the first place of those shown as often as it was.
    weight = np.concatenate([[0], weights[np.searchsorted(ordered, exposure)]])
    real = items > 0
    left = np.maximum(total - real.sum(axis=1), 1)
    without = (numerator - (weight[items] * real).sum(axis=1)) / (n_items * left)
    return numerator / (n_items * total), _jackknife_error(without)


def normal_interval(value: float, error: float, lowest: float = 0.0, highest: float = 1.0) -> tuple[float, float]:
    """Return the 95 % interval of a metric with a normal error, within its range."""
    return max(lowest, value - _Z * error), min(highest, value + _Z * error)


def _jackknife_error(without_one: Doubles) -> float:
    n = len(without_one)
    return float(np.sqrt((n - 1) / n * np.sum((without_one - without_one.mean()) ** 2)))


OF_SLATE: dict[str, Callable[[Indices, ItemStatistics], Doubles]] = {
    "Novelty": novelty,
    "Diversity": intra_list_diversity,
    "Popularity": average_popularity,
    "LongTail": long_tail_share,
}
"""The metrics of single slates that need the items only, by name."""

OF_ALL_SLATES: dict[str, Callable[[Indices, int], tuple[float, float]]] = {"Coverage": coverage, "Gini": gini}
"""The metrics of all slates together, with their standard errors, by name."""
