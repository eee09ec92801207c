"""Which items may be shown, by what a catalogue says of it."""

from __future__ import annotations

import polars as pl

from poise.data.schema.column_names import availability
from poise.errors import DataError

_TRUE, _FALSE = ("true", "1", "1.0", "yes", "y", "t"), ("false", "0", "0.0", "no", "n", "f")


def may_be_shown(items: pl.DataFrame) -> pl.Series:
    """Return which items may be recommended, bool ``[n_items]``, by the column that says so; all if there is none.

    Where nothing is said, an item may be.

    Raises:
        DataError: the column holds other words than those for true and false.
    """
    availability_column = availability(items.columns)
    if availability_column is None:
        return pl.repeat(True, items.height, eager=True)
    column, if_true = items[availability_column[0]], availability_column[1]
    words = column.cast(pl.String).str.strip_chars().str.to_lowercase()
    unclear = words.is_not_null() & ~words.is_in([*_TRUE, *_FALSE, ""])
    if unclear.any():
        raise DataError(
            f"the column {column.name!r} of the items should say true or false, and holds {column.filter(unclear)[0]!r}"
        )
    return words.is_in(_TRUE if if_true else _FALSE) | words.is_null() | (words == "")
