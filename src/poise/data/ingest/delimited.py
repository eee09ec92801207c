"""Delimited text, such as CSV: which sign parts the fields, and what can be read of a file with broken lines."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from poise.errors import DataError, listed

UNREADABLE = "_unreadable"
"""The column that keeps, as it stood in the file, each record that could not be read."""

DELIMITERS = "\t,;|\x01"  # the last is Hive's
_LONGEST = 500  # signs of a broken record that are kept


def sniff(lines: list[str]) -> str:
    """Return the delimiter that parts the most lines into as many fields as the first, else a blank, else a comma."""
    best, best_agreement = ",", 0.0
    whole = lines if len(lines) < 50 else lines[:-1]  # the last one may be cut
    for delimiter in DELIMITERS:
        counts = [len(row) for row in csv.reader([f"{line}\n" for line in whole], delimiter=delimiter) if row]
        if counts and counts[0] > 1:
            agreement = sum(count == counts[0] for count in counts) / len(counts)
            if agreement > best_agreement:
                best, best_agreement = delimiter, agreement
    if not best_agreement and " " in whole[0]:
        counts = [len(row) for row in csv.reader([f"{line}\n" for line in whole], delimiter=" ") if row]
        if len(set(counts[1:] or counts)) == 1 and counts[-1] - counts[0] in (
            0,
            1,
        ):  # R leaves out the name of the first
            return " "
    return best


def read_delimited(
    content: bytes, path: Path, delimiter: str, names: Sequence[str] | None, quote: str | None = '"'
) -> pl.DataFrame:
    """Read delimited text, all columns as strings; a broken record costs itself and no other.

    Args:
        content: UTF-8.
        path: what to call it in errors.
        delimiter: the sign between fields.
        names: of the columns; None if the first line holds them, empty for ``column_1``, ``column_2`` ...
        quote: the sign around fields that may hold delimiters and line breaks; None if there is none.

    Raises:
        DataError: most of it cannot be read, or there are not as many columns as names.
    """
    try:
        table = pl.read_csv(
            content, separator=delimiter, has_header=names is None, infer_schema=False, quote_char=quote
        )
    except pl.exceptions.PolarsError:
        return _with_care(content, path, delimiter, names, quote)
    if not names:
        return table
    if table.width != len(names):
        raise DataError(f"{path} has {table.width} columns, but {len(names)} names were given: {listed(names)}")
    return table.rename(dict(zip(table.columns, names, strict=True)))


def _with_care(
    content: bytes, path: Path, delimiter: str, names: Sequence[str] | None, quote: str | None
) -> pl.DataFrame:
    """Read what can be read of a file with broken lines, and keep the others as they are."""
    records = _records(content.decode().split("\n"), delimiter, quote)
    columns = list(names) if names is not None else next(records)[0] or []
    rows = [([field or None for field in fields or ()], text) for fields, text in records]
    if names is not None and not names:
        columns = [f"column_{place + 1}" for place in range(len(rows[0][0]))]
    columns = _with_row_names(columns, [row for row, _ in rows if row])
    width = len(columns)
    if width < 2:
        raise DataError(f"{path} is not what it seems: its first line has one field, {listed(columns)!r}")
    values: list[list[str | None]] = []
    unreadable: list[str | None] = []
    for row, text in rows:
        # delimiters with nothing between them, as spreadsheets leave them, are too many; of fields at the end, too few
        fitted = row[:width] if not any(row[width:]) else row
        if 1 < len(fitted) < width:
            fitted = [*fitted, *[None] * (width - len(fitted))]
        is_whole = len(fitted) == width
        values.append(fitted if is_whole else [None] * width)
        unreadable.append(None if is_whole else text[:_LONGEST])
    mostly_readable(unreadable, path, f"do not have the {width} fields of the header")
    table = pl.DataFrame(values, schema=dict.fromkeys(_unique(columns), pl.String), orient="row")
    return table.with_columns(pl.Series(UNREADABLE, unreadable, dtype=pl.String))


def _records(lines: list[str], delimiter: str, quote: str | None) -> Iterator[tuple[list[str] | None, str]]:
    """Yield the fields of each record and its text; None for the fields where a quote does not end as it should.

    A record with line breaks in quotes is one. Where a quoted field does not end, or goes on behind its end, the line
    that it begins on is broken, and the next line is read as if nothing had been.
    """
    position = 0
    while position < len(lines):
        line = lines[position].removesuffix("\r")
        used = 1
        if not line.strip():
            position += 1
            continue
        fields: list[str] | None = line.split(delimiter)
        if quote is not None and quote in line:
            following = _Following(lines, position)
            try:
                fields = next(csv.reader(following, delimiter=delimiter, strict=True))
                used = following.position - position
            except csv.Error:
                fields = None
        if fields is not None and used > 1:
            fields[-1] = fields[-1].removesuffix("\r")
        yield fields, "\n".join(lines[position : position + used])
        position += used


class _Following:
    """The lines from a position on, with their line ends, and how far they were read."""

    def __init__(self, lines: list[str], position: int) -> None:
        self._lines, self.position = lines, position

    def __iter__(self) -> _Following:
        return self

    def __next__(self) -> str:
        if self.position == len(self._lines):
            raise StopIteration
        self.position += 1
        return f"{self._lines[self.position - 1]}\n"


def _with_row_names(columns: list[str], rows: list[list[str | None]]) -> list[str]:
    """Give a column without a name to a header that is one field short, as R writes a table with row names."""
    longer = sum(len(row) == len(columns) + 1 and row[-1] is not None for row in rows)
    firsts = [row[0] for row in rows]
    if rows and longer >= 0.9 * len(rows) and len(set(firsts)) >= 0.99 * len(firsts):
        return ["", *columns]
    return columns


def _unique(columns: list[str]) -> list[str]:
    """Return names of which each stands there once, as polars makes them."""
    seen: Counter[str] = Counter()
    unique = []
    for column in columns:
        unique.append(column if not seen[column] else f"{column}_duplicated_{seen[column] - 1}")
        seen[column] += 1
    return unique


def mostly_readable(unreadable: list[str | None], path: Path, what: str) -> None:
    """Raise an error if most of the records cannot be read.

    Args:
        unreadable: the text of each that cannot be read, None for the others.
        path: the file.
        what: what is wrong with them.
    """
    broken = [line for line in unreadable if line is not None]
    if len(broken) > len(unreadable) / 2:
        raise DataError(
            f"{path} is not what it seems: {len(broken):,} of {len(unreadable):,} lines {what}, "
            f"for example {broken[0][:60]!r}"
        )
