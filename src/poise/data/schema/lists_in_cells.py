"""Lists in the cells of a column of text, in every notation in use: which one a column has, and its labels."""

from __future__ import annotations

import ast
import csv
import json
import re
from collections.abc import Sequence
from html import unescape
from typing import Any

import polars as pl

from poise.data.schema.json_columns import text

BRACKETS = "[]"
"""The notation of lists in brackets: JSON, Python, NumPy, PostgreSQL's ``{a,b}``, alone or of objects with a name."""

SIGNS = ("|", "｜", ";", "；", "、", "，", ",", ">", "/")
"""The signs that part labels, in the order in which they are looked for."""

LIST_NAMES = re.compile(
    r"(^|[_ .])(genres?|categories|tags?|keywords|cast|actors|authors|artists|topics|labels|features|colou?rs|sizes)$",
    re.I,
)
_PEOPLE = re.compile(r"author|cast|actor|artist|director|name|maker|brand|publisher|company", re.I)
_SURE = "|｜、"  # hardly ever part of a label
_NAMES_OF_OBJECTS = ("name", "title", "label", "value", "tag", "genre", "category", "text", "term", "slug", "key", "id")
_IN_BRACKETS = r"(?s)^\s*(?:\[.*\]|\(.*\)|\{.*\}|(?:set|frozenset|array|list|tuple)\(.*\))\s*$"
_MOSTLY = 0.95
_WORDS = 3.0  # of a label, on average, at most
_FIELDS = 100  # of an object, at most, to be taken for columns


def notation(values: pl.Series) -> str | None:
    """Return how the cells of a column hold lists: ``BRACKETS``, or the sign between labels; None if they hold none.

    Labels come again, in other company and at other places, and are short: the parts of a sentence are not, nor are
    those of ``Acme, Inc.`` or of a place and its country.

    Args:
        values: String, the filled cells, with entities decoded.
    """
    distinct = values.unique(maintain_order=True)
    if not len(distinct):
        return None
    if distinct.str.contains(_IN_BRACKETS).mean() >= _MOSTLY:  # type: ignore[operator]
        parsed = [parse_cell(cell) for cell in distinct.head(500)]
        return BRACKETS if sum(cell is not None for cell in parsed) >= _MOSTLY * len(parsed) else None
    return next((sign for sign in SIGNS if _parts_labels(values, distinct, sign)), None)


def labels(column: pl.Series, how: str) -> pl.Series:
    """Return the labels of each cell, List(String); null for a missing cell.

    Args:
        column: String, with entities decoded.
        how: ``BRACKETS`` or the sign between labels.
    """
    if how == BRACKETS:
        distinct = column.unique().drop_nulls()
        lists = [_labels_of(cell) for cell in distinct.to_list()]
        known = pl.DataFrame({"cell": distinct, "labels": pl.Series(lists, dtype=pl.List(pl.String))})
        joined = column.to_frame("cell").join(known, on="cell", how="left", maintain_order="left")
        return joined["labels"].rename(column.name)
    stripped = pl.element().str.strip_chars()
    parts = pl.col(column.name).str.split(how).list.eval(stripped.filter(stripped != ""))
    return column.to_frame().select(parts).to_series()


def parse_cell(cell: str) -> Any:
    """Return what a cell in brackets holds, a list or an object; None if it cannot be read."""
    cell = re.sub(
        r"^\s*(?:set|frozenset|array|list|tuple)\((.*?)(?:,\s*dtype=\w+)?\)\s*$", r"\1", cell.strip(), flags=re.S
    )
    if not cell:
        return []
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        pass
    if re.search(r"""['"]\s+['"]""", cell) and "," not in re.sub(
        r"'[^']*'|\"[^\"]*\"", "", cell
    ):  # NumPy has no commas
        cell = re.sub(r"""(['"])\s+(['"])""", r"\1, \2", cell)
    try:
        value = ast.literal_eval(re.sub(r"\bnan\b", "None", cell))
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return _bare(cell)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return list(value) if isinstance(value, tuple) else value if isinstance(value, list | dict) else [value]


def objects(column: pl.Series) -> dict[str, list[Any]] | None:
    """Return the fields of a column whose cells are JSON or Python objects with the same fields; None if they are not.

    Objects whose fields are data, as numbers by tag, are none: see :func:`notation`.
    """
    distinct = column.unique().drop_nulls()
    distinct = distinct.filter(~distinct.str.strip_chars().str.to_lowercase().is_in(["", "null", "none", "nan", "{}"]))
    if not len(distinct) or not distinct.str.contains(r"(?s)^\s*\{.*[:].*\}\s*$").all():
        return None
    parsed = {cell: parse_cell(cell) for cell in distinct.to_list()}
    if not all(isinstance(value, dict) for value in parsed.values()):
        return None
    keys = list(dict.fromkeys(str(key) for value in parsed.values() for key in value))
    often = max(sum(key in value for value in parsed.values()) for key in keys) if keys else 0
    if not 0 < len(keys) <= _FIELDS or often < 0.5 * len(parsed) or _are_weights(parsed.values(), keys):
        return None
    rows = [parsed.get(cell) for cell in column.to_list()]
    return {key: [None if row is None else row.get(key) for row in rows] for key in keys}


