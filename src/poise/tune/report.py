"""A search for better options as an HTML page: gain, history, importance of options, trials."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from poise.options.search_space import Range
from poise.report import Page, plots
from poise.report.svg import INK, MUTED, SERIES
from poise.tune.search import METRIC, Trial, format_value
from poise.tune.toml_options import toml_lines
from poise.tune.tuning import TuningResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDE = (10.2, 3.3)
_FEW_VALUES = 8  # of an option, up to which each has a place of its own


def report(tuning: TuningResult) -> Page:
    """Return a page about a search."""
    page = Page(
        f"Tuning {tuning.model}: {tuning.data}",
        f"{len(tuning.trials):,} trials by {tuning.search} search · {METRIC} on {tuning.requests:,} requests of the "
        f"validation part ({tuning.protocol})",
    )
    _result(page, tuning)
    _history(page, tuning)
    _options(page, tuning)
    _epochs(page, tuning)
    _trials(page, tuning)
    return page


def verdict(tuning: TuningResult) -> str:
    """Return the gain as a sentence."""
    best, current = tuning.best, tuning.current
    if tuning.gain <= 0:
        return f"Nothing better was found than what poise.toml has: {METRIC} {current.metric or 0:.4f}."
    share = f", or {100 * tuning.gain / current.metric:.1f} %," if current.metric else ""
    return (
        f"Trial {best.number} is the best: {METRIC} {best.metric or 0:.4f}. "
        f"That is {tuning.gain:.4f}{share} better than {current.metric or 0:.4f}, which poise.toml now reaches."
    )


def _result(page: Page, tuning: TuningResult) -> None:
    page.heading("Result")
    page.text(verdict(tuning), "good" if tuning.gain > 0 else "plain")
    if tuning.gain > 0:
        page.text("The lines for poise.toml, which --write puts there:")
        page.html(f"<pre>{escape(toml_lines(tuning.model, tuning.best.options))}</pre>")
    page.text(
        "The best of many trials is partly the luckiest, and the metric that selected it flatters it. The test part "
        f"was not touched: with the options in poise.toml, 'poise evaluate -m {tuning.model}' measures them there."
    )


def _history(page: Page, tuning: TuningResult) -> None:
    page.heading("History")
    figure, axes = plots.blank(_WIDE, xlabel="trial", ylabel=METRIC)
    for state, label, marker, colour in (
        ("complete", "complete", "o", SERIES[0]),
        ("pruned", "stopped early", "x", SERIES[1]),
    ):
        shown = [trial for trial in tuning.trials if trial.state == state and trial.metric is not None]
        if shown:
            across, up = [trial.number for trial in shown], [trial.metric or 0.0 for trial in shown]
            axes.scatter(across, up, s=26, marker=marker, color=colour, label=label, zorder=3)
    failed = [trial.number for trial in tuning.trials if trial.state == "failed"]
    complete = [(trial.number, trial.metric or 0.0) for trial in tuning.trials if trial.state == "complete"]
    running = np.maximum.accumulate([up for _, up in complete])
    axes.step(
        [number for number, _ in complete], running, where="post", color=SERIES[2], linewidth=1.6, label="best so far"
    )
    axes.axhline(tuning.current.metric or 0.0, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="poise.toml now")
    _whole_numbers(axes)
    figure.legend(loc="outside upper left", ncols=4, frameon=False, fontsize=9, labelcolor=INK)
    pruned = sum(trial.state == "pruned" for trial in tuning.trials)
    page.figure(
        figure,
        "The metric of each trial, in order."
        + (
            f" Stopped early: {pruned}. After as many epochs they were worse than the median of the others; they stand "
            "at the best of their epochs."
            if pruned
            else ""
        ),
        f"{METRIC} by trial, from {complete[0][1]:.4f} in trial {complete[0][0]} to at best {running[-1]:.4f}",
    )
    if failed:
        page.text(
            f"Trials without a metric, as the model could not be fitted: {', '.join(map(str, failed))}.", "warning"
        )


def _options(page: Page, tuning: TuningResult) -> None:
    page.heading("Options")
    if tuning.importance:
        names, shares = list(tuning.importance), list(tuning.importance.values())
        page.figure(
            plots.bars(names, shares, xlabel="share of the importance", percent=True),
            "Which options separate the good trials from the others (PED-ANOVA). With few trials, a rough guide.",
            "Importance: " + ", ".join(f"{name} {share:.0%}" for name, share in tuning.importance.items()),
        )
    page.text("The metric of each trial against the value of each option; the best trial is ringed.")
    for option in tuning.importance or tuning.space:
        page.figure(
            _scatter(tuning, option),
            f"{option}.",
            f"{METRIC} against {option}; the best trial has {format_value(tuning.best.options[option])}",
        )


def _scatter(tuning: TuningResult, option: str) -> Figure:
    """Plot the metric of each trial against the value of one option, the best one marked."""
    shown = [trial for trial in tuning.trials if trial.metric is not None and trial.options[option] is not None]
    figure, axes = plots.blank(xlabel=option, ylabel=METRIC)
    if not shown:
        return figure
    values = [trial.options[option] for trial in shown]
    place: dict[str, Any] = {}
    searched = tuning.space[option]
    ranged = isinstance(searched, Range)
    if not ranged or not all(isinstance(value, int | float) for value in values):
        distinct = list(dict.fromkeys(map(json.dumps, [*(searched if isinstance(searched, list) else []), *values])))
        if all(isinstance(json.loads(text), int | float) for text in distinct):
            distinct.sort(key=json.loads)
        place = {text: position for position, text in enumerate(distinct)}
        plots.name_columns(axes, range(len(distinct)), [format_value(json.loads(text)) for text in distinct])
        axes.set_xlim(-0.5, len(distinct) - 0.5)
        axes.grid(False, axis="x")
    elif isinstance(searched, Range) and searched.log:
        axes.set_xscale("log")
    for state, marker, colour in (("complete", "o", SERIES[0]), ("pruned", "x", SERIES[1])):
        of_state = [trial for trial in shown if trial.state == state]
        across = [place[json.dumps(trial.options[option])] if place else trial.options[option] for trial in of_state]
        axes.scatter(across, [trial.metric or 0.0 for trial in of_state], s=24, marker=marker, color=colour, zorder=3)
    best = tuning.best.options[option]
    if best is not None:
        axes.scatter(
            [place[json.dumps(best)] if place else best],
            [tuning.best.metric or 0.0],
            s=90,
            facecolors="none",
            edgecolors=SERIES[2],
            linewidths=1.6,
            zorder=4,
        )
    if axes.get_xscale() == "log":
        plots.plain_log_numbers(axes.xaxis)
    return figure


def _epochs(page: Page, tuning: TuningResult) -> None:
    learnt = [trial for trial in tuning.trials if len(trial.epochs) > 1]
    if not learnt:
        return
    page.heading("Epochs")
    figure, axes = plots.blank(_WIDE, xlabel="epoch", ylabel=METRIC)
    for trial in learnt:
        best = trial.number == tuning.best.number
        colour = SERIES[2] if best else SERIES[1] if trial.state == "pruned" else SERIES[0]
        width, alpha = (2.2, 1.0) if best else (1.0, 0.55)
        axes.plot(list(trial.epochs), list(trial.epochs.values()), color=colour, linewidth=width, alpha=alpha)
    _whole_numbers(axes)
    page.figure(
        figure,
        "How each trial learnt: the best one thick, those that were stopped early in the other colour.",
        f"{METRIC} after each epoch of {len(learnt)} trials",
    )


def _trials(page: Page, tuning: TuningResult) -> None:
    page.heading("Trials")
    others = [trial for trial in tuning.trials if trial.state != "complete"]
    page.table(
        ["Trial", METRIC, "Against poise.toml", *tuning.space, "Seconds", "Epochs", "Ended"],
        [_row(trial, tuning) for trial in [*tuning.ranked(), *others]],
        caption="The best first.",
    )


def _row(trial: Trial, tuning: TuningResult) -> list[object]:
    complete = trial.state == "complete" and trial.metric is not None
    ended = {"complete": "complete", "pruned": "stopped early", "failed": f"failed: {trial.error}"}[trial.state]
    return [
        f"{trial.number}, poise.toml" if trial.number == tuning.current.number else str(trial.number),
        trial.metric,
        (trial.metric or 0) - (tuning.current.metric or 0)
        if complete and trial.number != tuning.current.number
        else None,
        *(format_value(trial.options[option]) for option in tuning.space),
        f"{trial.seconds:.1f}",
        len(trial.epochs) or None,
        ended,
    ]


def _whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
