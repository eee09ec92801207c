from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from poise.cli.common import json_option, print_json, print_table, project_option, report_option, say

if TYPE_CHECKING:
    from poise.tune.tuning import Search, Tuning

_SHOWN = 10


@click.command("tune")
@project_option
@click.option("--model", "-m", help="The model to tune; default: poise.toml.")
@click.option("--search", type=click.Choice(["bayesian", "random", "grid"]), help="How to search; default: poise.toml.")
@click.option("--trials", type=click.IntRange(min=1), help="How many trials to have at most; default: poise.toml.")
@click.option("--write", is_flag=True, help="Put the best options into poise.toml, if they are better.")
@report_option("tuning.html")
@json_option
def command(
    folder: Path,
    model: str | None,
    search: Search | None,
    trials: int | None,
    write: bool,
    report_path: Path | None,
    as_json: bool,
) -> None:
    """Look for options with which a model ranks better on the validation part.

    Each trial fits the model and is kept once it is done: called again, after Ctrl-C or a kill too, the search goes on.
    Models that learn by epochs are stopped early where they are bad. The test part is not touched.
    """
    from poise.project import Project
    from poise.tune.report import report, verdict
    from poise.tune.toml_options import toml_lines, write_options
    from poise.tune.tuning import tune

    project = Project(folder, say=say)
    found = tune(project, model=model, search=search, trials=trials)
    better = found.gain > 0
    path = report_path or project.folder / "tuning.html"
    report(found).write(path)
    lines = toml_lines(found.model, found.best.options) if better else ""
    if as_json:
        print_json({**found.to_dict(), "toml": lines})
    else:
        _print_trials(found)
        if found.importance:
            shares = ", ".join(f"{option} {share:.0%}" for option, share in found.importance.items())
            click.echo(f"what tells good trials from others: {shares}")
        click.echo(verdict(found))
        if better:
            click.echo(f"\n{lines}\n")
        click.echo(f"report: {path}")
    if found.interrupted:
        say("interrupted: what is done is kept, and the same command goes on from here")
        sys.exit(1)
    if better and write:
        written = write_options(project.folder, found.model, found.best.options)
        say(f"written to {written}; the figure has chosen them and flatters them: 'poise evaluate -m {found.model}'")
    elif better:
        say("to put these lines into poise.toml: the same command with --write")


def _print_trials(found: Tuning) -> None:
    from poise.tune.search import METRIC, in_words

    states = [one.state for one in found.trials]
    aside = [f"{states.count('pruned')} stopped early"] if "pruned" in states else []
    aside += [f"{states.count('failed')} failed"] if "failed" in states else []
    click.echo(
        f"{found.model}, {found.search} search: {len(states)} trials{''.join(f', {one}' for one in aside)}; "
        f"{METRIC} on {found.requests:,} requests of the validation part ({found.protocol})"
    )
    shown = found.ranked()[:_SHOWN]
    if found.now not in shown:
        shown.append(found.now)
    rows = [
        [
            f"{one.number}",
            f"{one.metric or 0:.4f}",
            f"{(one.metric or 0) - (found.now.metric or 0):+.4f}" if one != found.now else "poise.toml",
            *(in_words({"": value}).strip() for value in one.options.values()),
            f"{one.seconds:.1f}",
        ]
        for one in shown
    ]
    print_table(["trial", METRIC, "gain", *found.space, "seconds"], rows)
