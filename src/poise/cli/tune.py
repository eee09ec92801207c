from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from poise.cli.common import json_option, print_json, print_table, project_option, report_option, say

if TYPE_CHECKING:
    from poise.tune.tuning import SearchMethod, TuningResult

_SHOWN = 10


@click.command("tune")
@project_option
@click.option("--model", "-m", help="The model to tune; default: poise.toml.")
@click.option("--search", type=click.Choice(["bayesian", "random", "grid"]), help="How to search; default: poise.toml.")
@click.option("--trials", type=click.IntRange(min=1), help="How many trials to have at most; default: poise.toml.")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="After which no further trial begins; default: poise.toml.",
)
@click.option("--write", is_flag=True, help="Put the best options into poise.toml, if they are better.")
@report_option("tuning.html")
@json_option
def command(
    folder: Path,
    model: str | None,
    search: SearchMethod | None,
    trials: int | None,
    minutes: float | None,
    write: bool,
    report_path: Path | None,
    as_json: bool,
) -> None:
    """Search for options with which a model ranks better on the validation part.

    Each trial fits the model and is kept once it is done: called again, after Ctrl-C or a kill too, the search goes on.
    Models that are trained by epochs are stopped early where they are bad. The test part is not touched.
    """
    from poise.project import Project
    from poise.tune.report import report, verdict
    from poise.tune.toml_options import toml_lines, write_options
    from poise.tune.tuning import tune

    project = Project(folder, say=say)
    click.get_current_context().with_resource(project.logged("tune"))
    result = tune(project, model=model, search=search, trials=trials, minutes=minutes)
    better = result.gain > 0
    path = report_path or project.folder / "tuning.html"
    report(result).write(path)
    lines = toml_lines(result.model, result.best.options) if better else ""
    if as_json:
        print_json({**result.to_dict(), "toml": lines})
    else:
        _print_trials(result)
        if result.importance:
            shares = ", ".join(f"{option} {share:.0%}" for option, share in result.importance.items())
            click.echo(f"what tells good trials from others: {shares}")
        click.echo(verdict(result))
        if better:
            click.echo(f"\n{lines}\n")
        click.echo(f"report: {path}")
    if result.interrupted:
        say("interrupted: what is done is kept, and the same command goes on from here")
        sys.exit(1)
    if better and write:
        written = write_options(project.folder, result.model, result.best.options)
        say(f"written to {written}; this metric selected them and flatters them: 'poise evaluate -m {result.model}'")
    elif better:
        say("to put these lines into poise.toml: the same command with --write")


def _print_trials(result: TuningResult) -> None:
    from poise.tune.search import METRIC, format_value

    states = [trial.state for trial in result.trials]
    aside = [f"{states.count('pruned')} stopped early"] if "pruned" in states else []
    aside += [f"{states.count('failed')} failed"] if "failed" in states else []
    click.echo(
        f"{result.model}, {result.search} search: {len(states)} trials{''.join(f', {ending}' for ending in aside)}; "
        f"{METRIC} on {result.requests:,} requests of the validation part ({result.protocol})"
    )
    shown = result.ranked()[:_SHOWN]
    if result.current not in shown:
        shown.append(result.current)
    rows = [
        [
            f"{trial.number}",
            f"{trial.metric or 0:.4f}",
            f"{(trial.metric or 0) - (result.current.metric or 0):+.4f}" if trial != result.current else "poise.toml",
            *(format_value(value) for value in trial.options.values()),
            f"{trial.seconds:.1f}",
        ]
        for trial in shown
    ]
    print_table(["trial", METRIC, "gain", *result.space, "seconds"], rows)
