from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from poise.cli.common import json_option, print_json, print_table, project_option

if TYPE_CHECKING:
    from poise.project import Project

_METRICS = ("NDCG@10", "Recall@10")


@click.group("runs", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Fitted pipelines: list and compare them, promote one, roll back. Without a further word: list them."""
    if context.invoked_subcommand is None:
        context.invoke(list_, folder=Path(), as_json=False)


@command.command("list")
@project_option
@json_option
def list_(folder: Path, as_json: bool) -> None:
    """Show all runs: pipeline, metrics, how often they were shown and answered, erased users they were trained on."""
    from poise.project import Project

    rows = _rows(Project(folder))
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo("there are no runs; make one with 'poise fit'")
        return
    columns = ("run", "pipeline", *_METRICS, "vs Popularity", "requests", "shown", "answered", "erased users")
    print_table(columns, [_cells(row) for row in rows])
    click.echo("NDCG and Recall are of each run's own test part, so runs of different data do not compare by them.")


@command.command("compare")
@project_option
@click.argument("first")
@click.argument("second")
@json_option
def compare(folder: Path, first: str, second: str, as_json: bool) -> None:
    """Measure two runs on the same newest events, with a paired test."""
    from poise.cli.common import say
    from poise.project import Project
    from poise.project.learning import compare_runs

    project = Project(folder, say=say)
    report = compare_runs(project, [project.run(first), project.run(second)], project.data())
    if as_json:
        print_json(report.to_dict())
        return
    click.echo(report.text(_METRICS))


@command.command("promote")
@project_option
@click.argument("run")
@click.option("--store", help="The live log, if not the one that poise.toml names.")
def promote(folder: Path, run: str, store: str | None) -> None:
    """Serve RUN from now on: servers change over without losing a request."""
    from poise.project import Project
    from poise.project.promotion import promote as serve_from_now_on

    before = serve_from_now_on(Project(folder), run, store)
    click.echo(f"{run} is served from now on" + (f"; before it was {before}" if before else ""))


@command.command("rollback")
@project_option
@click.option("--store", help="The live log, if not the one that poise.toml names.")
def rollback(folder: Path, store: str | None) -> None:
    """Serve the run that was served before the present one: each time one that lies further back."""
    from poise.cli.common import say
    from poise.project import Project
    from poise.project.promotion import roll_back

    name, before = roll_back(Project(folder, say=say), store)
    click.echo(f"{name} is served from now on; before it was {before}")


def _rows(project: Project) -> list[dict[str, Any]]:
    from poise.project.promotion import served_run

    with project.open_store() as store:
        metrics, receipts, champion = store.run_metrics(), store.erasures(), served_run(project, store)
    rows = []
    for name in project.runs:
        metadata, feedback = project.run(name).metadata, metrics.get(name)
        rows.append(
            {
                "run": name,
                "served": name == champion,
                "pipeline": metadata["pipeline"],
                "metrics": metadata["metrics"],
                "against_popularity": metadata.get("judgement", {}).get("against", {}).get("Popularity"),
                "requests": feedback.requests if feedback else 0,
                "shown": feedback.shown if feedback else 0,
                "answered": feedback.answered if feedback else 0,
                "holds_erased_users": sum(not _lineage(project, name).isdisjoint(receipt.runs) for receipt in receipts),
            }
        )
    return rows


def _lineage(project: Project, name: str) -> set[str]:
    """Return a run and those that it continues from."""
    lineage: set[str] = set()
    while name in project.runs and name not in lineage:
        lineage.add(name)
        name = project.run(name).metadata.get("parent", "")
    return lineage


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    metrics = [f"{row['metrics'][name]:.4f}" if name in row["metrics"] else "–" for name in _METRICS]
    answered = f"{row['answered'] / row['requests']:.1%}" if row["requests"] else "–"
    name = row["run"] + ("  (served)" if row["served"] else "")
    counts = f"{row['requests']:,}", f"{row['shown']:,}", answered, f"{row['holds_erased_users']:,}"
    judged = row["against_popularity"]["result"] if row["against_popularity"] else "not measured"
    return name, row["pipeline"], *metrics, judged, *counts
