"""The texts of an item as one passage for an encoder."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from poise.data.dataset import Dataset
from poise.data.schema.readable import as_words, holds_words
from poise.errors import UsageError, suggest

_WORDS = ("text", "category", "categories")


def compose(data: Dataset, columns: Sequence[str] | None = None, *, field_names: bool = True) -> list[str]:
    """Return one passage per item, such as ``title: The Matrix (1999). genres: Action, Sci-Fi``.

    Args:
        data: with the catalogue to read.
        columns: the columns to read, in this order; None for those of :func:`readable_columns`.
        field_names: whether to name the fields; never where there is only one.

    Returns:
        ``[n_items]``, row i for the item with index i + 1; empty for an item without texts.

    Raises:
        UsageError: there is no such column, or it holds images.
    """
    chosen = readable_columns(data) if columns is None else _checked(data, columns)
    if not chosen:
        return [""] * data.n_items
    named = field_names and len(chosen) > 1
    passages = data.items.select(
        pl.concat_str([_field(data.items, column, named) for column in chosen], separator=". ", ignore_nulls=True)
    )
    return passages.to_series().fill_null("").to_list()


def readable_columns(data: Dataset) -> list[str]:
    """Return the columns that an encoder reads by default: the title, then all texts and labels that hold words.

    Coordinates, links, codes, times and JSON hold none.
    """
    kinds, items = data.item_kinds, data.items
    words = [name for name in items.columns if kinds.get(name) in _WORDS and holds_words(items[name])]
    title = data.title_column
    return words if title is None else [title, *(column for column in words if column != title)]


def _checked(data: Dataset, columns: Sequence[str]) -> list[str]:
    for column in columns:
        if column not in data.items.columns:
            raise UsageError(
                f"the catalogue of {data.name!r} has no column {column!r} to encode; it has "
                f"{', '.join(data.items.columns) or 'none'}.{suggest(column, data.items.columns)}"
            )
        if data.item_kinds.get(column) == "image":
            raise UsageError(f"the column {column!r} holds images, which a text encoder cannot read; leave it out")
    return list(columns)


def _field(items: pl.DataFrame, column: str, named: bool) -> pl.Expr:
    """Return the text of a column, null where there is none, with its name in front if ``named``."""
    value = pl.col(column)
    if isinstance(items.schema[column], pl.List):
        value = value.cast(pl.List(pl.String)).list.drop_nulls().list.join(", ")
    value = as_words(value.cast(pl.String)).str.strip_suffix(".")
    value = pl.when(value != "").then(value)
    return pl.format("{}: {}", pl.lit(column.replace("_", " ")), value) if named else value
