"""A table on its way in: what is left of it, and a way to refuse rows that loses none."""

from __future__ import annotations

from typing import Any

import polars as pl

from poise.data.ingest.quarantine import Quarantine
from poise.data.schema.column_names import CANONICAL, Table
from poise.errors import DataError, UsageError

ROW = "_row"


class Staging:
    """A table under cleaning.

    Attributes:
        table: what it is: ``events``, ``items`` or ``users``.
        frame: the rows that are left, under canonical names, with their position in ``raw`` in the column ``_row``.
        raw: the table as it was read.
        mapping: canonical name to the name in ``raw``.
        quarantine: where refused rows go.
    """

    def __init__(self, table: Table, raw: pl.DataFrame, mapping: dict[str, str], quarantine: Quarantine) -> None:
        self.table = table
        self.raw = raw
        self.mapping = mapping
        self.quarantine = quarantine
        renamed = {name: canonical for canonical, name in mapping.items() if canonical != name}
        taken = [name for name in CANONICAL[table] if name in raw.columns and mapping.get(name) != name]
        hidden = {name: f"{name}_original" for name in taken if name not in renamed}
        self.frame = raw.rename({**hidden, **renamed}).with_row_index(ROW)

    def __contains__(self, column: str) -> bool:
        return column in self.frame.columns

    def refuse(self, refused: pl.Expr | pl.Series, reason: str) -> None:
        """Send the rows for which ``refused`` is true to quarantine, as they were read."""
        if isinstance(refused, pl.Expr):
            refused = self.frame.select(refused.fill_null(False)).to_series()
        if not refused.any():
            return
        rows = self.frame.filter(refused)[ROW]
        self.quarantine.refuse(self.table, self.raw[rows], rows + 1, reason)
        self.frame = self.frame.filter(~refused)

    def replace(self, *columns: pl.Series | pl.Expr) -> None:
        """Put columns in the place of those with the same names."""
        self.frame = self.frame.with_columns(columns)

    def identify(self, column: str) -> None:
        """Make a column of ids strings, and refuse the rows without one."""
        ids = self.frame[column]
        if ids.dtype.is_float():  # whole numbers, as pandas has them in a column with gaps
            if (ids.drop_nans().drop_nulls() % 1 != 0).any():
                raise DataError(
                    f"the {self.table} have fractions in the column for {column}; an id is a name, not an amount"
                )
            ids = ids.fill_nan(None).cast(pl.Int64)
        elif ids.dtype.is_nested():
            raise DataError(f"the {self.table} have lists in the column for {column}; one id a row is needed")
        if ids.dtype != pl.String:
            self.replace(ids.cast(pl.String))
        self.refuse(pl.col(column).is_null() | (pl.col(column) == ""), f"{self.table}: no {column}")


def to_polars(frame: Any, table: Table) -> pl.DataFrame:
    """Return a polars or pandas frame as a polars frame.

    Raises:
        UsageError: it is neither.
    """
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    if isinstance(frame, pl.DataFrame):
        return frame
    if type(frame).__module__.split(".")[0] == "pandas":
        return pl.from_pandas(frame)
    raise UsageError(
        f"the {table} are a {type(frame).__name__}; give a polars or pandas frame, or read files with load_files"
    )