def decode_entities(column: pl.Series) -> pl.Series:
    """Return text with ``&amp;`` and other entities of HTML as the signs that they stand for."""
    encoded = column.str.contains(r"&(?:#\d+|#x[0-9a-fA-F]+|\w+);").fill_null(False)
    if not encoded.any():
        return column
    distinct = column.filter(encoded).unique()
    return column.replace(distinct, [unescape(unescape(cell)) for cell in distinct.to_list()])


def label_of(value: Any) -> str | None:
    """Return the label that a value in a list is: an object's name, else the value as text; None for nothing."""
    if isinstance(value, dict):
        lower = {str(key).lower(): entry for key, entry in value.items()}
        named = next((lower[name] for name in _NAMES_OF_OBJECTS if lower.get(name) not in (None, "")), None)
        words = next((entry for entry in value.values() if isinstance(entry, str) and entry), None)
        return text(named if named is not None else words if words is not None else value)
    return None if value is None or value == "" else text(value).strip()


def _labels_of(cell: str) -> list[str] | None:
    value = parse_cell(cell)
    if value is None:
        return None
    if isinstance(value, dict):
        keys = list(value)
        value = keys if _are_weights([value], [*map(str, keys), ""]) else [value] if keys else []
    flat = [part for entry in value for part in (entry if isinstance(entry, list | tuple) else [entry])]
    return list(dict.fromkeys(label for entry in flat if (label := label_of(entry))))


def _are_weights(values: Any, keys: Sequence[str]) -> bool:
    """Tell whether the fields of objects are labels with a number each, such as how many people gave a tag."""
    some = [value for value in values if value]
    numbers = all(isinstance(entry, int | float) and not isinstance(entry, bool) for v in some for entry in v.values())
    shared = some and all(set(map(str, value)) == set(map(str, some[0])) for value in some)
    return bool(some) and numbers and not (shared and len(some) > 1) and len(keys) > 1


def _bare(cell: str) -> list[str] | None:
    """Read labels without quotes, as PostgreSQL, Java and Spark write them: ``{a,"b c"}``, ``[a, b]``."""
    if not re.fullmatch(r"[\[({].*[\])}]", cell, flags=re.S) or re.search(r"[\[({]", cell[1:-1]):
        return None
    parts = next(csv.reader([cell[1:-1].replace("\n", " ")], skipinitialspace=True), [])
    return [part.strip().strip("'") for part in parts if part.strip() not in ("", "NULL")]


def _parts_labels(values: pl.Series, distinct: pl.Series, sign: str) -> bool:
    with_sign = values.str.contains(sign, literal=True)
    share, is_named = float(with_sign.mean()), bool(LIST_NAMES.search(values.name))  # type: ignore[arg-type]
    if sign == ">" and values.str.contains(r"</?[a-zA-Z]").any():  # marks of HTML
        return False
    if share < (0.005 if sign in _SURE else 0.02 if is_named else 0.1 if sign != ";" else 0.05):
        return False
    parts = values.str.split(sign).explode().str.strip_chars()
    parts = parts.filter(parts != "")
    if not len(parts):
        return False
    words, again = float(parts.str.count_matches(r"\S+").mean()), parts.n_unique() <= 0.6 * len(parts)  # type: ignore[arg-type]
    if sign in _SURE:
        return is_named or sign == "|" or (again and words <= _WORDS)
    if sign in ">/" and not is_named and parts.str.contains(r"^[\d.,:]*$").mean() > 0.5:  # type: ignore[operator]
        return False
    if sign == ">":
        return again and words <= 4
    if sign in ";；":
        return is_named or (again and words <= _WORDS)
    if is_named and not _PEOPLE.search(values.name) and sign != "/":
        return True
    return (again or is_named) and words <= _WORDS and _mingle(distinct, sign)


def _mingle(distinct: pl.Series, sign: str) -> bool:
    """Tell whether parts stand first in some cells and later, or alone, in others, as labels do."""
    split = distinct.str.split(sign).list.eval(pl.element().str.strip_chars())
    first = set(split.list.first())
    later = set(split.list.slice(1).explode().drop_nulls()) - {""}
    return bool(later) and len(first & later) >= max(1, 0.1 * min(len(first), len(later)))
