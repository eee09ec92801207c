from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from poise.candidates import Candidates, hide_unwanted
from poise.data.holdout import Holdout
from poise.data.ragged import Ragged
from poise.errors import PoiseError, UsageError
from poise.evaluation import beyond_accuracy, ranking
from poise.evaluation.groups import recall_by_item_group, user_groups
from poise.evaluation.items import ITEM_GROUPS, ItemStatistics
from poise.evaluation.metrics import Metric, choose
from poise.evaluation.ratings import errors
from poise.evaluation.report import Protocol, Report
from poise.evaluation.significance import RESAMPLES, Estimate, Measured
from poise.progress import track
from poise.recommender import Recommender, batch_size, check_k
from poise.types import Doubles, Floats, Indices, Mask

Models = Recommender | Sequence[Recommender] | Mapping[str, Recommender]


def evaluate(
    models: Models,
    holdout: Holdout,
    *,
    k: int | Sequence[int] = (5, 10, 20),
    metrics: Sequence[str] | None = None,
    user_columns: Sequence[str] | None = None,
    label_column: str | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Report:
    """Let fitted models answer the requests of a holdout over the whole catalogue, and measure their slates.

    Args:
        models: one model, several, or models by name.
        holdout: the requests and their targets, the items then chosen.
        k: the cut-offs, numbers of places.
        metrics: names of metrics, such as ``NDCG``; None for all that the data and the models allow.
        user_columns: columns of the users to group by; None for all that hold one label or a number.
        label_column: the column of the items that calibration is measured on; None for the first one with labels.
        resamples: how many times requests are drawn for an interval.
        seed: of all draws.

    Raises:
        UsageError: a cut-off, a metric or a column does not exist, a metric was named that cannot be measured here, or
            a model was fitted on another catalogue.
        NotFittedError: a model is not fitted.
    """
    cutoffs = tuple(sorted({k} if isinstance(k, int) else set(k)))
    if not cutoffs:
        raise UsageError("k is empty: name at least one number of places")
    for cutoff in cutoffs:
        check_k(cutoff, holdout.queries.n_items)
    if not len(holdout):
        raise UsageError(f"the {holdout.name} part has no requests: there is nothing to evaluate")
    if resamples < 1:
        raise UsageError(f"resamples is {resamples}; at least 1 is needed for an interval")
    named = name_models(models)
    for name, model in named.items():
        _check_model(name, model, holdout)
    statistics = ItemStatistics.of(holdout.train, label_column, seed=seed)
    measurable = _measurable(choose(metrics), metrics is not None, holdout, statistics)
    evaluations = {name: _ModelEvaluation(model, measurable, cutoffs, statistics) for name, model in named.items()}
    size = batch_size(holdout.queries.item_ids.size)
    starts = range(0, len(holdout), size)
    for start in track(starts, "evaluate", total=len(starts), unit="batch"):
        batch = _Batch(holdout.take(np.arange(start, min(start + size, len(holdout)))), measurable, cutoffs, statistics)
        for evaluation in evaluations.values():
            evaluation.add(batch)
    if metrics is not None:
        _check_predictions(measurable, evaluations)
    return Report(
        models=tuple(named),
        metrics={name: evaluation.measured() for name, evaluation in evaluations.items()},
        overall={name: evaluation.overall(holdout.queries.n_items) for name, evaluation in evaluations.items()},
        by_item={name: evaluation.by_item() for name, evaluation in evaluations.items()},
        groups=tuple(user_groups(holdout, user_columns)),
        protocol=Protocol.of(holdout, cutoffs, statistics, resamples, seed),
        seconds={name: evaluation.seconds for name, evaluation in evaluations.items()},
    )


def name_models(models: Models) -> dict[str, Recommender]:
    """Return models by name; of several with the same one, all but the first get a number."""
    if isinstance(models, Recommender):
        models = [models]
    if isinstance(models, Mapping):
        pairs: Iterable[tuple[str, Recommender]] = models.items()
    else:
        pairs = [(model.name, model) for model in models]
    named: dict[str, Recommender] = {}
    for name, model in pairs:
        unique, number = name, 1
        while unique in named:
            number += 1
            unique = f"{name} ({number})"
        named[unique] = model
    if not named:
        raise UsageError("there are no models to evaluate: name at least one")
    return named


class _Batch:
    """The part of a batch that all models share: requests, targets, and the items allowed."""

    def __init__(
        self, holdout: Holdout, metrics: Sequence[Metric], cutoffs: tuple[int, ...], statistics: ItemStatistics
    ) -> None:
        names = {metric.name for metric in metrics}
        queries, targets = holdout.queries, holdout.targets
        self.holdout = holdout
        self.targets = ranking.target_mask(targets, queries.item_ids.size)
        self.n_targets = targets.lengths
        of_target = statistics.group[targets.values]
        self.target_groups: Indices = np.stack(
            [
                np.bincount(targets.rows[of_target == group], minlength=len(targets))
                for group in range(len(ITEM_GROUPS))
            ],
            axis=1,
        ).astype(np.int32)
        if names & {"AUC", "Serendipity"}:
            everything = Candidates.of_catalogue(np.zeros(self.targets.shape, dtype=np.float32))
            hide_unwanted(everything, queries)
            self.allowed = everything.scores == 0
        if "Serendipity" in names:
            self.popular_reach = {k: beyond_accuracy.popular_reach(self.allowed, statistics, k) for k in cutoffs}
        if "Calibration" in names:
            self.history_labels = beyond_accuracy.history_labels(queries, statistics)


class _ModelEvaluation:
    """The metrics of one model, collected batch by batch."""

    def __init__(
        self, model: Recommender, metrics: Sequence[Metric], cutoffs: tuple[int, ...], statistics: ItemStatistics
    ) -> None:
        self.model, self.metrics, self.cutoffs, self.statistics = model, metrics, cutoffs, statistics
        self.seconds = 0.0
        self._columns: dict[str, list[Doubles]] = defaultdict(list)
        self._by_item: dict[str, list[tuple[Doubles, Doubles]]] = defaultdict(list)
        self._slates: list[Indices] = []
        self._predicted: list[Floats] = []
        self._actual: list[Floats] = []
        self._rated: list[Ragged] = []

    def add(self, batch: _Batch) -> None:
        holdout = batch.holdout
        started = time.perf_counter()
        slates, ranked = self.model.rank(holdout.queries, self.cutoffs[-1])
        self.seconds += time.perf_counter() - started
        if np.isnan(ranked.scores[:, 1:]).any():
            raise PoiseError(f"{self.model.name} gave scores that are NaN: it was fitted badly, or is broken")
        items = slates.items
        hits = ranking.hit_matrix(items, batch.targets)
        self._slates.append(items)
        for metric in self.metrics:
            for cutoff in self.cutoffs if metric.at_k else ():
                values = self._at_k(metric.name, items, hits, batch, cutoff)
                if values is not None:
                    self._columns[f"{metric.name}@{cutoff}"].append(values)
            if metric.name == "AUC":
                self._columns["AUC"].append(
                    ranking.auc(ranked.dense(holdout.queries.item_ids.size), holdout.targets, batch.allowed)
                )
        for cutoff in self.cutoffs:
            groups = recall_by_item_group(hits, items, batch.target_groups, self.statistics, cutoff)
            for group, recall_and_number in groups.items():
                self._by_item[f"Recall@{cutoff} {group}"].append(recall_and_number)
        if any(metric.family == "ratings" for metric in self.metrics):
            self._predict(holdout)

    def _at_k(self, name: str, items: Indices, hits: Mask, batch: _Batch, k: int) -> Doubles | None:
        statistics, slates = self.statistics, items[:, :k]
        if name in ranking.AT_K:
            return ranking.AT_K[name](hits, batch.n_targets, k)
        if name in beyond_accuracy.OF_SLATE:
            return beyond_accuracy.OF_SLATE[name](slates, statistics)
        if name == "Serendipity":
            return beyond_accuracy.serendipity(slates, hits[:, :k], batch.popular_reach[k], statistics)
        if name == "Calibration":
            return beyond_accuracy.calibration(slates, batch.history_labels, statistics)
        return None  # of all slates together: see overall()

    def _predict(self, holdout: Holdout) -> None:
        predicted = self.model.predict(holdout.queries, holdout.targets)
        if predicted is None:
            return
        if np.isnan(predicted).any():
            raise PoiseError(f"{self.model.name} predicted values that are NaN: it was fitted badly")
        self._predicted.append(predicted)
        self._actual.append(holdout.values)
        self._rated.append(holdout.targets)

    def measured(self) -> dict[str, Measured]:
        by_name = {name: Measured(np.concatenate(parts)) for name, parts in self._columns.items()}
        wanted = {metric.name for metric in self.metrics}
        if self._predicted:
            lengths = np.concatenate([part.lengths for part in self._rated])
            targets = Ragged(
                np.concatenate([part.values for part in self._rated]), np.concatenate([[0], np.cumsum(lengths)])
            )
            rated = errors(np.concatenate(self._predicted), np.concatenate(self._actual), targets)
            by_name |= {name: measured for name, measured in rated.items() if name in wanted}
        return by_name

    def by_item(self) -> dict[str, Measured]:
        by_name = {}
        for name, parts in self._by_item.items():
            values, weights = (np.concatenate(column) for column in zip(*parts, strict=True))
            by_name[name] = Measured(values, weights)
        return by_name

    def overall(self, n_items: int) -> dict[str, Estimate]:
        slates = np.concatenate(self._slates)
        by_name = {}
        for metric in self.metrics:
            if metric.name in beyond_accuracy.OF_ALL_SLATES:
                for cutoff in self.cutoffs:
                    value, error = beyond_accuracy.OF_ALL_SLATES[metric.name](slates[:, :cutoff], n_items)
                    low, high = beyond_accuracy.normal_interval(value, error)
                    by_name[f"{metric.name}@{cutoff}"] = Estimate(value, low, high, len(slates))
        return by_name


def _check_model(name: str, model: Recommender, holdout: Holdout) -> None:
    model._require_fitted()
    if model.item_ids != holdout.queries.item_ids:
        raise UsageError(
            f"{name} was fitted on another catalogue ({len(model.item_ids):,} items) than that of the "
            f"{holdout.name} part ({holdout.queries.n_items:,} items): fit it on the training part of the same split"
        )


def _measurable(metrics: list[Metric], named: bool, holdout: Holdout, statistics: ItemStatistics) -> list[Metric]:
    """Leave out metrics that this data does not allow, or refuse one that was asked for by name."""
    missing = {}
    if statistics.content is None:
        missing["Diversity"] = "the items have neither vectors nor labels"
    if statistics.labels is None:
        missing["Calibration"] = "the items have no column of labels, such as genres"
    if np.isnan(holdout.values).all():
        missing |= dict.fromkeys(("RMSE", "MAE"), "the targets have no values, such as ratings")
    kind = holdout.train.value_kind
    if kind not in (None, "rating"):
        missing |= dict.fromkeys(("RMSE", "MAE"), f"the values are no ratings: their kind is {kind}")
    for metric in metrics:
        if named and metric.name in missing:
            raise UsageError(f"{metric.name} cannot be measured: {missing[metric.name]}")
    return [metric for metric in metrics if metric.name not in missing]


def _check_predictions(metrics: Sequence[Metric], evaluations: Mapping[str, _ModelEvaluation]) -> None:
    """Refuse metrics of ratings that were asked for by name if no model predicts values."""
    wanted = [metric.name for metric in metrics if metric.family == "ratings"]
    if wanted and not any(evaluation._predicted for evaluation in evaluations.values()):
        raise UsageError(f"{wanted[0]} cannot be measured: none of {', '.join(evaluations)} predicts values")
