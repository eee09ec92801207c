"""Starting the server: one process or several, from settings that travel in the environment."""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from poise.errors import UsageError
from poise.project.project import Project
from poise.serve.clock import SYSTEM_CLOCK, Clock
from poise.serve.http.app import make_app, with_cors
from poise.serve.loopback import is_local
from poise.serve.telemetry.logs import log_note, set_up
from poise.serve.tenant import Tenant

VARIABLE = "POISE_SERVE"  # holds the settings for the processes that uvicorn starts
SWITCH = 0.0002  # seconds after which a thread that computes lets the one go on that reads requests
BACKLOG = 4_096  # connections that wait to be accepted


@dataclass(frozen=True)
class Settings:
    """How a server is started.

    Attributes:
        folders: of the projects.
        host: the address to listen at.
        port: the port; 0 for any that is free.
        run: the run to serve, if not the promoted or the latest one.
        store: in place of what ``[serve] store`` says.
        workers: processes.
        log_requests: whether every request is written to the log.
        is_open: whether no key is needed, as there is none.
    """

    folders: list[str]
    host: str = "127.0.0.1"
    port: int = 8000
    run: str | None = None
    store: str | None = None
    workers: int = 1
    log_requests: bool = False
    is_open: bool = False


def check_settings(settings: Settings, *, keys: Sequence[int]) -> None:
    """Refuse what would not be safe.

    Args:
        settings: of the server.
        keys: how many valid keys each project has.

    Raises:
        UsageError: a public address without keys, or several projects of which one has no keys.
    """
    if not all(keys) and not is_local(settings.host):
        raise UsageError(
            f"{settings.host} can be reached by others, and there are no API keys: make one with 'poise keys create "
            "--scope read --scope write', or serve this machine alone with --host 127.0.0.1"
        )
    if len(settings.folders) > 1 and not all(keys):
        raise UsageError(
            "several projects are told apart by their API keys, and one has none: make it with 'poise keys create -p'"
        )


def serve(settings: Settings) -> None:
    """Serve until a signal stops it."""
    import uvicorn

    from poise.serve.http.connections import Connection

    os.environ[VARIABLE] = json.dumps(asdict(settings))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard) if soft < hard else (soft, hard))
    uvicorn.run(
        "poise.serve.server:application",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        http=Connection,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
    )


def application() -> Callable[..., Awaitable[None]]:
    """Return the application by the settings in the environment."""
    from poise.serve.page.routes import PAGES, not_found

    settings = Settings(**json.loads(os.environ[VARIABLE]))
    set_up(every_request=settings.log_requests)
    sys.setswitchinterval(SWITCH)
    app = make_app(lambda: _open_for_good(settings), PAGES, not_found)
    origins = {origin for folder in settings.folders for origin in Project(Path(folder)).config.serve.origins}
    return with_cors(app, origins)


def open_tenants(settings: Settings, clock: Clock = SYSTEM_CLOCK) -> list[Tenant]:
    """Load the projects.

    Args:
        settings: of the server.
        clock: what the time is.

    Raises:
        PoiseError: one cannot be served.
    """
    import torch

    torch.set_num_threads(1)  # a second one makes a request hardly quicker, and all of them together slower
    tenants = []
    for folder in settings.folders:
        project = Project(Path(folder), say=log_note)
        store = project.open_store(settings.store)
        tenants.append(
            Tenant.open(
                project,
                store,
                run=settings.run,
                is_open=settings.is_open,
                shared=settings.workers > 1,
                clock=clock,
            )
        )
    return tenants


def _open_for_good(settings: Settings) -> list[Tenant]:
    """Load the projects of a process that does nothing else.

    Models and catalogues stay, and looking through them for garbage again and again would make requests wait.
    """
    tenants = open_tenants(settings)
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    return tenants
