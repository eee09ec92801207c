from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from poise.cli.common import json_option, print_json, project_option, say

if TYPE_CHECKING:
    from poise.project.judgement import Judgement
    from poise.project.run import Run


@click.command("fit")
@project_option
@click.option("--yes", is_flag=True, help="Ask nothing: where the pipeline is no better, serve what is popular.")
@json_option
def command(folder: Path, yes: bool, as_json: bool) -> None:
    """Fit the pipeline of a project, measure it, and keep it as a run.

    It learns from the training part, chooses weights on the validation part and is measured on the test part, each of
    which lies after the one before, beside what is popular and a random order. Where it is no better than what is
    popular, the run serves that, unless poise.toml says serve = "pipeline" under [fit]; at a terminal it asks. Then
    what is served learns from all events.
    """
    from poise.files import read_json
    from poise.project import Project
    from poise.project.fitting import fit

    asks = sys.stdin.isatty() and sys.stderr.isatty() and not yes and not as_json
    run = fit(Project(folder, say=say), ask=_ask if asks else None)
    if as_json:
        print_json({"run": run.name, "path": str(run.path), **run.metadata})
        return
    metrics = read_json(run.path / "metrics.json")["metrics"]
    for model, of_model in metrics.items():
        names = [name for name in of_model if name.startswith(("Recall@", "NDCG@"))]
        cutoff = "@10" if "NDCG@10" in names else f"@{names[0].split('@')[1]}"
        shown = ", ".join(f"{name} {of_model[name]['value']:.4f}" for name in names if name.endswith(cutoff))
        click.echo(f"{model}: {shown}  ({run.metadata['measured_on']}, test part)")
    for model, choice in run.metadata["chosen_on_validation"].items():
        say(f"chosen on validation: {model} {choice}")
    for model, notes in run.metadata["notes"].items():
        for note in notes:
            say(f"{model}: {note}")
    for line in run.metadata["judgement"]["lines"]:
        click.echo(line)
    click.echo(_served(run))
    click.echo(f"run {run.name}, {run.metadata['seconds']:.0f} s; report: {run.path / 'report.html'}")
    where = "" if folder == Path() else f" -p {folder}"
    click.echo(f"next: poise recommend{where} --user ID, or poise recommend{where} --history 'title, title'")


def _ask(judgement: Judgement) -> bool:
    for line in judgement.lines:
        click.echo(line, err=True)
    return click.confirm("Serve what is popular instead of the pipeline?", default=True, err=True)


def _served(run: Run) -> str:
    """Say what the run serves, and what of that was measured."""
    judgement = run.metadata["judgement"]
    again = (
        " It has learnt from all events since, which is not measured." if run.metadata["refitted_on_all_events"] else ""
    )
    if judgement["serves"] == "Popularity":
        return (
            f"The run serves what is popular, with the policy of the project.{again} "
            'To serve the pipeline all the same, write serve = "pipeline" under [fit] in poise.toml and fit again.'
        )
    return f"The run serves the pipeline.{again}"
