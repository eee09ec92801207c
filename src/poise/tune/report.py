"""A search for better options as a page: what was gained, how the search went, which options matter."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from poise.report import Page, plots
from poise.report.svg import INK, MUTED, SERIES
from poise.search_space import Range
from poise.tune.search import METRIC, Trial, in_words
from poise.tune.toml_options import toml_lines
from poise.tune.tuning import Tuning

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDE = (10.2, 3.3)
_FEW_VALUES = 8  # of an option, up to which each has a place of its own


def report(tuning: Tuning) -> Page:
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


def verdict(tuning: Tuning) -> str:
    """Say in words what was gained."""
    best, now = tuning.best, tuning.now
    if tuning.gain <= 0:
        return f"Nothing better was found than what poise.toml has: {METRIC} {now.metric or 0:.4f}."
    share = f", or {100 * tuning.gain / now.metric:.1f} %," if now.metric else ""
    return (
        f"Trial {best.number} is the best: {METRIC} {best.metric or 0:.4f}. "
        f"That is {tuning.gain:.4f}{share} better than {now.metric or 0:.4f}, which poise.toml now reaches."
    )


def _result(page: Page, tuning: Tuning) -> None:
    page.heading("Result")
    page.text(verdict(tuning), "good" if tuning.gain > 0 else "plain")
    if tuning.gain > 0:
        page.text("The lines for poise.toml, which --write puts there:")
        page.html(f"<pre>{escape(toml_lines(tuning.model, tuning.best.options))}</pre>")
    page.text(
        "The best of many trials is partly the luckiest, and the figure that chose it flatters it. The test part was "
        f"not touched: with the options in poise.toml, 'poise evaluate -m {tuning.model}' measures them there."
    )


def _history(page: Page, tuning: Tuning) -> None:
    page.heading("History")
    figure, axes = plots.blank(_WIDE, xlabel="trial", ylabel=METRIC)
    for state, label, marker, colour in (
        ("complete", "complete", "o", SERIES[0]),
        ("pruned", "stopped early", "x", SERIES[1]),
    ):
        shown = [one for one in tuning.trials if one.state == state and one.metric is not None]
        if shown:
            across, up = [one.number for one in shown], [one.metric or 0.0 for one in shown]
            axes.scatter(across, up, s=26, marker=marker, color=colour, label=label, zorder=3)
    failed = [one.number for one in tuning.trials if one.state == "failed"]
    complete = [(one.number, one.metric or 0.0) for one in tuning.trials if one.state == "complete"]
    running = np.maximum.accumulate([up for _, up in complete])
    axes.step([at for at, _ in complete], running, where="post", color=SERIES[2], linewidth=1.6, label="best so far")
    axes.axhline(tuning.now.metric or 0.0, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="poise.toml now")
    _whole_numbers(axes)
    figure.legend(loc="outside upper left", ncols=4, frameon=False, fontsize=9, labelcolor=INK)
    pruned = sum(one.state == "pruned" for one in tuning.trials)
    page.figure(
        figure,
        "The figure of each trial, in order."
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
            f"Trials without a figure, as the model could not be fitted: {', '.join(map(str, failed))}.", "warning"
        )


def _options(page: Page, tuning: Tuning) -> None:
    page.heading("Options")
    if tuning.importance:
        names, shares = list(tuning.importance), list(tuning.importance.values())
        page.figure(
            plots.bars(names, shares, xlabel="share of the importance", percent=True),
            "Which options tell the good trials from the others (PED-ANOVA). With few trials, a rough guide.",
            "Importance: " + ", ".join(f"{name} {share:.0%}" for name, share in tuning.importance.items()),
        )
    page.text("The figure of each trial against the value of each option; the best trial is ringed.")
    for option in tuning.importance or tuning.space:
        page.figure(
            _scatter(tuning, option),
            f"{option}.",
            f"{METRIC} against {option}; the best trial has {_shown(tuning.best.options[option])}",
        )


def _scatter(tuning: Tuning, option: str) -> Figure:
    """Draw the figure of each trial against the value of one option, the best one marked."""
    shown = [one for one in tuning.trials if one.metric is not None and one.options[option] is not None]
    figure, axes = plots.blank(xlabel=option, ylabel=METRIC)
    if not shown:
        return figure
    values = [one.options[option] for one in shown]
    place: dict[str, Any] = {}
    looked = tuning.space[option]
    ranged = isinstance(looked, Range)
    if not ranged or not all(isinstance(value, int | float) for value in values):
        distinct = list(dict.fromkeys(map(json.dumps, [*(looked if isinstance(looked, list) else []), *values])))
        if all(isinstance(json.loads(one), int | float) for one in distinct):
            distinct.sort(key=json.loads)
        place = {text: at for at, text in enumerate(distinct)}
        axes.set_xticks(range(len(distinct)), [_shown(json.loads(one)) for one in distinct])
        axes.set_xlim(-0.5, len(distinct) - 0.5)
        axes.grid(False, axis="x")
    elif isinstance(looked, Range) and looked.log:
        axes.set_xscale("log")
    for state, marker, colour in (("complete", "o", SERIES[0]), ("pruned", "x", SERIES[1])):
        of_state = [one for one in shown if one.state == state]
        across = [place[json.dumps(one.options[option])] if place else one.options[option] for one in of_state]
        axes.scatter(across, [one.metric or 0.0 for one in of_state], s=24, marker=marker, color=colour, zorder=3)
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
    return figure


def _epochs(page: Page, tuning: Tuning) -> None:
    learnt = [one for one in tuning.trials if len(one.epochs) > 1]
    if not learnt:
        return
    page.heading("Epochs")
    figure, axes = plots.blank(_WIDE, xlabel="epoch", ylabel=METRIC)
    for one in learnt:
        best = one.number == tuning.best.number
        colour = SERIES[2] if best else SERIES[1] if one.state == "pruned" else SERIES[0]
        width, alpha = (2.2, 1.0) if best else (1.0, 0.55)
        axes.plot(list(one.epochs), list(one.epochs.values()), color=colour, linewidth=width, alpha=alpha)
    _whole_numbers(axes)
    page.figure(
        figure,
        "How each trial learnt: the best one thick, those that were stopped early in the other colour.",
        f"{METRIC} after each epoch of {len(learnt)} trials",
    )


def _trials(page: Page, tuning: Tuning) -> None:
    page.heading("Trials")
    others = [one for one in tuning.trials if one.state != "complete"]
    page.table(
        ["Trial", METRIC, "Against poise.toml", *tuning.space, "Seconds", "Epochs", "Ended"],
        [_row(one, tuning) for one in [*tuning.ranked(), *others]],
        caption="The best first.",
    )


def _row(trial: Trial, tuning: Tuning) -> list[object]:
    complete = trial.state == "complete" and trial.metric is not None
    ended = {"complete": "complete", "pruned": "stopped early", "failed": f"failed: {trial.error}"}[trial.state]
    return [
        f"{trial.number}, poise.toml" if trial.number == tuning.now.number else str(trial.number),
        trial.metric,
        (trial.metric or 0) - (tuning.now.metric or 0) if complete and trial.number != tuning.now.number else None,
        *(_shown(trial.options[option]) for option in tuning.space),
        f"{trial.seconds:.1f}",
        len(trial.epochs) or None,
        ended,
    ]


def _shown(value: Any) -> str:
    return in_words({"": value}).strip()


def _whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
