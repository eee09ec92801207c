from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from poise.data.holdout import Holdout
from poise.errors import UsageError, suggest
from poise.evaluation.groups import Groups, by_group
from poise.evaluation.items import ITEM_GROUPS, ItemStatistics
from poise.evaluation.metrics import METRICS, metric_of
from poise.evaluation.significance import Comparison, Estimate, Measured, compare, estimates, summary
from poise.files import write_json

_IN_TEXT = ("NDCG", "Recall", "MRR", "Coverage", "Novelty", "Diversity", "RMSE")


@dataclass(frozen=True)
class Protocol:
    """What was evaluated, and how.

    Attributes:
        data: the name of the data set.
        part: ``valid`` or ``test``.
        requests: how many requests were asked.
        targets: how many targets they have in all.
        unreachable: how many targets were left out because they are in the history and seen items are hidden.
        items: the size of the catalogue, all of which is ranked.
        train_events: how many events models were fitted on.
        hide_seen: whether items of the history were hidden.
        cutoffs: the numbers of places.
        content: the vectors or labels that diversity was measured on; empty for none.
        labels: the column that calibration was measured on; empty for none.
        resamples: how many times requests were drawn for an interval.
        seed: of all draws.
    """

    data: str
    part: str
    requests: int
    targets: int
    unreachable: int
    items: int
    train_events: int
    hide_seen: bool
    cutoffs: tuple[int, ...]
    content: str
    labels: str
    resamples: int
    seed: int

    @classmethod
    def of(
        cls, holdout: Holdout, cutoffs: tuple[int, ...], statistics: ItemStatistics, resamples: int, seed: int
    ) -> Protocol:
        """Describe the evaluation of a holdout."""
        return cls(
            data=holdout.train.name,
            part=holdout.name,
            requests=len(holdout),
            targets=len(holdout.targets.values),
            unreachable=holdout.unreachable,
            items=holdout.queries.n_items,
            train_events=holdout.train.n_events,
            hide_seen=holdout.queries.hide_seen,
            cutoffs=cutoffs,
            content=statistics.content_name,
            labels=statistics.labels_name,
            resamples=resamples,
            seed=seed,
        )

    @property
    def hidden(self) -> str:
        """How many answers were left out because seen items are hidden, in words; empty where none was."""
        if not self.unreachable:
            return ""
        count = f"{self.unreachable:,} of {self.unreachable + self.targets:,} {self.part}"
        if self.targets == self.requests:
            return f"{count} requests ask for what the person already has: hide_seen = true leaves them out"
        return f"{count} answers are what the person already has: hide_seen = true leaves them out"


