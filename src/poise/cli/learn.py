from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from poise.cli.common import json_option, print_json, project_option, say
from poise.errors import DataError, UsageError

if TYPE_CHECKING:
    from poise.project.learning import Learnt


@click.command("learn")
@project_option
@click.option("--store", help="The live log, if not the one that poise.toml names.")
@click.option(
    "--every", type=click.FloatRange(min=0, min_open=True), help="Do it again after so many minutes, for ever."
)
@json_option
def command(folder: Path, store: str | None, every: float | None, as_json: bool) -> None:
    """Learn from what has happened since, and serve the result if it is no worse.

    Goes on from the run that is served: learns from new events, and from old ones so that nothing is forgotten, and
    measures the result and the present run on the newest events. Only if the result is no worse there, it is kept as a
    run and promoted; servers change over without losing a request.
    """
    while True:
        started = time.monotonic()
        try:
            learnt = _learn(folder, store)
        except DataError as error:  # too little has happened, usually: the next time there is more
            if every is None:
                raise
            say(str(error))
        else:
            if as_json:
                print_json(_as_json(learnt))
            else:
                click.echo(learnt.verdict)
        if every is None:
            return
        time.sleep(max(0.0, 60 * every - (time.monotonic() - started)))


def _learn(folder: Path, location: str | None) -> Learnt:
    from poise.project import Project
    from poise.project.learning import learn
    from poise.project.promotion import promote, served

    project = Project(folder, say=say)
    with project.open_store(location) as store:
        name = served(project, store)
        if name is None:
            raise UsageError(f"the project in {folder.resolve()} has no runs: make one with 'poise fit'")
        data = project.live_data(store)
    if data is None:
        raise DataError("there is no live log to learn from yet: 'poise serve' makes one")
    learnt = learn(project, project.run(name), data)
    if learnt.run is not None:
        promote(project, learnt.run.name, location)
    return learnt


def _as_json(learnt: Learnt) -> dict[str, Any]:
    return {
        "run": None if learnt.run is None else learnt.run.name,
        "parent": learnt.parent,
        "metric": learnt.metric,
        "present": learnt.champion,
        "candidate": learnt.challenger,
        "p": learnt.p,
        "requests": learnt.requests,
        "new_events": learnt.new_events,
    }
