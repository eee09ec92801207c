from __future__ import annotations

import json
from pathlib import Path

import click

from poise.cli.common import json_option, print_json, project_option, say


@click.command("fit")
@project_option
@json_option
def command(folder: Path, as_json: bool) -> None:
    """Fit the pipeline of a project, measure it, and keep it as a run.

    It learns from the training part, chooses weights on the validation part and is measured on the test part, each of
    which lies after the one before. Then it learns from all events and is ready to serve.
    """
    from poise.project import Project
    from poise.project.fitting import fit

    run = fit(Project(folder, say=say))
    if as_json:
        print_json({"run": run.name, "path": str(run.path), **run.facts})
        return
    figures = json.loads((run.path / "metrics.json").read_text(encoding="utf-8"))["figures"]
    for model, of_model in figures.items():
        shown = ", ".join(
            f"{figure} {of_model[figure]['value']:.4f}" for figure in of_model if figure in ("Recall@10", "NDCG@10")
        )
        click.echo(f"{model}: {shown}  ({run.facts['measured_on']}, test part)")
    for model, choice in run.facts["chosen_on_validation"].items():
        say(f"chosen on validation: {model} {choice}")
    click.echo(f"run {run.name}, {run.facts['seconds']:.0f} s; report: {run.path / 'report.html'}")
    click.echo("next: poise recommend --user ID, or poise recommend --history 'title, title'")
