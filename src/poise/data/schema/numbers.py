"""Numbers that are text: with currencies, with separators of thousands, with a comma or a point for the decimals."""

from __future__ import annotations

import polars as pl

_CODES = (
    "EUR|USD|GBP|CHF|JPY|CNY|RMB|RUB|INR|BRL|AUD|NZD|CAD|KRW|TWD|HKD|SGD|SEK|NOK|DKK|PLN|CZK|HUF|RON|BGN|TRY|IDR|THB|VND|"
    "MYR|PHP|MXN|ARS|CLP|COP|PEN|ZAR|NGN|EGP|AED|SAR|ILS|UAH|KZT|PKR|BDT"
)
_CURRENCY = (
    rf"(?:(?:US|AU|CA|HK|NT|NZ|R|A|C|S)?\p{{Sc}}|(?i:{_CODES})|(?i:rs|rp|kr|zł|kč|ft|lei|руб|р|грн|лв|тг)\.?"
    "|元|円|圆|圓|원)"
)
_BLANKS = r"[\s\u00a0\u202f\u2009'’]"
_NUMBER = (
    rf"^\s*{_CURRENCY}?{_BLANKS}*([-+−]?){_BLANKS}*{_CURRENCY}?{_BLANKS}*"
    rf"(\d[\d.,\s\u00a0\u202f\u2009'’]*?)(?:[.,][-–—]+)?{_BLANKS}*(?:{_CURRENCY}|%)?\s*$"
)
_GROUPS = rf"^\d{{1,3}}(?:{_BLANKS}\d{{3}})+(?:[.,]\d+)?$"


def parse_numbers(column: pl.Series, decimal: str | None = None) -> pl.Series:
    """Return text as numbers, Float64; null where it is none.

    Which of comma and point parts the decimals is told by the whole column: ``12,99`` beside ``1.299,00`` is a comma,
    ``1,299.00`` a point. Where some cells say the one and some the other, those that fit both are null.

    Args:
        column: String.
        decimal: the sign of the decimals, where it is known.
    """
    plain = column.str.strip_chars().cast(pl.Float64, strict=False).fill_nan(None)
    if decimal in (None, ".") and plain.null_count() == column.null_count():
        return plain
    others = column.filter(plain.is_null())
    if decimal in (None, ".") and not others.str.contains(_NUMBER).any():
        return plain
    digits = _digits(column)
    sign = decimal or _decimal_of(digits)
    if sign == ".":
        return plain.fill_null(_read(digits, "."))
    if sign == ",":
        return _read(digits, ",").rename(column.name)
    by_point, by_comma = _read(digits, "."), _read(digits, ",")
    fit_one = by_point.is_null() != by_comma.is_null()
    same = (by_point == by_comma).fill_null(False)
    return by_point.fill_null(by_comma).set(~(fit_one | same), None).rename(column.name)


def decimal_sign(column: pl.Series) -> str | None:
    """Return the sign by which :func:`parse_numbers` parts the decimals of text; None where cells differ in it."""
    plain = column.str.strip_chars().cast(pl.Float64, strict=False).fill_nan(None)
    return "." if plain.null_count() == column.null_count() else _decimal_of(_digits(column))


def looks_like_list(column: pl.Series) -> bool:
    """Tell whether text that could be numbers with a decimal comma is rather lists of numbers, such as ``1,12``."""
    commas = column.filter(column.str.contains(",", literal=True))
    if not len(commas) or commas.str.contains(r"[^\d,\s]").any():
        return False
    decimals = commas.str.extract(r",\s*(\d*)\s*$")
    steady = decimals.str.len_chars().n_unique() == 1 and (decimals.str.len_chars() == 2).all()
    return not steady and not commas.str.contains(r"^\s*0,|,0|,\d*0\s*$").any()


def _digits(column: pl.Series) -> pl.DataFrame:
    """Return the sign and the digits with their separators of each cell, nulls where it is no number."""
    parts = column.to_frame("cell").select(
        sign=pl.col("cell").str.extract(_NUMBER, 1), number=pl.col("cell").str.extract(_NUMBER, 2).str.strip_chars()
    )
    number = pl.col("number")
    blank = number.str.contains(_BLANKS)
    grouped = pl.when(~blank | number.str.contains(_GROUPS)).then(number.str.replace_all(_BLANKS, ""))
    return parts.with_columns(grouped, bare=column.str.contains(r"^\s*[-+]?[\d.,]+\s*$"))


def _decimal_of(digits: pl.DataFrame) -> str | None:
    """Return the sign of the decimals that cells speak for; None where they contradict one another."""
    number = digits["number"]
    comma = number.str.contains(r"^\d*,(?:\d{1,2}|\d{4,})$|^0,\d|\.\d{3},\d*$").any()
    point = number.str.contains(r"^\d*\.(?:\d{1,2}|\d{4,})$|^0\.\d|,\d{2,3}\.\d*$").any()
    if comma or point:
        return None if comma and point else "," if comma else "."
    if number.str.contains(r"(?:\.\d{3}){2,}$").any():
        return ","
    with_point = number.filter(number.str.contains(".", literal=True).fill_null(False))
    priced = digits.filter(number.str.contains(".", literal=True).fill_null(False))["bare"]
    return "," if len(with_point) and not priced.any() and not number.str.contains(",").any() else "."


def _read(digits: pl.DataFrame, decimal: str) -> pl.Series:
    thousands = "," if decimal == "." else "."
    point, comma = (r"\.", ",") if decimal == "." else (",", r"\.")
    number = digits["number"]
    is_one = number.str.contains(rf"^(?:\d+|\d{{1,3}}(?:{comma}\d{{2,3}})*{comma}\d{{3}})(?:{point}\d*)?$")
    plain = number.str.replace_all(thousands, "", literal=True).str.replace(decimal, ".", literal=True)
    values = plain.cast(pl.Float64, strict=False).set(~is_one.fill_null(False), None)
    return values * pl.select(pl.when(digits["sign"].is_in(["-", "−"])).then(-1.0).otherwise(1.0)).to_series()
