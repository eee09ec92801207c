"""What other packages add to Poise: entry points, by group, each loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from poise.errors import UsageError, one_line

MODELS = "poise.models"
ENCODERS = "poise.encoders"
POLICIES = "poise.policies"


@cache
def entry_points_of(group: str) -> Mapping[str, EntryPoint]:
    """Return the entry points of a group that the installed packages declare, by name; nothing is imported."""
    return {entry_point.name: entry_point for entry_point in entry_points(group=group)}


def load_entry_point(group: str, name: str) -> Any:
    """Import what a package has declared.

    Raises:
        UsageError: it cannot be imported.
    """
    entry_point = entry_points_of(group)[name]
    try:
        return entry_point.load()
    except Exception as error:  # a package of somebody else's can fail in any way
        package = entry_point.dist.name if entry_point.dist is not None else entry_point.module
        raise UsageError(
            f"{name!r} of the package {package} cannot be loaded ({one_line(error)}): mend or uninstall {package}"
        ) from error
