"""Moments in any common notation to milliseconds since 1970 in UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import get_args

import polars as pl

from poise.data.schema.time_formats import by_format
from poise.data.schema.time_notations import Order, read_notations, times_of_day
from poise.durations import DAY
from poise.errors import DataError, UsageError
from poise.types import Offsets

ACCEPTED = (
    "seconds, milliseconds, microseconds or nanoseconds since 1970, or text such as 2024-05-31, 31.05.2024 18:30 or "
    "2024-05-31T18:30:00Z"
)

# Below 1e11 it is seconds: in milliseconds that would be March 1973.
_BOUNDS = ((1e11, 1e3), (1e14, 1.0), (1e17, 1e-3))
_OF_LOGS = 10**11  # milliseconds: no log began before 1973
_MOMENT = (
    r"^(?<year>\d{4})[-/.](?<month>\d{1,2})[-/.](?<day>\d{1,2})"
    r"(?:[T\s]+(?<hour>\d{1,2}):(?<minute>\d{2})(?::(?<second>\d{2})(?:[.,](?<fraction>\d+))?)?)?"
    r"\s*(?<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?$"
)
_NAMED_ZONE = r"([+-]\d{4}) [A-Z]{2,5}$"  # Go writes 2024-05-31 18:30:00 +0200 CEST: the name says nothing new
_MISSING = (
    r"(?i)^(?:null|nan|nat|none|n/?a|\\n|-+|\?|0{1,4}[-./]0{1,2}[-./]0{1,4}(?:\D.*)?|000[01]-0[01]-0[01](?:\D.*)?)?$"
)
_COMPACT = (
    (8, "year, month and day in one number"),
    (12, "date and time in one number"),
    (14, "date and time in one number"),
)
_UNITS = ((1e11, "seconds"), (1e14, "milliseconds"), (1e17, "microseconds"))
_EXCEL_EPOCH = 25_569  # 1970-01-01 in the days that spreadsheets count
_EXCEL = (32_874, 73_050)  # 1990 to 2099
_EXCEL_WORDS = "days as spreadsheets count them"
_YEARS = (1900, 2100)
ASSUMED = (*get_args(Order), _EXCEL_WORDS, *(words for _, words in _COMPACT))
"""Notations of a :class:`Reading` of what could mean something else."""
_NINETIES = 631_152_000_000
_SAMPLE = 1_000
_LOOKED_AT = 20_000
TIME_WORD = (
    r"date|time|datum|zeit|fecha|hora|^data|ora$|heure|jour|tanggal|waktu|tarih|saat|czas|kiedy|дата|время|日期|时间|時間|"
    r"日時|日付|날짜|시간|일시|created|updated|[_ ]at$|^ts$|stamp|when"
)
"""What the name of a column of times has in it, in many languages; for :func:`re.search` in small letters."""


@dataclass(frozen=True)
class Reading:
    """How a column of times was read.

    Attributes:
        milliseconds: int64 since 1970 in UTC, null where there is no time.
        unreadable: where something stands that is no time, boolean; a missing value is not.
        notation: how it was read, in words.
    """

    milliseconds: pl.Series
    unreadable: pl.Series
    notation: str


def to_milliseconds(column: pl.Series, time_format: str | None = None) -> pl.Series:
    """Return the moments of ``column`` as int64 milliseconds since 1970 in UTC; null where it is not clear.

    See :func:`read_times`.
    """
    return read_times(column, time_format).milliseconds


def read_times(column: pl.Series, time_format: str | None = None) -> Reading:
    """Read a column of times.

    Numbers are seconds, milliseconds, microseconds or nanoseconds by their magnitude, each for itself: no moment since
    1974 fits two of them. Where the whole column is such, they are dates in one number (``20240531``,
    ``20240531143000``) or the days that spreadsheets count (``45443.58``); years alone are no times. Text is a number,
    or a date with or without a time, with the month as a number or a name; without a zone it is UTC. Whether the day
    or the month comes first is told by the whole column. A 0 among times is a missing one.

    Args:
        column: integers, floats, texts, dates or times.
        time_format: the notation of texts, as :func:`time.strptime` has it; None to find it.

    Raises:
        DataError: nothing tells whether the day or the month comes first.
        UsageError: ``time_format`` is no format of dates.
    """
    dtype = column.dtype
    if dtype == pl.Date:
        column = column.cast(pl.Datetime("ms"))
    if isinstance(column.dtype, pl.Datetime):
        return _reading(column, column.dt.epoch("ms").cast(pl.Int64), "times")
    if time_format is not None and (dtype.is_numeric() or dtype == pl.String):
        texts = (column.cast(pl.Int64, strict=False) if dtype.is_numeric() else column).cast(pl.String)
        texts = texts.str.strip_chars()
        return _reading(column, by_format(texts, time_format), time_format)
    if dtype.is_integer():
        return _reading(column, *_from_integers(column.cast(pl.Int64, strict=False)))
    if dtype.is_numeric():
        return _reading(column, *_from_floats(column.cast(pl.Float64)))
    if dtype not in (pl.String, pl.Categorical) and not isinstance(dtype, pl.Enum):
        return _reading(column, pl.Series(column.name, [None] * len(column), dtype=pl.Int64), "no times")
    text = column.cast(pl.String).str.strip_chars()
    text = text.to_frame().select(pl.when(~pl.col(text.name).str.contains(_MISSING)).then(pl.col(text.name)))[text.name]
    return _reading(text, *_from_text(text))


def looks_like_times(column: pl.Series) -> str | None:
    """Tell whether a column looks like moments, by its content.

    Numbers count only as what a log may hold: since 1990 and not in the future; days as spreadsheets count them only
    under a name that speaks of time. Years, hours and times of day without a date do not count.

    Returns:
        how it would be read, in words, such as ``day first, for example '31.05.2024 14:05'``; None if it does not.
    """
    given = column.drop_nulls()
    given = given.gather_every(max(1, len(given) // _LOOKED_AT))
    if given.dtype.is_float():
        given = given.drop_nans()
    if not len(given) or given.dtype == pl.Boolean:
        return None
    try:
        reading = read_times(given)
    except DataError:
        return f"day or month first, for example {given[0]!r}"
    if reading.notation == _EXCEL_WORDS and not re.search(TIME_WORD, column.name.lower()):
        return None
    plausible = reading.milliseconds.is_between(_NINETIES, moment("tomorrow"))
    if reading.milliseconds.null_count() > 0.1 * len(given) or plausible.sum() < 0.9 * len(given):
        return None
    return f"{reading.notation}, for example {str(given[0])!r}"


def looks_like_times_of_day(column: pl.Series) -> bool:
    """Tell whether a column holds times of day without a date, such as ``14:05``."""
    if column.dtype == pl.Time:
        return True
    given = column.drop_nulls()
    if given.dtype != pl.String or not len(given):
        return False
    given = given.gather_every(max(1, len(given) // _LOOKED_AT)).unique()
    return int(times_of_day(given).is_not_null().sum()) >= 0.9 * len(given)


def of_day(column: pl.Series) -> pl.Series:
    """Return times of day, typed or as text, as int64 milliseconds since midnight; null where there is none."""
    if column.dtype == pl.Time:
        return (column.cast(pl.Int64) // 1_000_000).rename(column.name)
    table = column.drop_nulls().unique().to_frame("text")
    table = table.with_columns(times_of_day(table["text"]).alias("time"))
    return column.to_frame("text").join(table, on="text", how="left", maintain_order="left")["time"].rename(column.name)


def moment(given: str | int | datetime | None) -> int | None:
    """Turn a limit into milliseconds since 1970: None, ``tomorrow``, a moment in any notation that a column may have.

    Raises:
        UsageError: it cannot be read as a moment.
    """
    if given is None:
        return None
    if given == "tomorrow":
        return int((datetime.now(UTC) + timedelta(days=1)).timestamp() * 1000)
    limit = pl.Series("limit", [given])
    try:
        milliseconds = (_by_magnitude(limit) if isinstance(given, int) else to_milliseconds(limit))[0]
    except DataError:
        milliseconds = None
    if milliseconds is None:
        raise UsageError(f"{given!r} is not a time; give {ACCEPTED}, 'tomorrow', or None for no limit")
    return int(milliseconds)


def _reading(given: pl.Series, milliseconds: pl.Series, notation: str) -> Reading:
    unreadable = milliseconds.is_null() & given.is_not_null()
    if given.dtype.is_float():
        unreadable &= given.is_not_nan()
    least = milliseconds.min()
    if isinstance(least, int) and least <= 0:
        real = milliseconds.filter(milliseconds > 0)
        if not len(real) or real.min() >= _OF_LOGS:  # type: ignore[operator]
            milliseconds = milliseconds.set(milliseconds.is_in([0, -1, -1_000]), None)
    return Reading(milliseconds.rename(given.name), unreadable, notation)


def _from_integers(column: pl.Series) -> tuple[pl.Series, str]:
    positive = column
    low, high = column.min(), column.max()
    if low is None or low <= 0:  # type: ignore[operator]
        positive = column.filter(column > 0)
        low, high = positive.min(), positive.max()
    if low is None:
        return _by_magnitude(column), "seconds since 1970"
    if _YEARS[0] <= low and high <= _YEARS[1]:  # type: ignore[operator]
        return pl.Series(column.name, [None] * len(column), dtype=pl.Int64), "years"
    if _EXCEL[0] <= low and high <= _EXCEL[1]:  # type: ignore[operator]
        return _from_days(column.cast(pl.Float64)), _EXCEL_WORDS
    for digits, words in _COMPACT:
        rest = 10 ** (digits - 8)
        if 19_000_101 * rest <= low and high < 21_010_000 * rest:
            times = _from_compact(column, digits)
            if times.is_not_null().sum() >= 0.9 * len(positive.drop_nulls()):
                return times, words
    unit = next((word for bound, word in _UNITS if high < bound), "nanoseconds")  # type: ignore[operator]
    return _by_magnitude(column), f"{unit} since 1970"


def _by_magnitude(column: pl.Series) -> pl.Series:
    value = pl.col(column.name)
    size = value.abs()
    return column.to_frame().select(
        pl.when(size < 1e11)
        .then(value * 1_000)
        .when(size < 1e14)
        .then(value)
        .when(size < 1e17)
        .then(value // 1_000)
        .otherwise(value // 1_000_000)
    )[column.name]


def _from_compact(column: pl.Series, digits: int) -> pl.Series:
    """Read year, month, day, hour, minute, second of one number, as many as there are digits for."""
    number = pl.col(column.name)
    if digits == 8:
        number *= 1_000_000
    elif digits == 12:
        number *= 100
    year, month, day = number // 10**10, number // 10**8 % 100, number // 10**6 % 100
    hour, minute, second = number // 10**4 % 100, number // 100 % 100, number % 100
    date = pl.format("{}-{}-{}", year, month.cast(pl.String).str.zfill(2), day.cast(pl.String).str.zfill(2))
    start = date.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("ms")).dt.epoch("ms")
    valid = (hour < 24) & (minute < 60) & (second < 61)
    return column.to_frame().select(
        pl.when(valid).then(start + (hour * 3600 + minute * 60 + second) * 1000).cast(pl.Int64).alias(column.name)
    )[column.name]


def _from_days(column: pl.Series) -> pl.Series:
    """Read days and their fractions as spreadsheets count them, from 30 December 1899 on."""
    value = pl.col(column.name)
    sensible = pl.when(value.is_finite() & (value > 0)).then((value - _EXCEL_EPOCH) * DAY)
    return column.to_frame().select(sensible.round().cast(pl.Int64, strict=False).alias(column.name))[column.name]


def _from_floats(column: pl.Series) -> tuple[pl.Series, str]:
    finite = column.to_frame().select(pl.when(pl.col(column.name).is_finite()).then(pl.col(column.name)))[column.name]
    if (finite % 1 == 0).all():  # whole numbers, as a column with gaps has them
        return _from_integers(finite.cast(pl.Int64, strict=False))
    positive = finite.filter(finite > 0)
    if len(positive) and _EXCEL[0] <= positive.min() and positive.max() <= _EXCEL[1]:  # type: ignore[operator]
        return _from_days(finite), _EXCEL_WORDS
    value = pl.col(column.name)
    factor = pl.lit(1e-6)
    for bound, scale in reversed(_BOUNDS):
        factor = pl.when(value.abs() < bound).then(scale).otherwise(factor)
    times = finite.to_frame().select((value * factor).round().cast(pl.Int64, strict=False).alias(column.name))
    return times[column.name], "seconds since 1970"


def _from_text(text: pl.Series) -> tuple[pl.Series, str]:
    """Read text: all rows by the notations of programs if a sample is of them, else each different text once."""
    given = text.drop_nulls()
    sample, notation = _from_programs(given.head(_SAMPLE))
    if notation == "years" or sample.null_count() <= len(sample) / 2:
        times, notation = _from_programs(text)
        missing = times.is_null() & text.is_not_null()
        if not missing.any() or notation == "years":
            return times, notation
        others, order = _from_people(text.filter(missing))
        if others.null_count() < len(others) / 2 and len(others) > len(text) / 2:
            notation = order
        return times.zip_with(~missing, _scatter(others, missing)), notation
    there = text.is_not_null()
    times, notation = _from_people(given)
    return _scatter(times, there), notation


def _from_programs(text: pl.Series) -> tuple[pl.Series, str]:
    """Read numbers, and dates that begin with a year of four digits."""
    whole = text.cast(pl.Int64, strict=False)
    result, notation = _from_integers(whole)
    numbers = whole.is_not_null()
    missing = ~numbers & text.is_not_null()
    if missing.any():
        fractions = text.filter(missing).str.replace(r"^(\d+),(\d+)$", "$1.$2").cast(pl.Float64, strict=False)
        floats, words = _from_floats(fractions)
        if fractions.is_not_null().any():
            notation = words
            result = result.zip_with(~missing, _scatter(floats, missing))
            missing &= ~_scatter(fractions.is_not_null(), missing).fill_null(False)
    if missing.any():
        result = result.zip_with(~missing, _scatter(_from_iso(text.filter(missing)), missing))
        notation = "year, month, day"
    return result, notation


def _from_people(text: pl.Series) -> tuple[pl.Series, str]:
    """Read each different text once, in any notation."""
    table = text.unique().to_frame("text").with_row_index("place")
    place = text.to_frame("text").join(table, on="text", how="left", maintain_order="left")["place"]
    different = table["text"]
    times = _from_iso(different)
    rest = times.is_null()
    notation = "year, month, day"
    if rest.any():
        where = (rest.cast(pl.Int64).cum_sum() - 1).to_numpy()
        is_rest = rest.to_numpy()

        def rows() -> Offsets:
            codes = place.to_numpy()
            found: Offsets = where[codes[is_rest[codes]]]
            return found

        read = read_notations(different.filter(rest), rows, text.name)
        times = times.zip_with(~rest, _scatter(read.milliseconds, rest))
        if rest.sum() > len(rest) / 2:
            notation = read.order or "with the names of months"
    return times.gather(place).rename(text.name), notation


def _scatter(values: pl.Series, where: pl.Series) -> pl.Series:
    """Put ``values`` where ``where`` is true, and nulls elsewhere."""
    position = where.cast(pl.Int64).cum_sum() - 1
    return values.gather(pl.select(pl.when(where).then(position)).to_series())


def _from_iso(column: pl.Series) -> pl.Series:
    """Read dates and times by their parts, so that one pattern serves all the notations in use."""
    parts = column.str.replace(_NAMED_ZONE, "$1").str.extract_groups(_MOMENT).struct.unnest()
    hour, minute, second = (pl.col(part).cast(pl.Int64).fill_null(0) for part in ("hour", "minute", "second"))
    day = pl.format("{}-{}-{}", "year", pl.col("month").str.zfill(2), pl.col("day").str.zfill(2))
    date = day.str.to_date("%Y-%m-%d", strict=False)
    valid = (hour < 24) & (minute < 60) & (second < 61)
    fraction = (pl.lit("0.") + pl.col("fraction").fill_null("0")).cast(pl.Float64)
    zone = pl.col("zone").fill_null("Z")
    digits = zone.str.replace_all(r"[^0-9]", "").str.pad_end(4, "0").cast(pl.Int64, strict=False).fill_null(0)
    sign = pl.when(zone.str.starts_with("-")).then(-1).otherwise(1)
    offset = sign * (digits // 100 * 60 + digits % 100)  # minutes
    seconds = hour * 3600 + minute * 60 + second - offset * 60
    time = date.cast(pl.Datetime("ms")).dt.epoch("ms") + seconds * 1000 + (fraction * 1000).floor().cast(pl.Int64)
    return parts.select(pl.when(valid).then(time).cast(pl.Int64).alias(column.name))[column.name]
