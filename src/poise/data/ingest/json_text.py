"""JSON: a list of objects, or an object a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from poise.data.ingest.delimited import UNREADABLE, mostly_readable
from poise.errors import DataError

_EXACT = 2**53  # up to which floats hold every whole number


def read_json_lines(content: bytes, path: Path) -> pl.DataFrame:
    """Read an object a line; a line that is none is kept in the column ``_unreadable``.

    Raises:
        DataError: most lines are none.
    """
    try:
        table = pl.read_ndjson(content, infer_schema_length=None)
    except pl.exceptions.PolarsError:
        pass
    else:
        if not _lost_digits(table):
            return table
    records: list[dict[str, Any]] = []
    unreadable: list[str | None] = []
    lines = [line for line in content.decode().split("\n") if line.strip()]
    try:  # one object over several lines is no table of lines, but may be said so
        if isinstance(json.loads(content), dict) and len(lines) > 1:
            raise DataError(f"{path} holds one JSON object; a list of objects, or one object a line, is needed")
    except ValueError:
        pass
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        readable = isinstance(record, dict)
        records.append(record if readable else {})
        unreadable.append(None if readable else line[:500])
    mostly_readable(unreadable, path, "are not JSON objects")
    table = _from_records(records, path)
    return table.with_columns(pl.Series(UNREADABLE, unreadable, dtype=pl.String)) if any(unreadable) else table


def read_json_array(content: bytes, path: Path) -> pl.DataFrame:
    """Read a list of objects.

    Raises:
        DataError: it is none, or empty.
    """
    try:
        records = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON ({error}); it was cut short or damaged") from error
    if not records:
        raise DataError(f"{path} holds no rows: its list is empty")
    if not all(isinstance(record, dict) for record in records):
        raise DataError(f"{path} holds a JSON list, but not of objects; write [{{...}}, {{...}}]")
    return _from_records(records, path)


def _lost_digits(table: pl.DataFrame) -> bool:
    """Tell whether whole numbers were read as floats that do not hold all their digits."""
    floats = [column for column in table.get_columns() if column.dtype == pl.Float64]
    return any((column.abs().max() or 0.0) >= _EXACT for column in floats)  # type: ignore[operator]


def _from_records(records: list[dict[str, Any]], path: Path) -> pl.DataFrame:
    columns = list(dict.fromkeys(key for record in records for key in record))
    series = []
    for column in columns:
        values = [record.get(column) for record in records]
        try:
            series.append(pl.Series(column, _of_one_type(values), strict=False))
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
            reason = str(error).splitlines()[0][:200]
            raise DataError(f"{path}: the column {column[:40]!r} holds what is no table ({reason})") from error
    return pl.DataFrame(series)


def _of_one_type(values: list[Any]) -> list[Any]:
    """Return values of which all are text if they are not all numbers, or all of another type; NaN becomes null."""
    values = [None if isinstance(value, float) and value != value else value for value in values]  # noqa: PLR0124
    types = {type(value) for value in values if value is not None}
    if types == {int, float} and any(abs(value) >= _EXACT for value in values if isinstance(value, int)):
        if all(value.is_integer() for value in values if isinstance(value, float)):
            values = [int(value) if isinstance(value, float) else value for value in values]
            types = {int}
        else:
            return [_as_text(value) for value in values]
    if types == {int} and any(abs(value) >= 2**63 for value in values if value is not None):
        return [None if value is None else str(value) for value in values]
    if len(types) > 1 and not types <= {int, float}:
        return [_as_text(value) for value in values]
    return values


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
