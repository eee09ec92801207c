"""Frames as they come, of files or of memory, to frames of plain types with a name for each column."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

import polars as pl

from poise.data.ingest.encodings import SPOILT
from poise.data.ingest.ids import binary_as_text
from poise.data.schema.id_form import BLANKS
from poise.errors import DataError, UsageError, listed

SPOILT_CELLS = "_spoilt"
"""The column that names, for each row, the columns in which bytes could not be read; null where all could."""

_NAMELESS = re.compile(r"(Unnamed: ?\d+(_level_\d+|\.\d+)*|__index_level_\d+__|_duplicated_\d+)?", re.I)
_ROW_NUMBERS = ("index", "level_0", "x", "row_names", "rownames", "rowname", "row_id", "rowid", "row")
_EXACT = 2.0**53


def tidy(frame: pl.DataFrame, where: str, notes: list[str]) -> pl.DataFrame:
    """Leave out columns without a name, which are an index, and give the others plain types.

    Bytes become text, sixteen bytes a UUID, decimals numbers; blanks around names of columns go.

    Args:
        frame: as it was read.
        where: what to call it in notes.
        notes: takes a line about each column that is left out.
    """
    nameless = [name for name in frame.columns if _NAMELESS.fullmatch(name.strip(BLANKS))]
    if nameless:
        which = "a column without a name" if len(nameless) == 1 else f"{len(nameless)} columns without a name"
        notes.append(f"{which} (an index) of {where} left out")
    left = frame.drop(nameless)
    if not left.width:
        raise DataError(f"{where} has no column with a name")
    names = {name: name.strip(BLANKS) for name in left.columns if name != name.strip(BLANKS)}
    if names and not set(names.values()) & set(left.columns) and len(set(names.values())) == len(names):
        left = left.rename(names)
    left = _without_repeats(left, where, notes)
    plain = [_plain(column) for column in left.get_columns() if _is_odd(column.dtype)]
    return left.with_columns(plain) if plain else left


def mark_spoilt(table: pl.DataFrame) -> pl.DataFrame:
    """Replace what could not be read by U+FFFD, and name the columns in which it was in the column ``_spoilt``."""
    table = table.rename({name: name.replace(SPOILT, "\ufffd") for name in table.columns if SPOILT in name})
    words = [name for name, dtype in table.schema.items() if dtype == pl.String]
    hits = [
        pl.when(pl.col(name).str.contains(SPOILT, literal=True).fill_null(False)).then(pl.lit(name)) for name in words
    ]
    found = table.select(pl.concat_list(hits).list.drop_nulls().alias(SPOILT_CELLS))
    found = found.select(pl.when(pl.col(SPOILT_CELLS).list.len() > 0).then(pl.col(SPOILT_CELLS)))
    mended = table.with_columns(pl.col(words).str.replace_all(SPOILT, "\ufffd", literal=True))
    return mended.with_columns(found.to_series().alias(SPOILT_CELLS))


def alike(frames: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    """Give columns of one name in several frames types that go together, so that no number loses a digit.

    Whole numbers that are floats, as a column with gaps has them, are whole numbers where another frame has these, and
    ``7``, not ``7.0``, where another has text.
    """
    types: dict[str, set[pl.DataType]] = {}
    for frame in frames:
        for name, dtype in frame.schema.items():
            types.setdefault(name, set()).add(dtype)
    mixed = {name for name, found in types.items() if len(found) > 1 or found == {pl.String()}}
    return [
        frame.with_columns(_alike(frame[name], types[name]) for name in frame.columns if name in mixed)
        for frame in frames
    ]


def _alike(column: pl.Series, types: set[pl.DataType]) -> pl.Series:
    if column.dtype == pl.String:
        return _without_zero_fractions(column) if len(types) == 1 else column
    if column.dtype == pl.Null or any(dtype.is_nested() for dtype in types):
        return column
    if column.dtype.is_float() and _is_whole(column):
        column = column.fill_nan(None).cast(pl.Int64)
    if pl.String() in types or not all(dtype.is_numeric() or dtype == pl.Null for dtype in types):
        return column.cast(pl.String)
    if any(dtype == pl.UInt64 for dtype in types) and column.dtype.is_integer():
        return column.cast(pl.Int128)
    if column.dtype.is_float() and any(dtype.is_integer() for dtype in types):
        return column  # with fractions: amounts, not ids
    return column


def _without_zero_fractions(column: pl.Series) -> pl.Series:
    """Return text of which all are numbers such as ``7.0`` as ``7``: the whole numbers of a column with gaps."""
    first = column.drop_nulls().head(1)
    if not len(first) or not first.str.contains(r"^\d+\.0$").all():
        return column
    numbers = column.drop_nulls()
    return column.str.replace(r"\.0$", "") if numbers.str.contains(r"^\d+\.0$").all() else column


def _is_whole(column: pl.Series) -> bool:
    numbers = column.fill_nan(None).drop_nulls()
    return bool(len(numbers)) and bool((numbers % 1 == 0).all()) and bool((numbers.abs() < _EXACT).all())


def to_polars(frame: Any, table: str, notes: list[str] | None = None) -> pl.DataFrame:
    """Return a polars or pandas frame as a polars frame, its index a column where it has a name.

    Args:
        frame: polars, eager or lazy, or pandas.
        table: what it holds, for errors.
        notes: takes a line about each column that is left out.

    Raises:
        UsageError: it is neither.
        DataError: two columns have one name.
    """
    notes = [] if notes is None else notes
    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    if isinstance(frame, pl.DataFrame):
        return tidy(frame, f"the {table}", notes)
    if type(frame).__module__.split(".")[0] == "pandas" and hasattr(frame, "columns"):
        return tidy(_from_pandas(frame, table), f"the {table}", notes)
    raise UsageError(
        f"the {table} are a {type(frame).__name__}; give a polars or pandas frame, or read files with load_files"
    )


def _from_pandas(frame: Any, table: str) -> pl.DataFrame:
    if any(name is not None for name in frame.index.names):
        kept = [name for name in frame.index.names if name is not None and name not in frame.columns]
        dropped = [level for level, name in enumerate(frame.index.names) if name not in kept]
        if kept:
            frame = frame.reset_index(level=dropped, drop=True) if dropped else frame
            frame = frame.reset_index()
    names = [".".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in frame.columns]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(
            f"the {table} have two columns of the name {listed(twice)}; give one another name, or leave it out"
        )
    columns = []
    for position, name in enumerate(names):
        values = frame.iloc[:, position]
        try:
            columns.append(pl.Series(name, pl.from_pandas(values)))
        except Exception:  # pyarrow's errors: values of several types, or of one that has no column
            columns.append(pl.Series(name, [_object_as_text(value) for value in values.tolist()], dtype=pl.String))
    return pl.DataFrame(columns)


def _object_as_text(value: Any) -> str | None:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, bytes):
        return binary_as_text(pl.Series([value]))[0]  # type: ignore[no-any-return]
    if isinstance(value, float):
        return None if math.isnan(value) else str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, list | tuple | set | dict):
        return json.dumps(list(value) if isinstance(value, set) else value, ensure_ascii=False, default=str)
    return str(value)


def row_numbers(frame: pl.DataFrame) -> list[str]:
    """Return the columns that number the rows, as pandas and R write them: by their name, and counting from 0 or 1."""
    return [name for name in frame.columns if name.lower() in _ROW_NUMBERS and _numbers_rows(frame[name])]


def _numbers_rows(column: pl.Series) -> bool:
    """Tell whether a column numbers the rows, from 0 or from 1."""
    whole = column.cast(pl.Int64, strict=False) if column.dtype in (pl.String, pl.Int64, pl.UInt32, pl.Int32) else None
    if whole is None or not len(whole) or whole.null_count() or whole[0] not in (0, 1):
        return False
    return bool((whole.diff().drop_nulls() == 1).all())


def _without_repeats(frame: pl.DataFrame, where: str, notes: list[str]) -> pl.DataFrame:
    """Leave out columns that repeat one of the same name in all rows."""
    again = {name: re.sub(r"_duplicated_\d+$", "", name) for name in frame.columns if "_duplicated_" in name}
    same = [name for name, first in again.items() if first in frame.columns and frame[name].equals(frame[first])]
    if same:
        notes.append(f"{where} has the column {listed([again[name] for name in same])} twice, with the same in it")
    return frame.drop(same)


def _is_odd(dtype: pl.DataType) -> bool:
    return dtype in (pl.Binary, pl.Object, pl.Null, pl.Int128) or isinstance(dtype, pl.Decimal)


def _plain(column: pl.Series) -> pl.Series:
    dtype = column.dtype
    if dtype == pl.Binary:
        return binary_as_text(column)
    if dtype == pl.Object:
        return pl.Series(column.name, [_object_as_text(value) for value in column.to_list()], dtype=pl.String)
    if isinstance(dtype, pl.Decimal) and dtype.scale:
        return column.cast(pl.Float64)
    if dtype == pl.Null:
        return column.cast(pl.String)
    whole = column.cast(pl.Int64, strict=False)
    return whole if whole.null_count() == column.null_count() else column.cast(pl.String)
