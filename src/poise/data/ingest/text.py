"""Tables that are text: delimited, JSON, RecBole atomic files, MovieLens ``::`` files."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from poise.errors import DataError

UNREADABLE = "_unreadable"
"""The column that keeps, as it stood in the file, each line that could not be read."""

_DELIMITERS = "\t,;|"
_RECBOLE = re.compile(r"^[^\t:]+:(token|token_seq|float|float_seq)$")
_MOVIELENS = {
    ("ratings", 4): ("user_id", "item_id", "rating", "timestamp"),
    ("movies", 3): ("item_id", "title", "genres"),
    ("users", 5): ("user_id", "gender", "age", "occupation", "zip_code"),
    ("users", 2): ("user_id", "twitter_id"),
}


def parse_text(content: bytes, path: Path, names: Sequence[str] | None) -> pl.DataFrame:
    """Parse the UTF-8 text ``content`` of the file ``path``; see :func:`poise.data.ingest.read.read_table`."""
    first = content[:65_536].decode(errors="ignore")
    if first.lstrip()[:1] in ("{", "[") and names is None:
        return _json_array(content, path) if first.lstrip()[0] == "[" else _json_lines(content, path)
    if {".json", ".jsonl", ".ndjson"} & {suffix.lower() for suffix in path.suffixes}:
        raise DataError(f"{path} is not JSON, though its name says so: it begins with {first.split(chr(10))[0][:40]!r}")
    header = first.splitlines()[0]
    if all(_RECBOLE.match(field) for field in header.split("\t")):
        return _recbole(content, path)
    if "::" in header:
        return _movielens(content, path, names)
    lines = first.splitlines()[:50]
    if names is None and _holds_sequences(lines):
        return _sequences(content)
    delimiter = _sniff(lines)
    return _delimited(content, path, delimiter, names)


def _sniff(lines: list[str]) -> str:
    """Return the delimiter that parts the most lines into as many fields as the first, else a blank, else a comma."""
    best, best_agreement = ",", 0.0
    whole = lines if len(lines) < 50 else lines[:-1]  # the last one may be cut
    for delimiter in _DELIMITERS:
        counts = [len(row) for row in csv.reader(whole, delimiter=delimiter) if row]
        if counts and counts[0] > 1:
            agreement = sum(count == counts[0] for count in counts) / len(counts)
            if agreement > best_agreement:
                best, best_agreement = delimiter, agreement
    if not best_agreement and len({len(line.split(" ")) for line in whole}) == 1 and " " in whole[0]:
        return " "
    return best


def _holds_sequences(lines: list[str]) -> bool:
    """Tell whether each line is a user and what they did in order, ``user item item ...``, as S3-Rec has it."""
    whole = [line.split(" ") for line in (lines if len(lines) < 50 else lines[:-1]) if line]
    return (
        not any(delimiter in line for line in lines for delimiter in _DELIMITERS)
        and all(len(row) > 1 and "" not in row and any(sign.isdigit() for sign in row[0]) for row in whole)
        and len({len(row) for row in whole}) > 1
        and len({row[0] for row in whole}) == len(whole)
    )


def _sequences(content: bytes) -> pl.DataFrame:
    table = pl.DataFrame({"row": _lines(content)}).select(pl.col("row").str.split(" "))
    parts = table.select(user_id=pl.col("row").list.first(), item_id=pl.col("row").list.slice(1))
    return parts.explode("item_id")


def _delimited(
    content: bytes, path: Path, delimiter: str, names: Sequence[str] | None, quote: str | None = '"'
) -> pl.DataFrame:
    try:
        table = pl.read_csv(
            content, separator=delimiter, has_header=names is None, infer_schema=False, quote_char=quote
        )
    except pl.exceptions.PolarsError:
        return _line_by_line(content, path, delimiter, names, quote)
    if names is None:
        return table
    if table.width != len(names):
        raise DataError(f"{path} has {table.width} columns, but {len(names)} names were given: {', '.join(names)}")
    return table.rename(dict(zip(table.columns, names, strict=True)))


def _line_by_line(
    content: bytes, path: Path, delimiter: str, names: Sequence[str] | None, quote: str | None
) -> pl.DataFrame:
    """Read what can be read of a file with broken lines, and keep the others as they are."""
    lines = _lines(content)
    rows = (_fields(line, delimiter, quote) for line in lines)
    columns = list(names) if names is not None else next(rows)
    if names is None:
        lines = lines[1:]
    if len(set(columns)) < len(columns):
        raise DataError(f"{path}: a column name stands twice in the header {', '.join(columns)}")
    values: list[list[str | None]] = []
    unreadable: list[str | None] = []
    for line, row in zip(lines, rows, strict=True):
        whole = len(row) == len(columns)
        values.append([field or None for field in row] if whole else [None] * len(columns))
        unreadable.append(None if whole else line)
    _mostly_readable(unreadable, path, f"do not have the {len(columns)} fields of the header")
    table = pl.DataFrame(values, schema=dict.fromkeys(columns, pl.String), orient="row")
    return table.with_columns(pl.Series(UNREADABLE, unreadable, dtype=pl.String))


def _lines(content: bytes) -> list[str]:
    return [line for line in content.decode().replace("\r", "\n").split("\n") if line.strip()]


def _fields(line: str, delimiter: str, quote: str | None) -> list[str]:
    if quote is None:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error:  # a field without end
        return []


def _mostly_readable(unreadable: list[str | None], path: Path, what: str) -> None:
    broken = [line for line in unreadable if line is not None]
    if len(broken) > len(unreadable) / 2:
        raise DataError(
            f"{path} is not what it seems: {len(broken)} of {len(unreadable)} lines {what}, "
            f"for example {broken[0][:60]!r}"
        )


def _json_lines(content: bytes, path: Path) -> pl.DataFrame:
    try:
        return pl.read_ndjson(content, infer_schema_length=None)
    except pl.exceptions.PolarsError:
        pass
    records: list[dict[str, Any]] = []
    unreadable: list[str | None] = []
    lines = _lines(content)
    try:  # one object over several lines is no table of lines, but may be said so
        if isinstance(json.loads(content), dict) and len(lines) > 1:
            raise DataError(f"{path} holds one JSON object; a list of objects, or one object a line, is needed")
    except json.JSONDecodeError:
        pass
    for line in lines:
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            record = None
        readable = isinstance(record, dict)
        records.append(record if readable else {})
        unreadable.append(None if readable else line)
    _mostly_readable(unreadable, path, "are not JSON objects")
    table = _from_records(records, path)
    return table.with_columns(pl.Series(UNREADABLE, unreadable, dtype=pl.String)) if any(unreadable) else table


def _json_array(content: bytes, path: Path) -> pl.DataFrame:
    try:
        records = json.loads(content)
    except json.JSONDecodeError as error:
        raise DataError(f"{path} is not valid JSON ({error}); it was cut short or damaged") from error
    if not records:
        raise DataError(f"{path} holds no rows: its list is empty")
    if not all(isinstance(record, dict) for record in records):
        raise DataError(f"{path} holds a JSON list, but not of objects; write [{{...}}, {{...}}]")
    return _from_records(records, path)


def _from_records(records: list[dict[str, Any]], path: Path) -> pl.DataFrame:
    columns = list(dict.fromkeys(key for record in records for key in record))
    series = []
    for column in columns:
        values = [record.get(column) for record in records]
        types = {type(value) for value in values if value is not None}
        if len(types) > 1 and not types <= {int, float}:
            values = [_as_text(value) for value in values]
        try:
            series.append(pl.Series(column, values, strict=False))
        except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
            raise DataError(f"{path}: the column {column!r} holds what is no table ({error})") from error
    return pl.DataFrame(series)


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _recbole(content: bytes, path: Path) -> pl.DataFrame:
    table = _delimited(content, path, "\t", None, quote=None)
    kinds = {column: column.rsplit(":", 1) for column in table.columns if column != UNREADABLE}
    lists = [
        pl.col(column).str.strip_chars().str.split(" ").cast(pl.List(pl.Float64), strict=False)
        if kind == "float_seq"
        else pl.col(column).str.strip_chars().str.split(" ")
        for column, (name, kind) in kinds.items()
        if kind in ("token_seq", "float_seq")
    ]
    return table.with_columns(lists).rename({column: name for column, (name, _) in kinds.items()})


def _movielens(content: bytes, path: Path, names: Sequence[str] | None) -> pl.DataFrame:
    n_fields = content.split(b"\n", 1)[0].count(b"::") + 1
    stem = path.name.split(".")[0].lower()
    columns = names or _MOVIELENS.get((stem, n_fields))
    if columns is None:
        raise DataError(
            f"{path} has {n_fields} fields parted by '::' and no header: say what they are with "
            "names=['user_id', 'item_id', ...]"
        )
    return _delimited(content.replace(b"::", b"\x1f"), path, "\x1f", columns, quote=None)
