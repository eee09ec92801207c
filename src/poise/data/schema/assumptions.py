"""What was assumed of columns of text that hold lists or numbers, with examples: to be looked at, and set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from poise.data.schema.column_types import Kind, filled, guess, separator_of, to_numbers
from poise.data.schema.lists_in_cells import BRACKETS, decode_entities, labels
from poise.data.schema.numbers import decimal_sign

_SAMPLE = 5_000
_EXAMPLES = 3
_LONGEST = 60  # signs of a cell that is shown


@dataclass(frozen=True)
class Assumption:
    """How a column of text was read.

    Attributes:
        table: ``items`` or ``users``.
        column: its name.
        kind: ``categories`` or ``number``.
        separator: the sign between labels or before decimals; empty where lists are in brackets or cells differ.
        how: the same in words.
        examples: cells, and what was read of each.
    """

    table: str
    column: str
    kind: Kind
    separator: str
    how: str
    examples: tuple[tuple[str, str], ...]

    @property
    def words(self) -> str:
        """The assumption in a line, with its examples."""
        shown = "; ".join(f"{cell!r} is {read}" for cell, read in self.examples)
        return f"{self.table}: {self.column} holds {self.how}: {shown}"


def assumptions(
    frame: pl.DataFrame,
    table: str = "items",
    kinds: Mapping[str, Kind] | None = None,
    separators: Mapping[str, str] | None = None,
) -> list[Assumption]:
    """Return what is assumed of the columns of text that are read as lists, or as numbers in more than plain digits.

    Args:
        frame: a catalogue as it was read.
        table: what to call it.
        kinds: of columns, where they are known; those of the rest are guessed.
        separators: by column, see :func:`poise.data.schema.column_types.normalise`.
    """
    texts = frame.select(name for name, dtype in frame.schema.items() if dtype == pl.String)
    of = {**guess(texts), **(kinds or {})}
    found = []
    for column in texts.get_columns():
        cells = decode_entities(column.filter(filled(column)).head(_SAMPLE))
        sign = (separators or {}).get(column.name)
        if of[column.name] == "categories" and len(cells):
            found.append(_of_lists(table, cells, sign))
        elif of[column.name] == "number" and cells.cast(pl.Float64, strict=False).null_count():
            found.append(_of_numbers(table, cells, sign))
    return found


def _of_lists(table: str, cells: pl.Series, separator: str | None) -> Assumption:
    sign = separator or separator_of(cells)
    how = "lists in brackets" if sign == BRACKETS else f"labels parted by {sign!r}"
    several = cells if sign == BRACKETS else cells.filter(cells.str.contains(sign, literal=True))
    examples = _examples(several if len(several) else cells)
    read = [", ".join(map(repr, cell or ())) or "nothing" for cell in labels(examples, sign).to_list()]
    pairs = tuple(zip(map(_short, examples), map(_short, read), strict=True))
    return Assumption(table, cells.name, "categories", "" if sign == BRACKETS else sign, how, pairs)


def _of_numbers(table: str, cells: pl.Series, separator: str | None) -> Assumption:
    sign = separator or decimal_sign(cells)
    part = {",": "a comma", ".": "a point", None: "a comma in some cells and a point in others"}[sign]
    read = pl.DataFrame({"cell": cells, "number": to_numbers(cells, separator)}).unique("cell", maintain_order=True)
    odd = read.filter(pl.col("cell").cast(pl.Float64, strict=False).is_null()).head(_EXAMPLES)
    pairs = tuple((_short(cell), "nothing" if number is None else f"{number:.10g}") for cell, number in odd.iter_rows())
    return Assumption(table, cells.name, "number", sign or "", f"numbers whose decimals begin with {part}", pairs)


def _examples(cells: pl.Series) -> pl.Series:
    return cells.unique(maintain_order=True).head(_EXAMPLES)


def _short(cell: str) -> str:
    line = " ".join(cell.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
