"""Moments in any common notation to milliseconds since 1970 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from poise.errors import UsageError

ACCEPTED = (
    "seconds, milliseconds, microseconds or nanoseconds since 1970, or text such as 2024-05-31 or 2024-05-31T18:30:00Z"
)

# Below 1e11 it is seconds: in milliseconds that would be March 1973.
_BOUNDS = ((1e11, 1e3), (1e14, 1.0), (1e17, 1e-3))
_MOMENT = (
    r"^(?<year>\d{4})[-/.](?<month>\d{1,2})[-/.](?<day>\d{1,2})"
    r"(?:[T\s]+(?<hour>\d{1,2}):(?<minute>\d{2})(?::(?<second>\d{2})(?:[.,](?<fraction>\d+))?)?)?"
    r"\s*(?<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?$"
)
_NAMED_ZONE = r"([+-]\d{4}) [A-Z]{2,5}$"  # Go writes 2024-05-31 18:30:00 +0200 CEST: the name says nothing new


def to_milliseconds(column: pl.Series) -> pl.Series:
    """Return the moments of ``column`` as int64 milliseconds since 1970 in UTC; null where it is not clear.

    Numbers are seconds, milliseconds, microseconds or nanoseconds by their magnitude, each for itself: no moment since
    1974 fits two of them. Text is a number, a date, or a date and a time; without a zone it is UTC.
    """
    dtype = column.dtype
    if dtype == pl.Date:
        column = column.cast(pl.Datetime("ms"))
    if isinstance(column.dtype, pl.Datetime):
        return column.dt.epoch("ms").cast(pl.Int64)
    if dtype.is_integer():
        return _from_integers(column.cast(pl.Int64, strict=False))
    if dtype.is_numeric():
        return _from_floats(column.cast(pl.Float64))
    if dtype not in (pl.String, pl.Categorical) and not isinstance(dtype, pl.Enum):
        return pl.Series(column.name, [None] * len(column), dtype=pl.Int64)
    return _from_text(column.cast(pl.String))


def moment(given: str | int | datetime | None) -> int | None:
    """Turn a limit into milliseconds since 1970: None, ``tomorrow``, a moment in any notation that a column may have.

    Raises:
        UsageError: it cannot be read as a moment.
    """
    if given is None:
        return None
    if given == "tomorrow":
        return int((datetime.now(UTC) + timedelta(days=1)).timestamp() * 1000)
    milliseconds = to_milliseconds(pl.Series([given]))[0]
    if milliseconds is None:
        raise UsageError(f"{given!r} is not a time; give {ACCEPTED}, 'tomorrow', or None for no limit")
    return int(milliseconds)


def _from_integers(column: pl.Series) -> pl.Series:
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


def _from_floats(column: pl.Series) -> pl.Series:
    value = pl.col(column.name)
    factor = pl.lit(1e-6)
    for bound, scale in reversed(_BOUNDS):
        factor = pl.when(value.abs() < bound).then(scale).otherwise(factor)
    finite = pl.when(value.is_finite()).then(value * factor)
    return column.to_frame().select(finite.round().cast(pl.Int64, strict=False).alias(column.name))[column.name]


def _from_text(column: pl.Series) -> pl.Series:
    column = column.str.strip_chars()
    whole = column.cast(pl.Int64, strict=False)
    result = _from_integers(whole)
    for reader in (lambda text: _from_floats(text.cast(pl.Float64, strict=False)), _from_notation):
        missing = result.is_null() & column.is_not_null()
        if not missing.any():
            break
        result = result.zip_with(~missing, _scatter(reader(column.filter(missing)), missing))
    return result


def _scatter(values: pl.Series, where: pl.Series) -> pl.Series:
    """Put ``values`` where ``where`` is true, and nulls elsewhere."""
    position = where.cast(pl.Int64).cum_sum() - 1
    return values.gather(pl.select(pl.when(where).then(position)).to_series())


def _from_notation(column: pl.Series) -> pl.Series:
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
