"""Intervals of metrics, and tests of whether one model is better than another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from poise.types import Doubles, Floats

RESAMPLES = 1_000
LEVEL = 0.95
ALPHA = 0.05
_FLIPS = 9_999
_AT_ONCE = 8_000_000  # numbers that a block of weights or of columns may hold: 64 MB


@dataclass(frozen=True)
class Estimate:
    """The value of a metric with its 95 % confidence interval.

    Attributes:
        value: NaN where nothing could be measured.
        low: the lower end.
        high: the upper end.
        n: the number of requests.
    """

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Measured:
    """A metric of one model, request by request: its value is the (weighted) mean of the requests' values.

    Attributes:
        values: float64 ``[n]``; NaN for requests that have none.
        weights: float64 ``[n]``, of the requests; None for equal weights.
        root: whether the metric is the square root of the mean, as RMSE is.
    """

    values: Doubles
    weights: Doubles | None = None
    root: bool = False

    @property
    def defined(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which requests count, bool ``[n]``."""
        has_value = ~np.isnan(self.values)
        return has_value if self.weights is None else has_value & (self.weights > 0)

    @property
    def parts(self) -> tuple[Doubles, Doubles]:
        """The terms of numerator and denominator of the mean, float64 ``[n]`` each."""
        weights = self.defined.astype(np.float64) if self.weights is None else np.where(self.defined, self.weights, 0.0)
        return np.where(weights > 0, self.values, 0.0) * weights, weights

    @property
    def value(self) -> float:
        """The mean; NaN if no request has a value."""
        numerator, weights = self.parts
        total = weights.sum()
        mean = numerator.sum() / total if total else np.nan
        return float(np.sqrt(mean) if self.root else mean)

    def where(self, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Measured:
        """Return the metric on some of the requests; ``chosen`` is bool ``[n]``."""
        return Measured(np.where(chosen, self.values, np.nan), self.weights, self.root)


def bootstrap(measured: Sequence[Measured], *, resamples: int = RESAMPLES, seed: int = 0) -> Doubles:
    """Return each metric on requests drawn with replacement, float64 ``[resamples, len(measured)]``.

    All metrics share the draws, so that their differences can be taken row by row. The source is Efron and
    Tibshirani, *An Introduction to the Bootstrap*, 1993.

    Args:
        measured: metrics of the same ``n`` requests.
        resamples: how many times the requests are drawn.
        seed: of the draws.
    """
    n = len(measured[0].values)
    drawn = np.empty((resamples, len(measured)))
    columns_at_once = max(1, _AT_ONCE // (2 * n))
    rows_at_once = max(1, min(resamples, _AT_ONCE // (4 * n)))
    for first in range(0, len(measured), columns_at_once):
        part = measured[first : first + columns_at_once]
        numerators, weights = (
            np.stack(terms, axis=1) for terms in zip(*(metric.parts for metric in part), strict=True)
        )
        whole = np.flatnonzero((weights == 1).all(axis=0))  # their denominator is always n
        others = np.flatnonzero((weights != 1).any(axis=0))
        columns = np.concatenate([numerators, weights[:, others]], axis=1)
        root = np.array([metric.root for metric in part])
        rng = np.random.default_rng(seed)
        for top in range(0, resamples, rows_at_once):
            height = min(rows_at_once, resamples - top)
            sums = _draws(rng, height, n) @ columns  # [height, n_measured + n_some]
            totals = np.empty((height, len(part)))
            totals[:, whole] = n
            totals[:, others] = sums[:, len(part) :]
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = sums[:, : len(part)] / totals
            drawn[top : top + height, first : first + len(part)] = np.where(root, np.sqrt(np.abs(mean)), mean)
    return drawn


def estimates(measured: Sequence[Measured], *, resamples: int = RESAMPLES, seed: int = 0) -> list[Estimate]:
    """Return each metric with the percentile interval of its :func:`bootstrap`."""
    if not measured:
        return []
    low, high = _percentiles(bootstrap(measured, resamples=resamples, seed=seed))
    return [
        Estimate(metric.value, float(low[column]), float(high[column]), int(metric.defined.sum()))
        for column, metric in enumerate(measured)
    ]


@dataclass(frozen=True)
class Comparison:
    """The best model against another one, on the same requests.

    Attributes:
        metric: that they are compared by.
        best: the name of the model with the best metric.
        other: the name of the other one.
        difference: the metric of the best model minus that of the other, with its bootstrap interval.
        p: the probability of a difference at least as large if the two were equally good.
        p_holm: the same, corrected for the number of models compared.
    """

    metric: str
    best: str
    other: str
    difference: Estimate
    p: float
    p_holm: float

    @property
    def real(self) -> bool:
        """Whether the difference is significant at the level of 5 %, after the correction."""
        return self.p_holm <= ALPHA

    @property
    def verdict(self) -> str:
        """The result in words."""
        if not self.real:
            return f"no difference shown between {self.best} and {self.other} (p {p_text(self.p_holm)})"
        word = "higher" if self.difference.value > 0 else "lower"
        return (
            f"{self.best} is better than {self.other}: {self.metric} is {abs(self.difference.value):.4f} {word} "
            f"(p {p_text(self.p_holm)})"
        )


def compare(
    metric: str,
    best: str,
    measured: dict[str, Measured],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Comparison]:
    """Compare the best model with each of the others, request by request.

    The p value is that of :func:`randomisation_test`; :func:`holm` corrects for their number.

    Args:
        metric: its name, for the result.
        best: the name of one of ``measured``.
        measured: by name of the model, the metric on the same requests.
        resamples: how many times the requests are drawn for the interval of a difference.
        seed: of all draws.
    """
    others = [name for name in measured if name != best]
    if not others:
        return []
    both = {name: measured[name].defined & measured[best].defined for name in others}
    first = [measured[best].where(both[name]) for name in others]
    second = [measured[name].where(both[name]) for name in others]
    drawn = bootstrap([*first, *second], resamples=resamples, seed=seed)
    low, high = _percentiles(drawn[:, : len(others)] - drawn[:, len(others) :])
    terms = np.stack(
        [best_values.parts[0] - other_values.parts[0] for best_values, other_values in zip(first, second, strict=True)],
        axis=1,
    )
    p = randomisation_test(terms, seed=seed)
    corrected = holm(p)
    return [
        Comparison(
            metric,
            best,
            name,
            Estimate(
                first[column].value - second[column].value,
                float(low[column]),
                float(high[column]),
                int(both[name].sum()),
            ),
            float(p[column]),
            float(corrected[column]),
        )
        for column, name in enumerate(others)
    ]


def summary(comparisons: Sequence[Comparison]) -> list[str]:
    """Return two lines on the best model: the models that it is better than, and those not significantly worse."""
    lines = []
    better = [f"{comparison.other} (p {p_text(comparison.p_holm)})" for comparison in comparisons if comparison.real]
    if better:
        lines.append(f"{comparisons[0].best} is better than {', '.join(better)} by {comparisons[0].metric}")
    same = [f"{comparison.other} (p {p_text(comparison.p_holm)})" for comparison in comparisons if not comparison.real]
    if same:
        lines.append(f"no difference shown between {comparisons[0].best} and {', '.join(same)}")
    return lines


def randomisation_test(differences: Doubles, *, flips: int = _FLIPS, seed: int = 0) -> Doubles:
    """Return the two-sided p value of each column of paired differences, float64 ``[n_columns]``.

    If two models were equally good, each request's difference might as well have had the other sign. The p value is the
    share of random flips of the signs, the observed ones among them, whose sum is at least as far from 0. The source
    is Smucker, Allan and Carterette, *A Comparison of Statistical Significance Tests for Information Retrieval
    Evaluation*, 2007.

    Args:
        differences: float64 ``[n, n_columns]``, one model's metric minus another's, request by request.
        flips: how many random flips; the smallest possible p is ``1 / (flips + 1)``.
        seed: of the flips.
    """
    told_apart = differences[(differences != 0).any(axis=1)]  # no sign changes a zero
    observed = np.abs(told_apart.sum(axis=0))
    if not len(told_apart):
        return np.ones(differences.shape[1])
    border = observed - 1e-9 * np.abs(told_apart).sum(axis=0)  # equal sums may differ by rounding
    rng = np.random.default_rng(seed)
    n = len(told_apart)
    at_once = max(1, min(flips, _AT_ONCE // n))
    as_far = np.zeros(differences.shape[1])
    for first in range(0, flips, at_once):
        height = min(at_once, flips - first)
        bits = np.unpackbits(np.frombuffer(rng.bytes(-(-height * n // 8)), dtype=np.uint8), count=height * n)
        signs = bits.reshape(height, n).astype(np.float64) * 2 - 1
        as_far += (np.abs(signs @ told_apart) >= border).sum(axis=0)
    return (as_far + 1) / (flips + 1)


def holm(p: Doubles) -> Doubles:
    """Correct p values for their number, so that the probability of any false alarm stays at the level.

    The source is Holm, *A Simple Sequentially Rejective Multiple Test Procedure*, 1979.
    """
    order = np.argsort(p)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return corrected


def _draws(rng: np.random.Generator, height: int, n: int) -> Floats | Doubles:
    """Return how often each of ``n`` requests is drawn in each of ``height`` resamples, float64 ``[height, n]``."""
    drawn = rng.integers(0, n, size=(height, n), dtype=np.int32)
    drawn += np.arange(0, height * n, n, dtype=np.int32)[:, None]
    return np.bincount(drawn.ravel(), minlength=height * n).reshape(height, n).astype(np.float64)


def _percentiles(drawn: Doubles) -> tuple[Doubles, Doubles]:
    """Return the ends of the percentile interval of each column."""
    outside = 50 * (1 - LEVEL)
    drawn_or_zero = np.where(np.isnan(drawn).all(axis=0), 0.0, drawn)  # a column without any value stays NaN below
    low, high = np.nanpercentile(drawn_or_zero, [outside, 100 - outside], axis=0)
    nothing = np.isnan(drawn).all(axis=0)
    return np.where(nothing, np.nan, low), np.where(nothing, np.nan, high)


def p_text(p: float) -> str:
    """Return a p value as people write it, with its sign: ``= .012``, ``< .001``."""
    return "< .001" if p < 0.001 else f"= {p:.3f}".replace("0.", ".", 1)
