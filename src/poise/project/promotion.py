"""Promotion: which run is served, the one that was promoted last or else the latest."""

from __future__ import annotations

from poise.errors import UsageError
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
        the run that was promoted before; None if there was none.

    Raises:
        UsageError: there is no such run.
        DataError: it is damaged.
        StoreError: the live log cannot be written.
    """
    _ = project.run(name).pipeline
    with project.open_store(location) as store:
        before = store.setting(RUN)
        if before != name:
            _serve(store, name, [*_earlier(store), before] if before else [])
        return before


def roll_back(project: Project, location: str | None = None) -> str:
    """Serve the run that was served before the champion, and return its name.

    Raises:
        UsageError: there is none.
        DataError: it is damaged.
        StoreError: the live log cannot be written.
    """
    with project.open_store(location) as store:
        champion = store.setting(RUN) or (project.runs[-1] if project.runs else None)
        earlier = _earlier(store)
        if not earlier:  # nothing was promoted yet: the run before the latest
            earlier = [name for name in project.runs if name != champion][-1:]
        if not earlier:
            raise UsageError("there is no run to go back to: 'poise runs list' shows all")
        *earlier, name = earlier
        _ = project.run(name).pipeline
        _serve(store, name, earlier)
        return name


def served_run(project: Project, store: Store) -> str | None:
    """Return the name of the run that is served, the champion: the promoted one, else the latest."""
    promoted = store.setting(RUN)
    if promoted in project.runs:
        return str(promoted)
    return project.runs[-1] if project.runs else None


def _earlier(store: Store) -> list[str]:
    return list(store.setting(EARLIER_RUNS) or [])


def _serve(store: Store, name: str, earlier: list[str]) -> None:
    store.set(EARLIER_RUNS, earlier[-_KEPT:]).result()
    store.set(RUN, name).result()
    store.add_audit("command line", "serve run", {"run": name}).result()
