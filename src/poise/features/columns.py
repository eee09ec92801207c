"""What the columns of a table say of a row, as numbers that a model can read."""

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

LEAST = 5  # rows that must have a label before a model can learn what it means
_FURTHEST = 3.0  # deviations from the mean, beyond which a number says no more


@dataclass(frozen=True)
class Labels:
    """A column of labels, one a row or several.

    Attributes:
        name: of the column.
        values: the labels that are told apart, an indicator each; all others share one more.
    """

    name: str
    values: tuple[str, ...]

    @property
    def width(self) -> int:
        """The number of indicators."""
        return len(self.values) + 1


@dataclass(frozen=True)
class Number:
    """A column of numbers, of which a model reads by how many deviations each differs from the mean.

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
    """Labels as indicators and numbers in deviations from their mean; what is missing is zero.

    Texts and images are left out: encoders read them.

    Attributes:
        columns: what is read, in the order of the table.
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
        """Find the labels and the scales of a table.

        Args:
            table: the rows that may be learnt from.
            kinds: what each column holds; it is guessed where that is not said.
            only: the columns to read; None for all.
            least: the number of rows that must have a label for it to be told apart.

        Raises:
            UsageError: there is no such column, or it is one that an encoder should read.
        """
        kinds = {**guess(table), **(kinds or {})}
        for name in only or ():
            if name not in table.columns:
                raise UsageError(f"there is no column {name!r} to read.{suggest(name, table.columns)}")
            if kinds[name] in ("text", "image"):
                raise UsageError(f"the column {name!r} holds {kinds[name]}, which is for an encoder to read")
        found: list[Labels | Number] = []
        for name in table.columns if only is None else only:
            column = table[name]
            if kinds[name] in ("category", "categories"):
                counts = _labels(column).unique().group_by("label").len()
                if values := counts.filter(pl.col("len") >= least)["label"].sort().to_list():
                    found.append(Labels(name, tuple(values)))
            elif kinds[name] == "number":
                numbers = _finite(column)
                known = numbers[~np.isnan(numbers)]
                if len(known) >= least and (deviation := float(known.std())) > 0:
                    found.append(Number(name, float(known.mean()), deviation))
        return cls(tuple(found))

    @property
    def width(self) -> int:
        """The number of features."""
        return sum(column.width for column in self.columns)

    def matrix(self, table: pl.DataFrame | None, n_rows: int) -> sparse.csr_array:
        """Return the features of each row of a table, float32 ``[n_rows, width]``.

        Args:
            table: with the columns that it was fitted on; one that is missing counts as empty. None for an empty table.
            n_rows: the number of rows.
        """
        rows: list[Offsets] = []
        places: list[Offsets] = []
        values: list[Floats] = []
        first = 0
        for column in self.columns:
            if table is not None and column.name in table.columns:
                row, place, value = _entries(column, table[column.name])
                rows.append(row)
                places.append(first + place)
                values.append(value)
            first += column.width
        if not rows:
            return sparse.csr_array((n_rows, self.width), dtype=np.float32)
        entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(places)))
        return sparse.coo_array(entries, shape=(n_rows, self.width), dtype=np.float32).tocsr()

    def to_json(self) -> str:
        """Return it as text that :meth:`from_json` reads."""
        return json.dumps([asdict(column) for column in self.columns], ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what :meth:`to_json` wrote."""
        return cls(
            tuple(
                Labels(one["name"], tuple(one["values"])) if "values" in one else Number(**one)
                for one in json.loads(text)
            )
        )


def _entries(column: Labels | Number, cells: pl.Series) -> tuple[Offsets, Offsets, Floats]:
    """Return the rows, the places and the values of what is not zero in a column."""
    if isinstance(column, Number):
        numbers = (_finite(cells) - column.mean) / column.deviation
        rows = np.flatnonzero(~np.isnan(numbers))
        return rows, np.zeros_like(rows), np.clip(numbers[rows], -_FURTHEST, _FURTHEST).astype(np.float32)
    n = len(column.values)
    place = pl.col("label").replace_strict(list(column.values), range(n), default=n, return_dtype=pl.Int64)
    found = _labels(cells).select("row", place=place).unique()
    return found["row"].to_numpy(), found["place"].to_numpy(), np.ones(len(found), dtype=np.float32)


def _labels(column: pl.Series) -> pl.DataFrame:
    """Return the labels of a column and the rows that they stand in, an entry each."""
    several = isinstance(column.dtype, pl.List | pl.Array)
    labels = column.cast(pl.List(pl.String) if several else pl.String)
    entries = pl.DataFrame({"row": np.arange(len(column)), "label": labels})
    return (entries.explode("label") if several else entries).drop_nulls()


def _finite(column: pl.Series) -> Doubles:
    """Return the numbers of a column, float64 ``[n]``; NaN where there is none."""
    numbers = to_numbers(column).cast(pl.Float64).fill_null(np.nan).to_numpy()
    return np.where(np.isfinite(numbers), numbers, np.nan)
