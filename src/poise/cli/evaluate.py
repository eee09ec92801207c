from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from poise.cli.common import json_option, print_json, project_option, report_option, say


@click.command("evaluate")
@project_option
@click.option("--model", "-m", "names", multiple=True, help="A model to compare, several times; default: poise.toml.")
@click.option(
    "--protocol",
    "protocols",
    multiple=True,
    type=click.Choice(["leave-last-out", "leave-random-out", "global-time"]),
    help="How to split the events; default: poise.toml.",
)
@click.option("--folds", type=click.IntRange(min=3), help="Cross-validate on random folds instead.")
@report_option("evaluation.html")
@json_option
def command(
    folder: Path,
    names: tuple[str, ...],
    protocols: tuple[str, ...],
    folds: int | None,
    report_path: Path | None,
    as_json: bool,
) -> None:
    """Compare models and the project's pipeline on held-out events, with 95 % intervals and paired tests.

    Each model is fitted again on the training part: metrics of a model that has seen the test part mean nothing.
    """
    from poise.evaluation import cross_validate, write_report
    from poise.project import Project
    from poise.project.fitted_parts import forget_fitted_parts
    from poise.project.fitting import compare, cutoffs_for, makers

    project = Project(folder, say=say)
    click.get_current_context().with_resource(project.logged("evaluate"))
    data = project.encoded()
    if folds is not None:
        result = cross_validate(
            makers(project, data, names or None),
            data,
            folds=folds,
            seed=project.config.evaluation.seed,
            hide_seen=project.config.policy.hide_seen,
            k=cutoffs_for(project, data),
        )
        if as_json:
            print_json({"protocol": f"{folds} random folds", "metrics": result.frame().to_dicts()})
        else:
            click.echo(result.text())
        return
    reports: dict[str, Any] = {}
    for protocol in protocols or project.config.evaluation.protocols:
        if protocol == "global-time" and not data.events.is_ordered and not protocols:
            say("no times: leaving out the split by time")
            continue
        comparison = compare(project, data, protocol, names or None)
        path = report_path or project.folder / "evaluation.html"
        if reports:
            path = path.with_stem(f"{path.stem}-{protocol}")
        write_report(comparison.report, path, holdout=comparison.split.test, models=comparison.models)
        reports[protocol] = comparison.report.to_dict()
        if not as_json:
            click.echo(f"\n{comparison.split.name}\n{comparison.report.text()}\nreport: {path}")
    forget_fitted_parts(project)
    if as_json:
        print_json(reports)
