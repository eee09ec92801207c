"""The plots of an evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from poise.evaluation.report import Report
from poise.report import plots
from poise.report.svg import INK, MUTED, SERIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS = "osD^vP"


def models_by(report: Report, metric: str) -> Figure:
    """Plot a metric of each model with its interval, the best on top."""
    names = [name for name in report.ordered(metric) if metric in report.estimates[name]]
    estimates = [report.estimates[name][metric] for name in names]
    return plots.intervals(
        names,
        [estimate.value for estimate in estimates],
        [estimate.low for estimate in estimates],
        [estimate.high for estimate in estimates],
        xlabel=metric,
    )


def trade_off(report: Report, across: str, up: str) -> Figure:
    """Plot each model by two metrics, with both intervals."""
    figure, axes = plots.blank(xlabel=across, ylabel=up)
    names = [name for name in report.ordered() if across in report.estimates[name] and up in report.estimates[name]]
    for index, name in enumerate(names):
        x, y = report.estimates[name][across], report.estimates[name][up]
        axes.errorbar(
            x.value,
            y.value,
            xerr=[[max(0.0, x.value - x.low)], [max(0.0, x.high - x.value)]],
            yerr=[[max(0.0, y.value - y.low)], [max(0.0, y.high - y.value)]],
            fmt=_MARKERS[index % len(_MARKERS)],
            color=SERIES[index % len(SERIES)],
            markersize=5,
            elinewidth=1,
        )
    axes.margins(0.12)
    values = [[report.estimates[name][metric].value for metric in (across, up)] for name in names]
    plots.label_points(axes, names, values)
    return figure


def by_group(frame: pl.DataFrame, models: list[str], metric: str) -> Figure:
    """Plot a metric of each model in each group: one row per group, one dot per model.

    Args:
        frame: with the columns ``model``, ``group``, ``value``, ``low``, ``high``.
        models: their names, in order.
        metric: the label of the axis.
    """
    groups = frame["group"].unique(maintain_order=True).to_list()
    size = (plots.SIZE[0], 1.0 + len(groups) * max(0.4, 0.14 * len(models)))
    figure, axes = plots.blank(size, xlabel=metric)
    spread = np.linspace(-0.28, 0.28, len(models)) if len(models) > 1 else np.zeros(1)
    for index, model in enumerate(models):
        rows = frame.filter(pl.col("model") == model)
        position = np.array([groups.index(group) for group in rows["group"]]) + spread[index]
        value, low, high = (rows[name].to_numpy() for name in ("value", "low", "high"))
        axes.errorbar(
            value,
            position,
            xerr=np.maximum(0, np.stack([value - low, high - value])),
            fmt=_MARKERS[index % len(_MARKERS)],
            color=SERIES[index % len(SERIES)],
            markersize=4,
            elinewidth=1.3,
            label=model,
        )
    axes.set_yticks(np.arange(len(groups)), [plots.short_label(str(group)) for group in groups])
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(False, axis="y")
    for border in range(1, len(groups)):
        axes.axhline(border - 0.5, color=MUTED, linewidth=0.4, alpha=0.4)
    figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=9, labelcolor=INK)
    return figure
