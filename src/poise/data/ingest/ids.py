"""Ids in one form, wherever they come from: files, frames, messages, the command line."""

from __future__ import annotations

import re
import uuid

import polars as pl

from poise.data.schema.id_form import BLANKS, MISSING
from poise.errors import DataError

_LARGEST = 2.0**53  # from which floats do not hold every whole number
_WHOLE, _ZERO_FRACTION = r"^-?\d+(?:\.0+)?$", r"\.0+$"
_SURELY_FINE = r"^[!-~]*[0-9][!-~]*$"  # and no missing-value word: these hold no digit


def normalise_ids(column: pl.Series, what: str = "a column of ids") -> pl.Series:
    """Return a column of ids of any type as String, in one form; null where there is none.

    Each is as :func:`poise.data.schema.id_form.normalise_id` has it.

    Where all ids are whole numbers, ``201.0`` is ``201``. Sixteen bytes are a UUID.

    Args:
        column: the ids.
        what: what to call the column in errors, such as ``the column for user_id``.

    Raises:
        DataError: the column holds lists, fractions, or floats so large that they no longer tell ids apart.
    """
    texts = _as_text(column, what)
    if texts.cast(pl.Int64, strict=False).null_count() == texts.null_count():  # nothing but digits
        return texts
    doubtful = ~texts.str.contains(_SURELY_FINE) | texts.str.ends_with(".0")
    if not doubtful.any():
        return texts
    distinct = texts.filter(doubtful).unique().drop_nulls()
    forms = _forms(distinct)
    if distinct.str.contains(_ZERO_FRACTION).any() and _all_whole(texts.filter(~doubtful), forms):
        forms = forms.str.replace(_ZERO_FRACTION, "")
    changed = forms.is_null() | (forms != distinct)
    if not changed.any():
        return texts
    return texts.replace(distinct.filter(changed), forms.filter(changed))


def in_several_forms(given: pl.Series, ids: pl.Series) -> list[tuple[str, str]]:
    """Return forms in which an id stood in a column of text, the first two of each that stood in several.

    Args:
        given: the column as it was.
        ids: what :func:`normalise_ids` made of it.
    """
    if given.dtype != pl.String:
        return []
    changed = ids.filter((given != ids).fill_null(False)).unique()
    forms = pl.DataFrame({"form": given, "id": ids}).filter(ids.is_in(changed.implode())).unique(maintain_order=True)
    groups = forms.group_by("id", maintain_order=True).agg("form").filter(pl.col("form").list.len() > 1)
    return [(group[0], group[1]) for group in groups["form"].to_list()]


def _forms(distinct: pl.Series) -> pl.Series:
    """Return the normalised form of each of different ids, null for a missing-value word."""
    forms = distinct.str.strip_chars(BLANKS)
    other = forms.str.contains(r"[^\x00-\x7f]")
    if other.any():
        forms = forms.zip_with(~other, forms.str.normalize("NFC"))
    return forms.set(forms.is_in(list(MISSING)), None)


def _all_whole(*parts: pl.Series) -> bool:
    return all(part.drop_nulls().str.contains(_WHOLE).all() for part in parts)


def _as_text(column: pl.Series, what: str) -> pl.Series:
    dtype = column.dtype
    if dtype == pl.String:
        return column
    if isinstance(dtype, pl.Struct) and len(dtype.fields) == 1:  # MongoDB writes {"$oid": "..."}
        return _as_text(column.struct.field(dtype.fields[0].name).alias(column.name), what)
    if dtype.is_float():
        there = column.fill_nan(None).drop_nulls()
        if (there % 1 != 0).any():
            fraction = there.filter(there % 1 != 0)[0]
            raise DataError(f"there are fractions in {what}, such as {fraction}; an id is a name, not an amount")
        if (there.abs() >= _LARGEST).any():
            raise DataError(
                f"there are floats such as {there.abs().sort()[-1]:.0f} in {what}: so large, they do not tell whole "
                "numbers apart, and digits are lost already; save the column as whole numbers or text (in pandas: "
                "dtype 'Int64' or 'string')"
            )
        return column.fill_nan(None).cast(pl.Int64).cast(pl.String)
    if dtype == pl.Binary:
        return binary_as_text(column)
    if dtype.is_nested():
        raise DataError(f"there are lists in {what}; one id a row is needed")
    return column.cast(pl.String)


def binary_as_text(column: pl.Series) -> pl.Series:
    """Return bytes as text: sixteen bytes that are no text are a UUID; others that are no UTF-8 are hexadecimal."""
    values = column.to_list()
    there = [value for value in values if value is not None]
    if there and all(len(value) == 16 for value in there) and not all(_is_text(value) for value in there):
        return pl.Series(column.name, [None if v is None else str(uuid.UUID(bytes=v)) for v in values], dtype=pl.String)
    is_text = all(_is_text(value) for value in there)
    texts = [None if value is None else value.decode() if is_text else value.hex() for value in values]
    return pl.Series(column.name, texts, dtype=pl.String)


def _is_text(value: bytes) -> bool:
    try:
        return re.search(r"[\x00-\x08\x0e-\x1f]", value.decode()) is None
    except UnicodeDecodeError:
        return False
