from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from poise.data.dataset import Dataset
from poise.data.split import k_fold
from poise.evaluation.evaluate import evaluate
from poise.evaluation.report import Report, aligned, show
from poise.evaluation.significance import LEVEL, Estimate
from poise.options.fit_options import FitOptions
from poise.progress import track
from poise.recommender import Recommender

Maker = Callable[[], Recommender]


@dataclass(frozen=True)
class CrossValidation:
    """The metrics of models on each fold of the data.

    Attributes:
        folds: one report each.
    """

    folds: tuple[Report, ...]

    def estimates(self) -> dict[str, dict[str, Estimate]]:
        """Return by model and metric the mean over the folds with a 95 % interval of Student's t; ``n`` counts folds.

        The folds share training events, so that the interval is somewhat too narrow: see Bengio and Grandvalet, *No
        Unbiased Estimator of the Variance of K-Fold Cross-Validation*, 2004.
        """
        first = self.folds[0]
        return {
            model: {metric: self._mean(model, metric) for metric in first.estimates[model]} for model in first.models
        }

    def frame(self) -> pl.DataFrame:
        """Return one row a model and metric: ``model``, ``metric``, ``value``, ``low``, ``high``, ``folds``."""
        return pl.DataFrame(
            [
                {
                    "model": model,
                    "metric": metric,
                    "value": estimate.value,
                    "low": estimate.low,
                    "high": estimate.high,
                    "folds": estimate.n,
                }
                for model, of_model in self.estimates().items()
                for metric, estimate in of_model.items()
            ]
        )

    def text(self) -> str:
        """Return a table for a terminal: the main metrics of each model, means over the folds with their intervals."""
        estimates, metrics = self.estimates(), self.folds[0].usual
        rows = [["mean of folds", *metrics]]
        rows += [
            [model, *(show(name, of_model.get(name)) for name in metrics)] for model, of_model in estimates.items()
        ]
        return aligned(rows)

    def _mean(self, model: str, metric: str) -> Estimate:
        from scipy import stats

        values = np.array(
            [
                estimate.value
                for fold in self.folds
                if (estimate := fold.estimates[model].get(metric)) and not math.isnan(estimate.value)
            ]
        )
        if len(values) < 2:
            return Estimate(float(values.mean()) if len(values) else math.nan, math.nan, math.nan, len(values))
        mean = float(values.mean())
        half = float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))
        return Estimate(mean, mean - half, mean + half, len(values))


def cross_validate(
    makers: Maker | Mapping[str, Maker],
    data: Dataset,
    *,
    folds: int = 5,
    seed: int = 0,
    hide_seen: bool = True,
    fit_options: FitOptions = FitOptions(),
    **options: Any,
) -> CrossValidation:
    """Fit and evaluate models on each fold of the events, split at random.

    Args:
        makers: a function that makes an unfitted model, such as its class, or several by name.
        data: the events.
        folds: how many; each is the test part once, the next one the validation part.
        seed: of the split and of the evaluation.
        hide_seen: whether items of the history are hidden.
        fit_options: how and where to fit them.
        **options: of :func:`~poise.evaluation.evaluate`.

    Raises:
        UsageError: there are fewer than 3 folds.
    """
    reports = []
    for split in track(k_fold(data, folds, seed=seed, hide_seen=hide_seen), "folds", total=folds, unit="fold"):
        if isinstance(makers, Mapping):
            models: Any = {name: make().fit(split.train, split.valid, fit_options) for name, make in makers.items()}
        else:
            models = makers().fit(split.train, split.valid, fit_options)
        reports.append(evaluate(models, split.test, seed=seed, **options))
    return CrossValidation(tuple(reports))