@dataclass(frozen=True)
class Report:
    """The metrics of models on one holdout, request by request, so that models can be compared.

    Attributes:
        models: their names, in the order given.
        metrics: by model and metric (``NDCG@10``), the values of the requests.
        overall: by model and metric, the value for all slates together, such as ``Coverage@10``.
        by_item: by model, recall of the targets of one item group, such as ``Recall@10 tail``.
        groups: the ways in which requests are grouped.
        protocol: what was evaluated, and how.
        seconds: by model, how long the ranking took.
    """

    models: tuple[str, ...]
    metrics: Mapping[str, Mapping[str, Measured]] = field(repr=False)
    overall: Mapping[str, Mapping[str, Estimate]] = field(repr=False)
    by_item: Mapping[str, Mapping[str, Measured]] = field(repr=False)
    groups: tuple[Groups, ...] = field(repr=False)
    protocol: Protocol
    seconds: Mapping[str, float]

    @cached_property
    def estimates(self) -> dict[str, dict[str, Estimate]]:
        """By model and metric, the value with a 95 % interval, in the order of ``METRICS``."""
        names = [(model, metric) for model in self.models for metric in self.metrics[model]]
        intervals = self._estimate([self.metrics[model][metric] for model, metric in names])
        by_name = dict(zip(names, intervals, strict=True))
        by_name |= {
            (model, metric): estimate for model in self.models for metric, estimate in self.overall[model].items()
        }
        rank = {name: index for index, name in enumerate(METRICS)}
        ordered = sorted(by_name, key=lambda name: (rank[name[1].split("@")[0]], int(f"{name[1]}@0".split("@")[1])))
        return {
            model: {metric: by_name[name, metric] for name, metric in ordered if name == model} for model in self.models
        }

    @cached_property
    def names(self) -> list[str]:
        """The names of metrics that at least one model has, such as ``NDCG@10``, in the order of ``METRICS``."""
        longest = max(self.models, key=lambda model: len(self.estimates[model]))
        others = {metric for model in self.models for metric in self.estimates[model]}
        return [*self.estimates[longest], *sorted(others - set(self.estimates[longest]))]

    @property
    def cutoff(self) -> int:
        """The main cut-off: 10 if it was measured, else the middle one."""
        cutoffs = self.protocol.cutoffs
        return 10 if 10 in cutoffs else cutoffs[len(cutoffs) // 2]

    @property
    def primary(self) -> str:
        """The metric that models are ordered by: NDCG at :attr:`cutoff` if it was measured, else the first."""
        wanted = f"NDCG@{self.cutoff}"
        return wanted if wanted in self.names else self.names[0]

    def best(self, metric: str | None = None) -> str:
        """Return the name of the model with the best value of ``metric``, by default the :attr:`primary` one."""
        return self.ordered(metric)[0]

    def ordered(self, metric: str | None = None) -> list[str]:
        """Return the names of the models from the best to the worst by ``metric``, those without it last."""
        metric = self._checked(metric)
        sign = -1 if metric_of(metric).better == "max" else 1
        value = {
            model: sign * self.estimates[model][metric].value if metric in self.estimates[model] else math.inf
            for model in self.models
        }
        return sorted(self.models, key=lambda model: math.inf if math.isnan(value[model]) else value[model])

    def significance(self, metric: str | None = None) -> list[Comparison]:
        """Compare the best model with each of the others, request by request.

        Args:
            metric: to compare by; None for the :attr:`primary` one.

        Raises:
            UsageError: the metric was not measured, or is one of all slates together, such as coverage.
        """
        metric = self._checked(metric)
        measured = {name: self.metrics[name][metric] for name in self.ordered(metric) if metric in self.metrics[name]}
        if not measured:
            raise UsageError(f"{metric} is a metric of all slates together: models cannot be compared by it pairwise")
        best = next(iter(measured))
        return compare(metric, best, measured, resamples=self.protocol.resamples, seed=self.protocol.seed)

    def frame(self) -> pl.DataFrame:
        """Return one row a model and metric: ``model``, ``metric``, ``value``, ``low``, ``high``, ``n`` (requests)."""
        return _frame(
            {"model": model, "metric": metric, **asdict(estimate)}
            for model in self.models
            for metric, estimate in self.estimates[model].items()
        )

    def table(self, metrics: Sequence[str] | None = None) -> pl.DataFrame:
        """Return one row a model, the best first, and one column a metric, as text: the value and its 95 % interval."""
        chosen = self.names if metrics is None else [self._checked(metric) for metric in metrics]
        rows = []
        for model in self.ordered():
            cells = {metric: show(metric, self.estimates[model].get(metric)) for metric in chosen}
            rows.append({"model": model, **cells})
        return pl.DataFrame(rows, schema=dict.fromkeys(["model", *chosen], pl.String))

    def by_user_group(self, metric: str | None = None) -> pl.DataFrame:
        """Return one row a model, grouping and group: ``model``, ``grouping``, ``group``, ``value``, ``low`` ...

        Args:
            metric: which one; None for the :attr:`primary` one.
        """
        metric = self._checked(metric)
        names, parts = [], []
        for model in self.models:
            for groups in self.groups if metric in self.metrics[model] else ():
                names += [(model, groups.name, label) for label in groups.labels]
                parts += by_group(self.metrics[model][metric], groups)
        return _frame(
            {"model": model, "grouping": grouping, "group": group, "metric": metric, **asdict(estimate)}
            for (model, grouping, group), estimate in zip(names, self._estimate(parts), strict=True)
        )

    def by_item_group(self, k: int | None = None) -> pl.DataFrame:
        """Return the recall of targets in the head, the tail and of cold items, one row a model and group.

        Args:
            k: the cut-off; None for :attr:`cutoff`.
        """
        k = self.cutoff if k is None else k
        if k not in self.protocol.cutoffs:
            raise UsageError(f"k is {k}; measured were {', '.join(map(str, self.protocol.cutoffs))}")
        names = [(model, group) for model in self.models for group in ITEM_GROUPS]
        recalls = self._estimate([self.by_item[model][f"Recall@{k} {group}"] for model, group in names])
        return _frame(
            {"model": model, "group": group, "metric": f"Recall@{k}", **asdict(estimate)}
            for (model, group), estimate in zip(names, recalls, strict=True)
            if estimate.n
        )

    def text(self, metrics: Sequence[str] | None = None) -> str:
        """Return an aligned table for a terminal, and below it the significant differences.

        Args:
            metrics: the columns; None for the usual ones at :attr:`cutoff`.
        """
        table = self.table(metrics or self.usual)
        lines = [aligned([table.columns, *map(list, table.rows())])]
        protocol = self.protocol
        lines.append(
            f"{protocol.requests:,} requests of the {protocol.part} part, "
            f"each answered from all {protocol.items:,} items; ± is a 95 % interval"
        )
        if protocol.hidden:
            lines.append(protocol.hidden)
        if any(self.primary in metrics for metrics in self.metrics.values()):
            lines += summary(self.significance())
        return "\n".join(lines)

    @property
    def usual(self) -> list[str]:
        """The main metrics at :attr:`cutoff`, for a terminal."""
        names = [name for name in self.names if name.split("@")[0] in _IN_TEXT and self._at_cutoff(name)]
        return names or self.names[:6]

    def to_dict(self) -> dict[str, Any]:
        """Return all metrics, groups and comparisons as JSON objects; None where nothing could be measured."""
        has_primary = any(self.primary in metrics for metrics in self.metrics.values())
        content = {
            "protocol": asdict(self.protocol),
            "metrics": {
                model: {metric: asdict(estimate) for metric, estimate in of_model.items()}
                for model, of_model in self.estimates.items()
            },
            "by_user_group": self.by_user_group().to_dicts(),
            "by_item_group": self.by_item_group().to_dicts(),
            "significance": [
                {**asdict(comparison), "verdict": comparison.verdict} for comparison in self.significance()
            ]
            if has_primary
            else [],
            "seconds": dict(self.seconds),
        }
        return _without_nan(content)  # type: ignore[no-any-return]

    def save(self, path: Path | str) -> None:
        """Write :meth:`to_dict` as JSON, atomically."""
        write_json(path, self.to_dict())

    def _estimate(self, measured: list[Measured]) -> list[Estimate]:
        return estimates(measured, resamples=self.protocol.resamples, seed=self.protocol.seed)

    def _at_cutoff(self, metric: str) -> bool:
        return "@" not in metric or metric.endswith(f"@{self.cutoff}")

    def _checked(self, metric: str | None) -> str:
        if metric is None:
            return self.primary
        if metric not in self.names:
            raise UsageError(
                f"{metric!r} was not measured; there are {', '.join(self.names)}.{suggest(metric, self.names)}"
            )
        return metric


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of text as a table for a terminal, the first row as its header."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("─" * width for width in widths), *lines[1:]])


def show(metric: str, estimate: Estimate | None) -> str:
    """Return the value of a metric as text, with half the width of its 95 % interval."""
    if estimate is None or math.isnan(estimate.value):
        return "–"
    decimals = {"Popularity": 1, "Novelty": 2}.get(metric.split("@", maxsplit=1)[0], 4)
    return f"{estimate.value:.{decimals}f} ± {(estimate.high - estimate.low) / 2:.{decimals}f}"


def _frame(rows: Any) -> pl.DataFrame:
    return pl.DataFrame(list(rows))


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value
