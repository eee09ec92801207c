from __future__ import annotations

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
    from poise.files import read_json
    from poise.project import Project
    from poise.project.fitting import fit

    run = fit(Project(folder, say=say))
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
    click.echo(f"run {run.name}, {run.metadata['seconds']:.0f} s; report: {run.path / 'report.html'}")
    where = "" if folder == Path() else f" -p {folder}"
    click.echo(f"next: poise recommend{where} --user ID, or poise recommend{where} --history 'title, title'")
