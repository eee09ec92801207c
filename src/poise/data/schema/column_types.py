"""What the columns of a catalogue hold, and how each kind is kept."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, get_args

import polars as pl

from poise.data.schema import lists_in_cells
from poise.data.schema.json_columns import text
from poise.data.schema.lists_in_cells import BRACKETS, SIGNS, decode_entities, label_of, notation, objects
from poise.data.schema.numbers import looks_like_list, parse_numbers
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
_NUMBER_NAMES = re.compile(
    r"price|preis|prix|precio|prezzo|cost|amount|rating|score|weight|value|lat|lon|lng|height|width|length|size|percent|rate"
    r"|цена|价格|価格|가격",
    re.I,
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


def flatten(frame: pl.DataFrame, keep: Collection[str] = ()) -> pl.DataFrame:
    """Make a column of each field of columns that hold objects: ``labels.brand`` and ``labels.colour`` of ``labels``.

    Objects with so many different fields that these must be data, not names of columns, stay as they are. Objects may
    be JSON in text.

    Args:
        frame: a catalogue.
        keep: columns of text that stay as they are.
    """
    for column in frame.get_columns():
        if column.dtype != pl.String or column.name in keep or (inside := objects(column)) is None:
            continue
        new = [_of_one_type(f"{column.name}.{field}", values) for field, values in inside.items()]
        if not {series.name for series in new} & set(frame.columns):
            frame = frame.drop(column.name).with_columns(new)
    while structs := [name for name, dtype in frame.schema.items() if _is_small_object(dtype)]:
        for name in structs:
            fields = [f"{name}.{field}" for field in frame[name].struct.fields]
            if taken := set(fields) & set(frame.columns):
                raise DataError(f"there are two columns {min(taken)!r}: one of that name, and one inside {name!r}")
            frame = frame.with_columns(pl.col(name).struct.rename_fields(fields)).unnest(name)
    return frame


def normalise(
    frame: pl.DataFrame,
    given: Mapping[str, Kind],
    table: str = "items",
    separators: Mapping[str, str] | None = None,
) -> tuple[pl.DataFrame, dict[str, Kind]]:
    """Bring each column into the form of its kind.

    Args:
        frame: a catalogue, without the column of ids.
        given: kinds of some columns; those of the rest are guessed.
        table: what to call the frame in errors.
        separators: by column, the sign between labels, or before decimals; told by the cells of the others.

    Returns:
        the frame with text, category and image as String, categories as List(String), number as Float64, and the kinds.
        A cell that holds text where a number is due is null.

    Raises:
        UsageError: a kind was given to a column that is not there, or is no kind.
        DataError: a column was said to hold numbers, and most of it is text.
    """
    for name in separators or ():
        if name not in frame.columns:
            raise UsageError(f"the {table} have no column {name!r} to take apart.{suggest(name, frame.columns)}")
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
    kinds, signs = guess(frame), separators or {}
    lists: dict[str, Kind] = {name: "categories" for name in signs if name in kinds and kinds[name] != "number"}
    kinds = {**kinds, **lists, **given}
    columns = [_as_kind(column, kinds[column.name], table, signs.get(column.name)) for column in frame.get_columns()]
    return pl.DataFrame(columns), kinds


def to_numbers(column: pl.Series, decimal: str | None = None) -> pl.Series:
    """Return ``column`` as Float64, null where it is not a number; text as :func:`parse_numbers` reads it."""
    if column.dtype == pl.String:
        return parse_numbers(column, decimal)
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
    values = decode_entities(column.filter(filled(column)).head(_SAMPLE))
    if not len(values):
        return "category"
    if values.str.contains(_IMAGE).mean() >= 0.8:  # type: ignore[operator]
        return "image"
    if _TEXT_NAMES.search(column.name):
        return "text"
    if _numeric(values):
        return "category" if _CODE_NAMES.search(column.name) else "number"
    if (how := notation(values)) is not None:
        numbers = lists_in_cells.labels(values, how).explode() if how == BRACKETS else None
        is_vector = numbers is not None and _mostly(numbers.str.contains(r"^-?\d+\.\d+$"))
        return "text" if is_vector else "categories"
    words = values.str.count_matches(r"\S+")
    repeated = values.n_unique() < 0.5 * len(values)
    return "text" if words.mean() >= (4 if repeated else 2) else "category"  # type: ignore[operator]


def _numeric(values: pl.Series) -> bool:
    """Tell whether nearly all of ``values`` are numbers, and none a code such as 007."""
    if values.str.contains(r"^\s*[+-]?0\d").any():
        return False
    if looks_like_list(values) and not _NUMBER_NAMES.search(values.name):
        return False
    return bool(to_numbers(values).is_not_null().mean() >= 0.95)  # type: ignore[operator]


def _of_one_type(name: str, values: Sequence[Any]) -> pl.Series:
    types = {type(value) for value in values if value is not None}
    if len(types) > 1 and not types <= {int, float}:
        values = [None if value is None else text(value) for value in values]
    return pl.Series(name, values, strict=False)


def _is_small_object(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Struct) and 0 < len(dtype.fields) <= _FIELDS


def _mostly(is_so: pl.Series) -> bool:
    return bool(is_so.sum() > 0.5 * len(is_so))


def _is_vector(column: pl.Series) -> bool:
    inner = getattr(column.dtype, "inner", None)
    return inner is not None and inner.is_float()


def _as_kind(column: pl.Series, kind: Kind, table: str, separator: str | None) -> pl.Series:
    if kind == "number":
        numbers = to_numbers(column, separator)
        wrong = numbers.is_null() & filled(column)
        if wrong.sum() > len(column) / 2:
            raise DataError(
                f"the column {column.name!r} of the {table} is said to be a number, but holds "
                f"{column.filter(wrong)[0]!r}: give it another kind"
            )
        return numbers
    if kind == "categories":
        return _as_lists(column, separator)
    words = decode_entities(_as_text(column))
    if kind == "text" and column.dtype == pl.String and notation(words.filter(filled(words)).head(_SAMPLE)) == BRACKETS:
        return lists_in_cells.labels(words, BRACKETS).list.join(" ")  # a text in several parts
    return words if kind == "text" else words.set(~filled(words), None)


def _as_lists(column: pl.Series, separator: str | None) -> pl.Series:
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    if isinstance(column.dtype, pl.List):
        if column.dtype.inner.is_nested():
            lists = [value and [label for part in value if (label := label_of(part))] for value in column.to_list()]
            return pl.Series(column.name, lists, dtype=pl.List(pl.String))
        return column.cast(pl.List(pl.String))
    words = _as_text(column)
    words = decode_entities(words.set(~filled(words), None))
    return lists_in_cells.labels(words, separator or separator_of(words))


def separator_of(words: pl.Series) -> str:
    """Return how the cells of a column of labels hold them: their notation, else the first sign that occurs."""
    signs = (sign for sign in SIGNS if words.str.contains(sign, literal=True).any())
    return notation(words.drop_nulls().head(_SAMPLE)) or next(signs, "|")


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
