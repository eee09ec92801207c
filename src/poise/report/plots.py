"""Plots in one style with matplotlib's objects: no global state, no window, colours that follow the page's scheme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from poise.report.letters import is_wide, width
from poise.report.svg import GRID, INK, MUTED, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (5.0, 3.1)
"""Inches: two figures stand side by side on a page, one on a phone."""

_LONGEST_LABEL = 30  # letters
_LETTERS_ACROSS = 56  # that fit side by side below a plot
_POINTS_A_LETTER = 5.4  # of a name beside a point, in 9 points
_LINE = 12.0  # points
_PLACES = (
    (7, -5, "left"),
    (-7, -5, "right"),
    (0, 6, "center"),
    (0, -17, "center"),
    (7, 6, "left"),
    (-7, 6, "right"),
    (7, -17, "left"),
    (-7, -17, "right"),
    (7, 18, "left"),
    (-7, 18, "right"),
    (7, -29, "left"),
    (-7, -29, "right"),
    (24, 30, "left"),
    (-24, 30, "right"),
)  # of a name beside its point, the best first: points to the right, points up, which side of the name is there
_Box = tuple[float, float, float, float]


def blank(size: tuple[float, float] = SIZE, *, xlabel: str = "", ylabel: str = "") -> tuple[Figure, Axes]:
    """Return an empty figure with one pair of axes.

    Args:
        size: width and height in inches.
        xlabel: what the horizontal axis measures, with its unit.
        ylabel: what the vertical axis measures, with its unit.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    axes.set_prop_cycle(color=list(SERIES))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
        axes.spines[side].set_linewidth(0.7)
    axes.tick_params(which="both", color=MUTED, labelcolor=INK, labelsize=9, width=0.7)
    axes.grid(True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(xlabel, color=MUTED, fontsize=9)
    axes.set_ylabel(ylabel, color=MUTED, fontsize=9)
    return figure, axes


def bars(
    labels: Sequence[str],
    values: npt.ArrayLike,
    *,
    low: npt.ArrayLike | None = None,
    high: npt.ArrayLike | None = None,
    xlabel: str = "",
    percent: bool = False,
) -> Figure:
    """Plot one horizontal bar per label, first on top.

    Args:
        labels: of the bars.
        values: their lengths, ``[n]``.
        low: lower end of the confidence interval of each, ``[n]``.
        high: upper end of the confidence interval of each, ``[n]``.
        xlabel: what the bars measure.
        percent: whether the values are shares, to be shown in per cent.
    """
    length = np.asarray(values, dtype=np.float64)
    figure, axes = blank(_rows_size(len(labels)), xlabel=xlabel)
    position = np.arange(len(labels))
    axes.barh(position, length, height=0.66, color=SERIES[0])
    if low is not None and high is not None:
        span = np.abs(np.stack([length - np.asarray(low), np.asarray(high) - length]))
        axes.errorbar(length, position, xerr=span, fmt="none", ecolor=INK, elinewidth=1.1, capsize=2.5)
    _label_rows(axes, labels)
    if percent:
        _in_percent(axes, "x")
    return figure


def columns(
    labels: Sequence[str], values: npt.ArrayLike, *, percent: bool = False, xlabel: str = "", ylabel: str = ""
) -> Figure:
    """Plot one vertical bar per label, in order: for hours, weekdays, steps of a scale. Long labels stand aslant.

    Args:
        labels: of the bars.
        values: their heights, ``[n]``.
        percent: whether the values are shares, to be shown in per cent.
        xlabel: what the labels are.
        ylabel: what the bars measure.
    """
    figure, axes = blank(xlabel=xlabel, ylabel=ylabel)
    position = np.arange(len(labels))
    axes.bar(position, np.asarray(values, dtype=np.float64), width=0.8, color=SERIES[0])
    step = -(-len(labels) // 12)  # as many labels as fit side by side
    name_columns(axes, position[::step].tolist(), labels[::step])
    axes.grid(False, axis="x")
    axes.tick_params(axis="x", length=0)
    if percent:
        _in_percent(axes, "y")
    else:
        _plain_numbers(axes.yaxis)
    return figure


def name_columns(axes: Axes, position: Sequence[float], labels: Sequence[str]) -> None:
    """Write names below the horizontal axis; aslant where they would run into one another.

    Args:
        axes: to write on.
        position: where each name belongs, in the units of the axis.
        labels: the names.
    """
    aslant = sum(map(width, labels)) + 2 * len(labels) > _LETTERS_ACROSS
    options: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if aslant else {}
    axes.set_xticks(position, [short_label(label) for label in labels], **options)


def intervals(
    labels: Sequence[str],
    centre: npt.ArrayLike,
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    *,
    xlabel: str = "",
    reference: float | None = None,
) -> Figure:
    """Plot one dot per label with its confidence interval, first on top.

    Args:
        labels: of the dots.
        centre: their values, ``[n]``.
        low: lower end of each interval, ``[n]``.
        high: upper end of each interval, ``[n]``.
        xlabel: what is measured.
        reference: the position of a reference line, such as 0 for differences.
    """
    middle = np.asarray(centre, dtype=np.float64)
    figure, axes = blank(_rows_size(len(labels)), xlabel=xlabel)
    if reference is not None:
        axes.axvline(reference, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    span = np.abs(np.stack([middle - np.asarray(low), np.asarray(high) - middle]))
    axes.errorbar(middle, np.arange(len(labels)), xerr=span, fmt="o", color=SERIES[0], markersize=5, elinewidth=1.6)
    _label_rows(axes, labels)
    return figure


def histogram(
    values: npt.ArrayLike, *, bins: int = 40, log: bool = False, xlabel: str = "", ylabel: str = ""
) -> Figure:
    """Plot a histogram of values.

    Args:
        values: any numbers, ``[n]``; those that are not finite are left out, with ``log`` also those not above 0.
        bins: at most how many bars; few different whole numbers get a bar each.
        log: whether the bars are equally wide on a logarithmic scale: for counts with a long tail.
        xlabel: what the values are.
        ylabel: what is counted.
    """
    given = np.asarray(values, dtype=np.float64)
    given = given[np.isfinite(given) & (given > 0)] if log else given[np.isfinite(given)]
    figure, axes = blank(xlabel=xlabel, ylabel=ylabel)
    axes.grid(False, axis="x")
    if len(given):
        axes.hist(given, bins=_bin_edges(given, bins, log=log).tolist(), color=SERIES[0], rwidth=0.92)
    if log:
        axes.set_xscale("log")
        plain_log_numbers(axes.xaxis)
    _plain_numbers(axes.yaxis)
    return figure


def line(
    x: npt.ArrayLike,
    y: npt.ArrayLike | Mapping[str, npt.ArrayLike],
    *,
    log: bool = False,
    fill: bool = False,
    percent: bool = False,
    xlabel: str = "",
    ylabel: str = "",
    size: tuple[float, float] = SIZE,
) -> Figure:
    """Plot one curve or several.

    Args:
        x: numbers or dates (datetime64), ``[n]``.
        y: the heights, ``[n]``; for several curves, by name.
        log: whether both scales are logarithmic.
        fill: whether to shade the area below the curve.
        percent: whether the heights are shares, to be shown in per cent.
        xlabel: of the horizontal axis.
        ylabel: of the vertical axis.
        size: width and height in inches.
    """
    figure, axes = blank(size, xlabel=xlabel, ylabel=ylabel)
    named = isinstance(y, Mapping)
    across: Any = np.asarray(x)
    for number, (name, heights) in enumerate(y.items() if isinstance(y, Mapping) else [("", y)]):
        height: Any = np.asarray(heights)
        colour = SERIES[number % len(SERIES)]
        axes.plot(across, height, color=colour, linewidth=1.7, label=name)
        if fill:
            axes.fill_between(across, height, color=colour, alpha=0.16, linewidth=0)
    if log:
        axes.set_xscale("log")
        axes.set_yscale("log")
        plain_log_numbers(axes.xaxis)
        plain_log_numbers(axes.yaxis)
    elif percent:
        _in_percent(axes, "y")
        axes.set_ylim(bottom=0)
    else:
        if axes.dataLim.ymin >= 0:
            axes.set_ylim(bottom=0)
        _plain_numbers(axes.yaxis)
    if across.dtype.kind == "M":
        _plain_dates(axes)
    if named:
        figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=9, labelcolor=INK)
    return figure


def label_points(axes: Axes, labels: Sequence[str], points: npt.ArrayLike) -> None:
    """Write a name beside each point, where it covers neither another name nor another point, as far as there is room.

    Args:
        axes: with all that determines their limits drawn already.
        labels: the names.
        points: where they belong, in the units of the axes, ``[n, 2]``.
    """
    extent = axes.get_window_extent()
    room = 72 / axes.figure.dpi * np.array([extent.width, extent.height])  # of the axes, in points of print
    low, high = np.array(axes.get_xlim() + axes.get_ylim()).reshape(2, 2).T
    place = (np.asarray(points, dtype=np.float64).reshape(-1, 2) - low) / (high - low) * room
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in place]  # left, bottom, right, top of the points' signs
    for label, (x, y), point in zip(labels, place, np.asarray(points), strict=True):
        wide = _POINTS_A_LETTER * width(label)
        boxes = [
            (x + dx - (wide if side == "right" else wide / 2 if side == "center" else 0), y + dy)
            for dx, dy, side in _PLACES
        ]
        around = [(left, bottom, left + wide, bottom + _LINE) for left, bottom in boxes]
        cost = [sum(_overlap(box, other) for other in taken) + _outside(box, room) for box in around]
        best = int(np.argmin(cost))
        dx, dy, side = _PLACES[best]
        taken.append(around[best])
        axes.annotate(
            label.replace("$", r"\$"),
            tuple(point),
            xytext=(dx, dy),
            textcoords="offset points",
            ha=side,
            va="bottom",
            color=INK,
            fontsize=9,
        )


def _overlap(one: _Box, other: _Box) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return wide * high if wide > 0 and high > 0 else 0.0


def _outside(box: _Box, room: npt.NDArray[np.float64]) -> float:
    """Return how much of a box lies outside of the axes; that is worse than to cover something."""
    inside = _overlap(box, (0.0, 0.0, float(room[0]), float(room[1])))
    return 4 * ((box[2] - box[0]) * (box[3] - box[1]) - inside)


def short_label(label: str) -> str:
    """Return a label as it stands beside an axis: cut where it is long, and as wide as the browser will draw it.

    matplotlib has no glyphs for Chinese and measures a narrow box for each, so blanks in front, which the browser
    leaves out, make up for them.
    """
    while width(label) > _LONGEST_LABEL:
        label = label[:-2].rstrip() + "…" if label.endswith("…") else label[:-1].rstrip() + "…"
    wide = sum(map(is_wide, label))
    return " " * (2 * wide) + label.replace("$", r"\$")


def _rows_size(rows: int) -> tuple[float, float]:
    return SIZE[0], max(1.3, 0.75 + 0.27 * rows)


def _label_rows(axes: Axes, labels: Sequence[str]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_yticks(np.arange(len(labels)), [short_label(label) for label in labels])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(5 if max(map(width, labels), default=0) < _LONGEST_LABEL / 2 else 3))


def _bin_edges(values: npt.NDArray[np.float64], bins: int, *, log: bool) -> npt.NDArray[np.float64]:
    low, high = float(values.min()), float(values.max())
    steps = np.unique(values[:100_000])
    if not log and len(steps) <= bins and (gap := _least_gap(steps)) * bins >= high - low:
        return np.arange(low - gap / 2, high + gap, gap)
    if log:
        edges = np.geomspace(low, max(high, low * 1.1) * 1.000001, bins + 1)
        if np.all(values[:100_000] == np.floor(values[:100_000])):  # counts: no bar between two whole numbers
            edges = np.unique(np.round(edges)) - 0.5
            edges = np.append(edges, edges[-1] + 1)
        return np.asarray(edges[edges > 0], dtype=np.float64)
    return np.linspace(low, high if high > low else low + 1, bins + 1)


def _least_gap(steps: npt.NDArray[np.float64]) -> float:
    return float(np.diff(steps).min()) if len(steps) > 1 else 1.0


def _in_percent(axes: Axes, which: str) -> None:
    from matplotlib.ticker import FuncFormatter

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.6g}%"))


def _plain_numbers(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: _short_number(value)))


def plain_log_numbers(axis: Any) -> None:
    """Write 10 and 1,000 along a logarithmic axis, not powers."""
    from matplotlib.ticker import LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1.0,) if high > 1_000 * low else (1.0, 2.0, 5.0)))
    axis.set_minor_formatter(NullFormatter())
    _plain_numbers(axis)


def _short_number(value: float) -> str:
    if abs(value) >= 1_000_000:
        return f"{value / 1_000_000:,.10g} M"
    return f"{value / 1_000:,.10g} k" if abs(value) >= 10_000 else f"{value:,.10g}"


def _plain_dates(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
