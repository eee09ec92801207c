from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from poise.cli.common import say

if TYPE_CHECKING:
    from poise.serve.server import Settings


@click.command("serve")
@click.argument("run", required=False)
@click.option(
    "--project",
    "-p",
    "folders",
    type=click.Path(path_type=Path),
    multiple=True,
    default=["."],
    show_default="this folder",
    help="The folder with the poise.toml; several times to serve several projects, told apart by their keys.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65_535), help="The port; 0 for any that is free."
)
@click.option("--store", help="The live log: a file or postgresql://...; default: [serve] store in poise.toml.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Processes that answer.")
@click.option("--log-requests", is_flag=True, help="Write every request to the log, not only failed and slow ones.")
def command(
    run: str | None,
    folders: tuple[Path, ...],
    host: str,
    port: int,
    store: str | None,
    workers: int,
    log_requests: bool,
) -> None:
    """Serve recommendations over HTTP: live, from this project's RUN (default: the promoted or latest one).

    The first start copies the project's data into the live log. From then on the log is the truth: events, items and
    users that come in over HTTP are added to it, and 'poise fit' learns from it.
    """
    start(folders, host=host, port=port, run=run, store=store, workers=workers, log_requests=log_requests)


def start(
    folders: tuple[Path, ...],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    run: str | None = None,
    store: str | None = None,
    workers: int = 1,
    log_requests: bool = False,
) -> None:
    """Prepare the projects, serve them, and print what is served and where once it can answer."""
    from poise.project import Project
    from poise.serve.address import take_port
    from poise.serve.server import Settings, check_settings, serve

    port = take_port(host, port)
    keys, learners = [], []
    for folder in folders:
        project = Project(folder, say=say)
        if run is not None or not project.runs:
            project.run(run)  # a damaged latest one is skipped when it is loaded
        opened = project.fill_store(store)
        try:
            api_keys = opened.keys()
            keys.append(sum(key.revoked is None for key in api_keys))
        finally:
            opened.close()
        if project.config.serve.update_interval_minutes:
            learners.append((folder, project.config.serve.update_interval_minutes))
    settings = Settings(
        folders=[str(folder) for folder in folders],
        host=host,
        port=port,
        run=run,
        store=store,
        workers=workers,
        log_requests=log_requests,
        is_open=not any(keys),
    )
    check_settings(settings, keys=keys)
    say(f"starting the server of {', '.join(settings.folders)} (Ctrl-C ends it)")
    started = [_learner(folder, minutes, store) for folder, minutes in learners]
    over = threading.Event()
    threading.Thread(target=_announce, args=(settings, over), daemon=True).start()
    try:
        serve(settings)
    finally:
        over.set()
        for process in started:
            process.terminate()


def _announce(settings: Settings, over: threading.Event) -> None:
    """Print what is served, and where, once the server can answer."""
    from poise.project import Project
    from poise.serve.address import url_of, wait_until_ready

    url = url_of(settings.host, settings.port)
    health = wait_until_ready(url, over.is_set)
    if health is None:
        return
    if health.status == "failed":
        say(f"the server at {url} cannot recommend: {health.reason}")
        return
    served = ", ".join(settings.folders)
    if health.run is not None:
        run = Project(Path(settings.folders[0])).run(health.run)
        served = f"{run.metadata['pipeline']}, run {run.name}, {len(run.titles) - 1:,} items,"
    click.echo(f"serving {served} at {url}  (Ctrl-C ends it)")
    click.echo(f"  try it:  {url}/      the API:  {url}/docs")
    if settings.is_open:
        click.echo("  no API keys: whoever is on this machine may do everything; 'poise keys create' makes one")


def _learner(folder: Path, minutes: float, store: str | None) -> subprocess.Popen[bytes]:
    """Start ``poise learn`` in a process of its own."""
    command = [sys.executable, "-m", "poise", "learn", "-p", str(folder), "--every", str(minutes)]
    if store is not None:
        command += ["--store", store]
    return subprocess.Popen(command)
