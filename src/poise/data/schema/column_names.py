"""What the columns of a table are called, and what they are called here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import polars as pl

from poise.data.roles.guess import ENOUGH, guess_roles, named_kind
from poise.data.roles.guess import Table as Table  # noqa: PLC0414 -- mypy takes it as meant for others
from poise.errors import DataError, UsageError, suggest

CANONICAL: Mapping[Table, tuple[str, ...]] = {
    "events": ("user_id", "item_id", "behaviour", "value", "timestamp"),
    "items": ("item_id", "title"),
    "users": ("user_id",),
}
"""The canonical names of the columns that Poise reads."""
_REQUIRED: Mapping[Table, tuple[str, ...]] = {
    "events": ("user_id", "item_id"),
    "items": ("item_id",),
    "users": ("user_id",),
}
_AVAILABLE = ("available", "isavailable")
_LISTED = 30
_HIDDEN = ("ishidden", "hidden")


def guess(columns: Sequence[str] | pl.DataFrame, table: Table = "events") -> dict[str, str]:
    """Guess which column is which from names in the usual languages and, where the table is given, from its values.

    Args:
        columns: the names that were found, or the table itself.
        table: what the table holds: ``events``, ``items`` or ``users``.

    Returns:
        canonical name to the name found, for those that are clear: of events ``user_id``, ``item_id``, ``behaviour``,
        ``value`` and ``timestamp``, of items ``item_id`` and ``title``, of users ``user_id``.
    """
    return _guess(columns, table, {})


def resolve(
    columns: Sequence[str] | pl.DataFrame, table: Table, given: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return which column is which: what was given, and guesses for the rest.

    Args:
        columns: the names that were found, or the table itself.
        table: what the table holds.
        given: canonical name to the name found; to an empty name if there is no such column.

    Raises:
        UsageError: a column was given twice, or a canonical name is misspelt.
        DataError: a given column is not there, or an id column is neither given nor to be guessed.
    """
    given = dict(given or {})
    found = columns.columns if isinstance(columns, pl.DataFrame) else list(columns)
    for canonical, name in given.items():
        if canonical not in CANONICAL[table]:
            raise UsageError(
                f"{canonical!r} is no column that {table} have here.{suggest(canonical, CANONICAL[table])} "
                f"Choose from {', '.join(CANONICAL[table])}; all other columns keep their names"
            )
        if name and name not in found:
            raise DataError(
                f"the {table} have no column {name!r} (for {canonical}).{suggest(name, found)} "
                f"They have: {_listed(found)}"
            )
    used = [name for name in given.values() if name]
    if len(set(used)) < len(used):
        twice = next(name for name in used if used.count(name) > 1)
        raise UsageError(f"the column {twice!r} of the {table} was given two meanings; give it one")
    names = _guess(columns, table, given)
    for canonical in _REQUIRED[table]:
        if canonical not in names:
            raise DataError(_missing(canonical, found, table))
    return names


def availability(columns: Sequence[str]) -> tuple[str, bool] | None:
    """Tell which column of a catalogue says whether an item may be recommended.

    Args:
        columns: the names that were found.

    Returns:
        its name, and whether it is true for items that may; None if there is no such column.
    """
    for names, if_true in ((_AVAILABLE, True), (_HIDDEN, False)):
        column = next((name for name in columns if _plain(name) in names), None)
        if column is not None:
            return column, if_true
    return None


def is_rating(name: str) -> bool:
    """Tell whether a column of values with this name holds ratings, rather than amounts or counts."""
    return named_kind(name) == "rating"


def _guess(columns: Sequence[str] | pl.DataFrame, table: Table, given: Mapping[str, str]) -> dict[str, str]:
    frame = columns if isinstance(columns, pl.DataFrame) else pl.DataFrame({name: [] for name in columns})
    choices = guess_roles(frame, table, given)
    names = {**given, **{role: choice.name for role, choice in choices.items() if choice.score >= ENOUGH}}
    return {canonical: names[canonical] for canonical in CANONICAL[table] if names.get(canonical)}


def _listed(columns: Sequence[str]) -> str:
    """Return names for a message: a table of a thousand columns does not fill the screen."""
    more = f" and {len(columns) - _LISTED:,} more" if len(columns) > _LISTED else ""
    return ", ".join(name if len(name) <= 60 else f"{name[:57]}..." for name in columns[:_LISTED]) + more


def _missing(canonical: str, columns: Sequence[str], table: Table) -> str:
    what = {"user_id": "who it was", "item_id": "which item it is"}[canonical]
    message = f"the {table} have no column that says {what} ({canonical}); they have: {_listed(columns)}."
    if any(re.fullmatch(r"[\d.+-]+(_duplicated_\d+)?", name) for name in columns):
        order = "'user_id', 'item_id', ..." if table == "events" else f"{canonical!r}, ..."
        return f"{message} The first line looks like data, not a header: say what the columns are, names=[{order}]"
    option = {"events": "columns", "items": "item_columns", "users": "user_columns"}[table]
    close = suggest(canonical, list(columns))
    return f"{message}{close} Say which it is: {option}={{{canonical!r}: 'NAME'}}"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
