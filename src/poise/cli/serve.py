from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import click

from poise.cli.common import say


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
@click.option("--port", default=8000, show_default=True, help="The port; 0 for any that is free.")
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
    """Prepare the projects, print the address, and serve them."""
    from poise.project import Project
    from poise.serve.server import Settings, check_settings, serve

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
    port = port or _free_port(host)
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
    click.echo(f"serving {', '.join(settings.folders)} at http://{host}:{port}  (Ctrl-C ends it)")
    click.echo(f"  try it:  http://{host}:{port}/      the API:  http://{host}:{port}/docs")
    if settings.is_open:
        click.echo("  no API keys: whoever is on this machine may do everything; 'poise keys create' makes one")
    started = [_learner(folder, minutes, store) for folder, minutes in learners]
    try:
        serve(settings)
    finally:
        for process in started:
            process.terminate()


def _free_port(host: str) -> int:
    """Return a free port, so that its number can be printed."""
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        return int(probe.getsockname()[1])


def _learner(folder: Path, minutes: float, store: str | None) -> subprocess.Popen[bytes]:
    """Start ``poise learn`` in a process of its own."""
    command = [sys.executable, "-m", "poise", "learn", "-p", str(folder), "--every", str(minutes)]
    if store is not None:
        command += ["--store", store]
    return subprocess.Popen(command)
