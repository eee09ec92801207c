"""Promotion: which run is served, the one that was promoted last or else the latest."""

from __future__ import annotations

from poise.errors import DataError, UsageError
from poise.project.project import Project
from poise.store import Store
from poise.store.settings import EARLIER_RUNS, RUN

_KEPT = 20  # earlier runs


def promote(project: Project, name: str, location: str | None = None) -> str | None:
    """Serve a run from now on.

    Args:
        project: that has the run.
        name: of the run.
        location: of the live log, if not the one that the project names.

    Returns:
        the run that was served before; None if this one was.

    Raises:
        UsageError: there is no such run.
        DataError: it is damaged.
        StoreError: the live log cannot be written.
    """
    _ = project.run(name).pipeline
    with project.open_store(location) as store:
        before = served_run(project, store)
        if before != name or store.setting(RUN) != name:
            _serve(store, name, [*(run for run in _earlier(project, store) if run != name)])
        return before if before != name else None


def roll_back(project: Project, location: str | None = None) -> tuple[str, str]:
    """Serve the run that was served before the champion: each time one that lies further back.

    A damaged run is passed over.

    Args:
        project: that has the runs.
        location: of the live log, if not the one that the project names.

    Returns:
        the name of the run that is served now, and of the one that was.

    Raises:
        UsageError: there is none.
        StoreError: the live log cannot be written.
    """
    with project.open_store(location) as store:
        champion = served_run(project, store)
        if champion is None:
            raise UsageError("there are no runs; make one with 'poise fit'")
        earlier = _earlier(project, store)[:-1]
        while earlier:
            name = earlier.pop()
            try:
                _ = project.run(name).pipeline
            except DataError as error:
                project.say(f"{error}; going back further")
                continue
            _serve(store, name, earlier)
            return name, champion
    raise UsageError(f"no run was served before {champion}: there is none to go back to")


def served_run(project: Project, store: Store) -> str | None:
    """Return the name of the run that is served, the champion: the promoted one, else the latest."""
    promoted = store.setting(RUN)
    if promoted in project.runs:
        return str(promoted)
    return project.runs[-1] if project.runs else None


def _earlier(project: Project, store: Store) -> list[str]:
    """Return the runs that were served up to now, each once, the champion at the end.

    Before anything is promoted each run has been served when it was the latest.
    """
    names, champion = project.runs, served_run(project, store)
    if champion is None:
        return []
    kept = store.setting(EARLIER_RUNS)
    earlier = names if kept is None else [name for name in kept if name in names]
    return [*(name for name in earlier if name != champion and (kept is not None or name < champion)), champion]


def _serve(store: Store, name: str, earlier: list[str]) -> None:
    store.set(EARLIER_RUNS, earlier[-_KEPT:]).result()
    store.set(RUN, name).result()
    store.add_audit("command line", "serve run", {"run": name}).result()
