from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from poise.cli.common import json_option, print_json, project_option, say
from poise.errors import DataError, UsageError

if TYPE_CHECKING:
    from poise.project.learning import UpdateResult


@click.command("learn")
@project_option
@click.option("--store", help="The live log, if not the one that poise.toml names.")
@click.option(
    "--every", type=click.FloatRange(min=0, min_open=True), help="Do it again after so many minutes, for ever."
)
@json_option
def command(folder: Path, store: str | None, every: float | None, as_json: bool) -> None:
    """Learn from new events, and serve the result if it is no worse.

    A challenger continues from the run that is served, the champion: it is trained on new events, and on old ones so
    that nothing is forgotten, and both are measured on the newest events. Only if the challenger is no worse is it
    saved as a run and promoted; servers change over without losing a request.
    """
    while True:
        started = time.monotonic()
        try:
            update = _learn(folder, store)
        except DataError as error:  # usually too few new events: the next time there are more
            if every is None:
                raise
            say(str(error))
        else:
            if as_json:
                print_json(_as_json(update))
            else:
                click.echo(update.verdict)
        if every is None:
            return
        time.sleep(max(0.0, 60 * every - (time.monotonic() - started)))


def _learn(folder: Path, location: str | None) -> UpdateResult:
    from poise.project import Project
    from poise.project.learning import learn
    from poise.project.promotion import promote, served_run

    project = Project(folder, say=say)
    with project.open_store(location) as store:
        name = served_run(project, store)
        if name is None:
            raise UsageError(f"the project in {folder.resolve()} has no runs: make one with 'poise fit'")
        data = project.live_data(store)
    if data is None:
        raise DataError("there is no live log to learn from yet: 'poise serve' makes one")
    update = learn(project, project.run(name), data)
    if update.run is not None:
        promote(project, update.run.name, location)
    return update


def _as_json(update: UpdateResult) -> dict[str, Any]:
    return {
        "run": None if update.run is None else update.run.name,
        "parent": update.parent,
        "metric": update.metric,
        "champion": update.champion,
        "challenger": update.challenger,
        "p": update.p,
        "requests": update.requests,
        "new_events": update.new_events,
    }
