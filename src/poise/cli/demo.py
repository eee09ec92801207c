from __future__ import annotations

import time
from pathlib import Path

import click

from poise.cli.common import say
from poise.cli.recommend import show
from poise.cli.serve import start
from poise.errors import UsageError

_CONFIG = """\
# The demo: films that people rated from 1 to 5.
name = "MovieLens 100K"

[data]
dataset = "movielens-100k"

[models.SASRec]  # half as many passes as by default, so that the demo is quick
epochs = 8
"""
_METRICS = ("NDCG@10", "Recall@10", "Coverage@10", "Novelty@10")
_USERS_SHOWN = 3
_FEW = 20, 40  # events of a history that a person can take in


@click.command("demo")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default="poise-demo",
    show_default=True,
    help="Where to make the project.",
)
@click.option("--serve/--no-serve", "serves", default=True, show_default=True, help="Whether to end by serving it.")
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65_535),
    help="Where to serve; 0 for any port that is free.",
)
def command(folder: Path, serves: bool, port: int) -> None:
    """From real data to live recommendations, with no set-up.

    Fetches MovieLens 100K, examines it, encodes the films' texts, fits and compares all models, saves the best as a
    run, shows recommendations to three people with reasons, and serves it with a page to try it on.
    """
    import numpy as np

    from poise.config import FILE
    from poise.data.doctor import examine
    from poise.data.doctor.page import report as doctor_report
    from poise.files import atomic_file
    from poise.project import Project
    from poise.project.fitting import compare, keep
    from poise.serve.address import take_port

    if serves:
        port = take_port("127.0.0.1", port)  # it had better be known before the models are fitted
    started = time.perf_counter()
    if (folder / FILE).exists() and (folder / FILE).read_text(encoding="utf-8") != _CONFIG:
        raise UsageError(f"{folder} holds a project of yours: give the demo another folder with --folder")
    with atomic_file(folder / FILE) as temporary:
        temporary.write_text(_CONFIG, encoding="utf-8")
    project = Project(folder, say=say)

    _step("1. The data")
    data = project.encoded(project.read())  # what earlier visits clicked is in the live log, and is not learnt
    examination = examine(data)
    doctor_report(examination, data).write(folder / "check.html")
    click.echo(f"{data.n_events:,} ratings of {data.n_users:,} people on {data.n_items:,} films")
    for verdict in examination.verdicts[:4]:
        click.echo(f"  {verdict.title}. {verdict.reason}")
    click.echo(f"  all of it: {folder / 'check.html'}")

    _step("2. The models, compared on each person's last film")
    comparison = compare(project, data, "leave-last-out")
    click.echo(comparison.report.text(_METRICS))

    _step("3. The same on what came after one moment in time, as a live system meets it")
    click.echo(compare(project, data, "global-time").report.text(_METRICS))

    _step("4. Three people")
    run = keep(project, data, comparison, started=started)
    lengths = np.diff(data.events.offsets)[1:]
    few = np.flatnonzero((lengths >= _FEW[0]) & (lengths <= _FEW[1])) + 1
    users = data.user_ids.ids(np.sort(np.random.default_rng(0).choice(few, _USERS_SHOWN, replace=False)))
    show(run, data, users, k=5)

    _step(f"Done in {time.perf_counter() - started:.0f} s")
    click.echo(f"report with intervals, plots and more people: {run.path / 'report.html'}")
    click.echo("try:")
    click.echo(f"  poise recommend -p {folder} --history 'Toy Story, Aladdin'")
    click.echo(f"  poise similar -p {folder} 'Star Wars'")
    click.echo(f"  poise serve -p {folder}")
    click.echo("with your own files: poise init")
    if serves:
        _step("5. Live")
        start((folder,), port=port)


def _step(title: str) -> None:
    click.secho(f"\n{title}", bold=True)
