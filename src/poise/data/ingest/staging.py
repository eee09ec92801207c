"""A table on its way in: what is left of it, and a way to refuse rows that loses none."""

from __future__ import annotations

import polars as pl

from poise.data.ingest.ids import in_several_forms, normalise_ids
from poise.data.ingest.quarantine import Quarantine
from poise.data.schema.column_names import CANONICAL, Table

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
        """Make a column of ids strings in one form, and refuse the rows without one; say what was merged."""
        given = self.frame[column]
        ids = normalise_ids(given, f"the column for {column} of the {self.table}")
        if ids is not given:
            if merged := in_several_forms(given, ids):
                first, second = merged[0]
                self.quarantine.notes.append(
                    f"{self.table}: {len(merged):,} of {column} stood there in several forms and were merged, such as "
                    f"{first!r} and {second!r}"
                )
            self.replace(ids)
        self.refuse(pl.col(column).is_null(), f"{self.table}: no {column}")
