"""JSON values to columns and labels, the same wherever they come from; a value that does not fit becomes null."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from poise.data.schema.numbers import parse_numbers

SEPARATORS = "|;,"
"""The signs that part the labels of a text, in the order in which they are looked for."""

_LABELS = pl.List(pl.String)
_INTEGERS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)
KNOWN: dict[str, Any] = {
    str(dtype): dtype for dtype in (pl.String, pl.Boolean, pl.Float32, pl.Float64, _LABELS, *_INTEGERS)
}
"""The column types that the store knows, by name."""


def frame(rows: Sequence[Mapping[str, Any] | None], remembered: Mapping[str, str]) -> pl.DataFrame:
    """Make columns of JSON objects.

    Args:
        rows: an object each, or None.
        remembered: the name of the type, of ``KNOWN``, by column; these come first. The type of any other column is
            that of its values: Boolean, Float64, List(String), else String.
    """
    new: dict[str, None] = {}
    for row in rows:
        if row is not None and not row.keys() <= remembered.keys():
            new.update(dict.fromkeys(name for name in row if name not in remembered))
    columns = []
    for name in (*remembered, *new):
        values = [None if row is None else row.get(name) for row in rows]
        columns.append(column(name, values, KNOWN[remembered[name]] if name in remembered else _common(values)))
    return pl.DataFrame(columns)


def column(name: str, values: Sequence[Any], dtype: Any) -> pl.Series:
    """Make a column of JSON values, null where one does not fit.

    Args:
        name: of the column.
        values: JSON values, one a row.
        dtype: one of ``KNOWN``.
    """
    if dtype == pl.String:
        fit: Any = text
    elif dtype == pl.Boolean:
        fit = _truth
    elif dtype == _LABELS:
        fit = labels
    elif dtype in _INTEGERS:
        fit = _integer
    else:
        fit = _number
    if fit is _number and any(isinstance(value, str) for value in values):
        texts = [value if isinstance(value, str) else None for value in values]
        read = parse_numbers(pl.Series(name, texts, dtype=pl.String)).to_list()
        values = [number if isinstance(value, str) else value for value, number in zip(values, read, strict=True)]
    whole = pl.Int64 if fit is _integer else dtype
    return pl.Series(name, [None if value is None else fit(value) for value in values], dtype=whole).cast(
        dtype, strict=False
    )


def text(value: Any) -> str:
    """Write a value as the columns of a catalogue are read: true and 3, not True and 3.0; words of a list in a row."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return " ".join(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def labels(value: Any) -> list[str | None]:
    """Return the labels of a list, or those that text parts by the first of ``| ; ,`` that it holds."""
    if isinstance(value, str):
        sign = next((sign for sign in SEPARATORS if sign in value), "|")
        return [part for part in (part.strip() for part in value.split(sign)) if part]
    return [None if part is None else text(part) for part in (value if isinstance(value, list) else [value])]


def _common(values: Sequence[Any]) -> Any:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pl.Boolean
    if kinds and kinds <= {int, float}:
        return pl.Float64
    return _LABELS if kinds == {list} else pl.String


def _truth(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    if not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _integer(value: Any) -> int | None:
    number = value if isinstance(value, int) else _number(value)
    return int(number) if number is not None and number == int(number) and abs(number) < 2**63 else None
