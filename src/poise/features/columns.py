"""Columns of a table as numeric features of its rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
import polars as pl
from scipy import sparse

from poise.data.schema.column_types import Kind, guess, to_numbers
from poise.errors import UsageError, suggest
from poise.types import Doubles, Floats, Offsets

LEAST = 5  # rows that must have a label before a model can learn from it
_FURTHEST = 3.0  # standard deviations from the mean, at which numbers are clipped


@dataclass(frozen=True)
class Labels:
    """A column of labels, one or several per row.

    Attributes:
        name: of the column.
        values: the labels with an indicator each; all others share one more.
    """

    name: str
    values: tuple[str, ...]

    @property
    def width(self) -> int:
        """The number of indicators."""
        return len(self.values) + 1


@dataclass(frozen=True)
class Number:
    """A column of numbers, standardised: each as its number of standard deviations from the mean.

    Attributes:
        name: of the column.
        mean: of the rows that it was fitted on.
        deviation: the standard deviation of those rows.
    """

    name: str
    mean: float
    deviation: float

    width = 1


@dataclass(frozen=True)
class ColumnFeatures:
    """Labels as indicators and standardised numbers; missing values are zero.

    Texts and images are left out: encoders read them.

    Attributes:
        columns: that are read, in the order of the table.
    """

    columns: tuple[Labels | Number, ...] = ()

    @classmethod
    def fit(
        cls,
        table: pl.DataFrame,
        kinds: Mapping[str, Kind] | None = None,
        *,
        only: Sequence[str] | None = None,
        least: int = LEAST,
    ) -> Self:
        """Fit the labels and the scales of a table.

        Args:
            table: the training rows.
            kinds: of the columns; guessed where they are not given.
            only: the columns to read; None for all.
            least: the number of rows with a label from which it has its own indicator.

        Raises:
            UsageError: there is no such column, or an encoder should read it.
        """
        kinds = {**guess(table), **(kinds or {})}
        for name in only or ():
            if name not in table.columns:
                raise UsageError(f"there is no column {name!r} to read.{suggest(name, table.columns)}")
            if kinds[name] in ("text", "image"):
                raise UsageError(f"the column {name!r} holds {kinds[name]}, which is for an encoder to read")
        fitted: list[Labels | Number] = []
        for name in table.columns if only is None else only:
            column = table[name]
            if kinds[name] in ("category", "categories"):
                counts = _labels(column).unique().group_by("label").len()
                if values := counts.filter(pl.col("len") >= least)["label"].sort().to_list():
                    fitted.append(Labels(name, tuple(values)))
            elif kinds[name] == "number":
                numbers = _finite(column)
                present = numbers[~np.isnan(numbers)]
                if len(present) >= least and (deviation := float(present.std())) > 0:
                    fitted.append(Number(name, float(present.mean()), deviation))
        return cls(tuple(fitted))

    @property
    def width(self) -> int:
        """The number of features."""
        return sum(column.width for column in self.columns)

    def matrix(self, table: pl.DataFrame | None, n_rows: int) -> sparse.csr_array:
        """Return the features of each row of a table, float32 ``[n_rows, width]``.

        Args:
            table: with the fitted columns; a missing one counts as empty. None for an empty table.
            n_rows: the number of rows.
        """
        rows: list[Offsets] = []
        positions: list[Offsets] = []
        values: list[Floats] = []
        first = 0
        for column in self.columns:
            if table is not None and column.name in table.columns:
                row, position, value = _entries(column, table[column.name])
                rows.append(row)
                positions.append(first + position)
                values.append(value)
            first += column.width
        if not rows:
            return sparse.csr_array((n_rows, self.width), dtype=np.float32)
        entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(positions)))
        return sparse.coo_array(entries, shape=(n_rows, self.width), dtype=np.float32).tocsr()

    def to_json(self) -> str:
        """Return the features as text that :meth:`from_json` reads."""
        return json.dumps([asdict(column) for column in self.columns], ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the text of :meth:`to_json`."""
        return cls(
            tuple(
                Labels(entry["name"], tuple(entry["values"])) if "values" in entry else Number(**entry)
                for entry in json.loads(text)
            )
        )


def _entries(column: Labels | Number, cells: pl.Series) -> tuple[Offsets, Offsets, Floats]:
    """Return the rows, the positions and the values of the non-zero features of a column."""
    if isinstance(column, Number):
        numbers = (_finite(cells) - column.mean) / column.deviation
        rows = np.flatnonzero(~np.isnan(numbers))
        return rows, np.zeros_like(rows), np.clip(numbers[rows], -_FURTHEST, _FURTHEST).astype(np.float32)
    n = len(column.values)
    position = pl.col("label").replace_strict(list(column.values), range(n), default=n, return_dtype=pl.Int64)
    entries = _labels(cells).select("row", position=position).unique()
    return entries["row"].to_numpy(), entries["position"].to_numpy(), np.ones(len(entries), dtype=np.float32)


def _labels(column: pl.Series) -> pl.DataFrame:
    """Return the labels of a column with their rows, one entry each."""
    several = isinstance(column.dtype, pl.List | pl.Array)
    labels = column.cast(pl.List(pl.String) if several else pl.String)
    entries = pl.DataFrame({"row": np.arange(len(column)), "label": labels})
    return (entries.explode("label") if several else entries).drop_nulls()


def _finite(column: pl.Series) -> Doubles:
    """Return the numbers of a column, float64 ``[n]``; NaN where there is none."""
    numbers = to_numbers(column).cast(pl.Float64).fill_null(np.nan).to_numpy()
    return np.where(np.isfinite(numbers), numbers, np.nan)
