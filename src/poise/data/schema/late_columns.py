"""Columns that came after a catalogue was described: by an import, or over HTTP."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import polars as pl

from poise.data.schema import json_columns
from poise.data.schema.column_names import guess
from poise.data.schema.column_types import Kind, normalise


def late_columns(
    contents: Sequence[Mapping[str, Any]], known: Collection[str], given: Mapping[str, Kind] | None = None
) -> tuple[pl.DataFrame, dict[str, Kind]]:
    """Return the columns of items or users that are not known yet, in the form of their kinds, and the kinds.

    Args:
        contents: what is known of each, JSON values by column.
        known: the columns that are left out.
        given: kinds of some columns; those of the rest are guessed, as those of a file are.
    """
    rest = [{name: value for name, value in content.items() if name not in known} for content in contents]
    columns = json_columns.frame(rest, {})
    there = {name: kind for name, kind in (given or {}).items() if name in columns.columns}
    return normalise(columns, there) if columns.width else (columns, {})


def late_title(columns: pl.DataFrame) -> str | None:
    """Return the column that people know items by, of a catalogue that had none; None if there is none among them."""
    return "title" if "title" in columns.columns else guess(columns, "items").get("title") if columns.width else None
