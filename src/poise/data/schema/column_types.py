"""What the columns of a catalogue hold, and how each kind is kept."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Literal, get_args

import polars as pl

from poise.data.schema.json_columns import SEPARATORS, text
from poise.data.schema.numbers import parse_numbers
from poise.errors import DataError, UsageError, suggest

Kind = Literal["text", "category", "categories", "number", "image"]
"""What a catalogue column holds: words to read, one label, a list of labels, a number, the path of an image."""

_SAMPLE = 5_000
_FIELDS = 100  # of an object, at most, to be taken for columns
_MISSING = (
    *(
        "",
        "na",
        "n/a",
        "nan",
        "null",
        "none",
        "nil",
        "-",
        "\\n",
        "unknown",
        "<na>",
        "nat",
        "(null)",
        "#n/a",
        "undefined",
    ),
    *("-nan", "#null!", "#ref!", "#value!"),
)
_IMAGE = r"(?i)\.(?:jpe?g|png|webp|gif|bmp|tiff?|avif)(?:\?.*)?$"
_TEXT_NAMES = re.compile(
    r"(^|[_ .])(title|name|headline|description|summary|plot|overview|text|abstract|body|content)s?$", re.I
)
_LIST_NAMES = re.compile(
    r"(^|[_ .])(genres|categories|tags|keywords|cast|actors|authors|topics|labels|features)$", re.I
)
_CODE_NAMES = re.compile(r"(^|[_ .])(id|ids|code|zip|zipcode|postcode|sku|asin|isbn|ean|phone)$|[a-z](Id|ID|Code)$")


def guess(frame: pl.DataFrame) -> dict[str, Kind]:
    """Guess what each column holds, by its name and its first 5,000 values.

    Args:
        frame: a catalogue, without the column of ids.

    Returns:
        by column ``text`` (words to read), ``category`` (one label), ``categories`` (a list, or labels parted by one of
        ``| ; ,``), ``number`` or ``image`` (paths or addresses of pictures).
    """
    return {column.name: _guess(column) for column in frame.get_columns() if not _is_vector(column)}


def flatten(frame: pl.DataFrame) -> pl.DataFrame:
    """Make a column of each field of columns that hold objects: ``labels.brand`` and ``labels.colour`` of ``labels``.

    Objects with so many different fields that these must be data, not names of columns, stay as they are.
    """
    while structs := [name for name, dtype in frame.schema.items() if _is_small_object(dtype)]:
        for name in structs:
            fields = [f"{name}.{field}" for field in frame[name].struct.fields]
            if taken := set(fields) & set(frame.columns):
                raise DataError(f"there are two columns {min(taken)!r}: one of that name, and one inside {name!r}")
            frame = frame.with_columns(pl.col(name).struct.rename_fields(fields)).unnest(name)
    return frame


def normalise(
    frame: pl.DataFrame, given: Mapping[str, Kind], table: str = "items"
) -> tuple[pl.DataFrame, dict[str, Kind]]:
    """Bring each column into the form of its kind.

    Args:
        frame: a catalogue, without the column of ids.
        given: kinds of some columns; those of the rest are guessed.
        table: what to call the frame in errors.

    Returns:
        the frame with text, category and image as String, categories as List(String), number as Float64, and the kinds.
        A cell that holds text where a number is due is null.

    Raises:
        UsageError: a kind was given to a column that is not there, or is no kind.
        DataError: a column was said to hold numbers, and most of it is text.
    """
    for name, kind in given.items():
        if name not in frame.columns:
            raise UsageError(
                f"the {table} have no column {name!r} to be of kind {kind!r}.{suggest(name, frame.columns)}"
            )
        if kind not in get_args(Kind):
            raise UsageError(f"{name!r} has the kind {kind!r}; choose from {', '.join(get_args(Kind))}")
    vectors = [column.name for column in frame.get_columns() if _is_vector(column)]
    if vectors:
        warnings.warn(
            f"the {table} hold vectors in {', '.join(vectors)}, which are left out: give them to Dataset.with_vectors",
            stacklevel=4,
        )
    frame = frame.drop(vectors)
    kinds = {**guess(frame), **given}
    return pl.DataFrame([_as_kind(column, kinds[column.name], table) for column in frame.get_columns()]), kinds


def to_numbers(column: pl.Series) -> pl.Series:
    """Return ``column`` as Float64, null where it is not a number; text as :func:`parse_numbers` reads it."""
    if column.dtype == pl.String:
        return parse_numbers(column)
    if isinstance(column.dtype, pl.Categorical | pl.Enum):
        column = column.cast(pl.String)
    elif column.dtype.is_temporal():
        column = column.to_physical()
    elif column.dtype.is_nested():
        return pl.Series(column.name, [None] * len(column), dtype=pl.Float64)
    return column.cast(pl.Float64, strict=False).fill_nan(None)


def filled(column: pl.Series) -> pl.Series:
    """Tell for each cell whether it holds something: not null, and none of the words that mean nothing, such as NA."""
    if column.dtype.is_float():
        return column.is_not_null() & column.is_not_nan().fill_null(False)
    if column.dtype != pl.String:
        return column.is_not_null()
    return column.is_not_null() & ~column.str.strip_chars().str.to_lowercase().is_in(_MISSING).fill_null(True)


def _guess(column: pl.Series) -> Kind:
    dtype = column.dtype
    if isinstance(dtype, pl.List | pl.Array):
        return "text" if _TEXT_NAMES.search(column.name) else "categories"
    if isinstance(dtype, pl.Categorical | pl.Enum | pl.Boolean):
        return "category"
    if dtype.is_temporal() or dtype.is_numeric():
        return "category" if _CODE_NAMES.search(column.name) else "number"
    if dtype != pl.String:
        return "text"
    values = column.filter(filled(column)).head(_SAMPLE)
    if not len(values):
        return "category"
    if values.str.contains(_IMAGE).mean() >= 0.8:  # type: ignore[operator]
        return "image"
    if _TEXT_NAMES.search(column.name):
        return "text"
    if _numeric(values):
        return "category" if _CODE_NAMES.search(column.name) else "number"
    if _separator(values) is not None:
        return "categories"
    words = values.str.count_matches(r"\S+")
    repeated = values.n_unique() < 0.5 * len(values)
    return "text" if words.mean() >= (4 if repeated else 2) else "category"  # type: ignore[operator]


def _numeric(values: pl.Series) -> bool:
    """Tell whether nearly all of ``values`` are numbers, and none a code such as 007."""
    if values.str.contains(r"^\s*[+-]?0\d").any():
        return False
    return bool(to_numbers(values).is_not_null().mean() >= 0.95)  # type: ignore[operator]


def _separator(values: pl.Series) -> str | None:
    """Return the sign that parts the labels in a column of lists, None if it is no such column.

    Labels come again and are short; the parts of a sentence are not.
    """
    for separator in SEPARATORS:
        with_it = values.str.contains(separator, literal=True).mean()
        if with_it < (0.02 if _LIST_NAMES.search(values.name) else 0.1):  # type: ignore[operator]
            continue
        parts = values.str.split(separator).explode().str.strip_chars()
        parts = parts.filter(parts != "")
        if len(parts) and (_LIST_NAMES.search(values.name) or separator == "|"):
            return separator
        words = parts.str.count_matches(r"\S+").mean()
        if len(parts) and parts.n_unique() <= 0.6 * len(parts) and words <= 3:  # type: ignore[operator]
            return separator
    return None


def _is_small_object(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Struct) and 0 < len(dtype.fields) <= _FIELDS


def _is_vector(column: pl.Series) -> bool:
    inner = getattr(column.dtype, "inner", None)
    return inner is not None and inner.is_float()


def _as_kind(column: pl.Series, kind: Kind, table: str) -> pl.Series:
    if kind == "number":
        numbers = to_numbers(column)
        wrong = numbers.is_null() & filled(column)
        if wrong.sum() > len(column) / 2:
            raise DataError(
                f"the column {column.name!r} of the {table} is said to be a number, but holds "
                f"{column.filter(wrong)[0]!r}: give it another kind"
            )
        return numbers
    if kind == "categories":
        return _as_lists(column)
    words = _as_text(column)
    return words if kind == "text" else words.set(~filled(words), None)


def _as_lists(column: pl.Series) -> pl.Series:
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    if isinstance(column.dtype, pl.List):
        if column.dtype.inner.is_nested():
            lists = [value and [text(part) for part in value] for value in column.to_list()]
            return pl.Series(column.name, lists, dtype=pl.List(pl.String))
        return column.cast(pl.List(pl.String))
    words = _as_text(column)
    words = words.set(~filled(words), None)
    separator = _separator(words.drop_nulls().head(_SAMPLE)) or next(
        (sign for sign in SEPARATORS if words.str.contains(sign, literal=True).any()), "|"
    )
    parts = words.to_frame().select(
        pl.col(words.name)
        .str.split(separator)
        .list.eval(pl.element().str.strip_chars().filter(pl.element().str.strip_chars() != ""))
    )
    return parts.to_series()


def _as_text(column: pl.Series) -> pl.Series:
    if isinstance(column.dtype, pl.List) and column.dtype.inner == pl.String:
        return column.list.join(" ")  # RecBole has text as lists of words
    if column.dtype.is_nested() or column.dtype == pl.Object:
        return pl.Series(
            column.name, [None if value is None else text(value) for value in column.to_list()], dtype=pl.String
        )
    if column.dtype.is_float() and (column.drop_nans().drop_nulls() % 1 == 0).all():
        column = column.fill_nan(None).cast(pl.Int64, strict=False)
    return column.cast(pl.String)
