"""Dates and times as people and programs write them; the order of day and month is told by the whole column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
import polars as pl

from poise.data.schema.time_words import MONTH, MONTH_OF, plain
from poise.errors import DataError
from poise.types import Offsets

Order = Literal["day first", "month first", "year first"]

HOW = 'time_format = "..." under [data] in poise.toml, or --time-format "..."'
"""How the notation of a column of times is set."""
_ORDERS: tuple[Order, ...] = ("day first", "month first", "year first")
_MONTH_NAMES = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November"),
    "December",
)
_EARLIEST = 1980  # a log that begins earlier was read in the wrong order
_ENOUGH_STEPS = 8  # between rows of different times, to see that they ascend
_SEVERAL = 6
_MIXED = 0.05  # the share of dates in the other order above which a column has two, not slips of the pen
_ROWS = 1_000_000  # that are looked at for their order

_ZONES = {
    **{"z": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 60, "bst": 60, "cet": 60, "mez": 60, "cest": 120, "mesz": 120},
    **{"eet": 120, "eest": 180, "msk": 180, "est": -300, "edt": -240, "cst": -360, "cdt": -300, "mst": -420},
    **{"mdt": -360, "pst": -480, "pdt": -420, "jst": 540, "kst": 540, "hkt": 480, "sgt": 480, "wib": 420, "ist": 330},
}
_SHAPES: Sequence[tuple[str, str]] = (
    (r"^[\"'\[]+|[\"'\]]+$", ""),
    (r"\([^)]*\)|\[[^\]]*\]?", " "),  # (Central European Summer Time), [Europe/Berlin]
    (r"\sm=[+-][\d.]+$", ""),  # Go's monotonic clock
    (r"(\d)(?:st|nd|rd|th|er|o)\b", "$1"),
    (r"^(\d{4})(\d{2})(\d{2})[t\s]?(\d{2})(\d{2})(\d{2})(\D|$)", "$1-$2-$3 $4:$5:$6$7"),
    (r"^(\d{4})(\d{2})(\d{2})[t\s]?(\d{2}):?(\d{2})(\D|$)", "$1-$2-$3 $4:$5$6"),
    (r"^(\d{4})(\d{2})(\d{2})(\D|$)", "$1-$2-$3$4"),
    (r"^(\d{4}):(\d{2}):(\d{2})\b", "$1-$2-$3"),  # of photographs
    (r"^(\d{4}-\d{2}-\d{2})-(\d{2})\.(\d{2})\.(\d{2})", "$1 $2:$3:$4"),  # of DB2
    (r"(\d{4}):(\d{1,2}:\d{2})", "$1 $2"),  # of web servers
    (r"(\d)t(\d)", "$1 $2"),
    (r"(\d)\s?h\s?(\d{2})\b", "$1:$2"),
    (r"(\d\s*\d.*\s)(\d{1,2})\.(\d{2})\.(\d{2})\b", "$1$2:$3:$4"),
    (r"(\d\s*\d.*\d{2}[,\s]+)(\d{1,2})\.(\d{2})(\s*(?:am|pm)?\s*)$", "$1$2:$3$4"),
    (r"(^|\s)(\d{1,2})\s*(am|pm)\b", "$1$2:00 $3"),
    (r"([+-]\d{2}:?\d{2})\s+[a-z]{2,5}\b", "$1"),  # Go's +0200 CEST: the name says nothing new
)
_TIME = (
    r"(?:\b(am|pm)\s*)?\b(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,:](\d+))?)?\s*(?:\b(am|pm))?\s*"
    rf"((?:utc|gmt)?\s?[+-]\d{{1,2}}(?::?\d{{2}})?|(?:{'|'.join(sorted(_ZONES, key=len, reverse=True))})\b)?"
)
_TIME_PARTS = ("before", "hour", "minute", "second", "fraction", "behind", "zone")
_CLOCK = (  # stands for itself: what is around it is the same for many moments
    r"(?<lead>^|[^\d:.,]|/\d{4}:)(?<hour>\d{1,2}):(?<minute>\d{2})(?::(?<second>\d{2})(?:[.,](?<fraction>\d+))?)?\b"
)
_ZONE_AT_END = r"\s(utc|gmt|[+-]\d{4})$"
_TIDY: Sequence[tuple[str, str]] = (
    (r"[,'’]|\s-\s", " "),
    (r"(\d)(?:\s+([./-])\s*|([./-])\s+)(\d)", "$1$2$3$4"),
    (r"(\d)(?:\s+([./-])\s*|([./-])\s+)(\d)", "$1$2$3$4"),  # again: the first takes every other one
    (r"^[\s./;:-]+|[\s./;:-]+$", ""),
    (r"\s+", " "),
)
_NUMBERS = r"^(?<first>\d{1,4})(?<sign>[./ -])(?<second>\d{1,2})[./ -](?<third>\d{4}|\d{1,2})$"
_NAMED = r"^(?<before>\d{1,4})?[\s./-]*#[\s./-]*(?<behind>\d{1,4})(?:[\s./-]+(?<last>\d{1,4}))?$"


@dataclass(frozen=True)
class Notation:
    """Moments that were read, int64 milliseconds since 1970, null where one cannot be; and in which order dates are."""

    milliseconds: pl.Series
    order: Order | None


def read_notations(texts: pl.Series, rows: Callable[[], Offsets], name: str) -> Notation:
    """Read the different texts of a column of dates.

    Day and month are told apart by all of them: by a number above 12, by dates that would lie in the future, by the
    order of the rows, and by what varies.

    Args:
        texts: the different texts, without nulls.
        rows: returns the position in ``texts`` of each row, in the order of the rows.
        name: of the column, for messages.

    Raises:
        DataError: nothing tells whether the day or the month comes first, or both do.
    """
    clock = pl.DataFrame({"text": texts}).select(
        pl.col("text").str.extract_groups(_CLOCK).alias("clock"),
        pl.col("text").str.replace(_CLOCK, "${lead}01:00:00").alias("template"),
    )
    clock = clock.unnest("clock")
    # dates repeat where moments do not: the day is read once for all the times on it
    templates = clock["template"].unique(maintain_order=True)
    place = clock["template"].replace_strict(templates, pl.Series(range(len(templates)), dtype=pl.UInt32))
    examples = texts.gather(pl.Series(clock["template"].is_first_distinct()).arg_true())
    parts = _take_apart(templates)
    starts = {order: _starts(parts, order) for order in _ORDERS}
    of_day = clock.select(_since_midnight(parts["half"].gather(place)))["since"]
    several_times = of_day.n_unique() >= _SEVERAL
    order = _order(examples, parts, starts, lambda: place.to_numpy()[rows()[:_ROWS]], several_times, name)
    moments = starts[order or "day first"].gather(place) + of_day
    return Notation(moments.rename(name), order)


def _since_midnight(half: pl.Series) -> pl.Expr:
    """Return what a text's time of day adds to the first hour of the morning, or of the afternoon, of its template."""
    hour, minute, second = (pl.col(part).cast(pl.Int64).fill_null(0) for part in ("hour", "minute", "second"))
    fraction = (pl.lit("0.") + pl.col("fraction").fill_null("0")).cast(pl.Float64)
    halved = half.is_not_null()
    valid = (minute < 60) & (second < 61) & pl.when(halved).then(hour.is_between(1, 12)).otherwise(hour < 24)
    hours = pl.when(halved).then(hour % 12).otherwise(hour) - 1
    time = (hours * 3600 + minute * 60 + second) * 1000 + (fraction * 1000 + 1e-6).floor().cast(pl.Int64)
    return pl.when(pl.col("hour").is_null()).then(0).when(valid).then(time).cast(pl.Int64).alias("since")


def times_of_day(texts: pl.Series) -> pl.Series:
    """Return the milliseconds since midnight of texts such as ``14:05``, ``2:05 pm``; null where a date is there."""
    frame = _parts_of(texts)
    return frame.select(pl.when((pl.col("date") == "") & pl.col("hour").is_not_null()).then("milliseconds"))[
        "milliseconds"
    ]


def _parts_of(texts: pl.Series) -> pl.DataFrame:
    """Return ``date``, plain and without the time, and ``milliseconds`` since its start in UTC."""
    text = plain(pl.col("text"))
    for pattern, replacement in _SHAPES:
        text = text.str.replace_all(pattern, replacement)
    frame = pl.DataFrame({"text": texts}).select(text.str.strip_chars().alias("text"))
    groups = pl.col("text").str.extract_groups(_TIME).struct.rename_fields(list(_TIME_PARTS))
    frame = frame.with_columns(groups.alias("time")).unnest("time")
    date = pl.col("text").str.replace(_TIME, " ").str.strip_chars()
    frame = frame.with_columns(
        date.str.replace(_ZONE_AT_END, "").alias("date"),
        pl.coalesce("zone", date.str.extract(_ZONE_AT_END)).alias("zone"),
        pl.coalesce("before", "behind").alias("half"),
    )
    tidy = pl.col("date")
    for pattern, replacement in _TIDY:
        tidy = tidy.str.replace_all(pattern, replacement)
    return frame.with_columns(tidy.alias("date"), _milliseconds().alias("milliseconds"))


def _milliseconds() -> pl.Expr:
    hour, minute, second = (pl.col(part).cast(pl.Int64).fill_null(0) for part in ("hour", "minute", "second"))
    half = pl.col("half")
    in_day = pl.when(half.is_null()).then(hour).when(half == "am").then(hour % 12).otherwise(hour % 12 + 12)
    valid = (minute < 60) & (second < 61) & pl.when(half.is_null()).then(hour < 24).otherwise(hour.is_between(1, 12))
    fraction = (pl.lit("0.") + pl.col("fraction").fill_null("0")).cast(pl.Float64)
    zone = pl.col("zone").str.replace_all(r"\s", "")
    offset = zone.replace_strict(_ZONES, default=None, return_dtype=pl.Int64)
    digits = zone.str.extract(r"[+-](\d+:?\d*)").str.replace(":", "", literal=True)
    padded = pl.when(digits.str.len_chars() < 3).then(digits.str.zfill(2) + "00").otherwise(digits.str.zfill(4))
    number = padded.cast(pl.Int64)
    minutes = (number // 100 * 60 + number % 100) * pl.when(zone.str.contains("-", literal=True)).then(-1).otherwise(1)
    ahead = pl.coalesce(minutes, offset, pl.lit(0))
    seconds = in_day * 3600 + minute * 60 + second - ahead * 60
    return pl.when(valid).then(seconds * 1000 + (fraction * 1000 + 1e-6).floor().cast(pl.Int64))


def _take_apart(texts: pl.Series) -> pl.DataFrame:
    """Return of each text the date's numbers in their order or those around a month's name, and the time of day."""
    frame = _parts_of(texts)
    month = pl.col("date").str.extract(MONTH, 2).replace_strict(MONTH_OF, default=None, return_dtype=pl.String)
    frame = frame.with_columns(month.alias("month"), pl.col("date").str.replace(MONTH, "$1#$3"))
    frame = frame.with_columns(
        pl.col("date").str.extract_groups(_NUMBERS).alias("numbers"),
        pl.col("date").str.extract_groups(_NAMED).alias("named"),
    )
    return frame.select("half", "milliseconds", "month", "numbers", "named").unnest("numbers", "named")


def _starts(parts: pl.DataFrame, order: Order) -> pl.Series:
    """Return the moments of templates if numbers are in the given order; four digits are a year wherever they stand."""
    first, second, third, before, behind, last = (
        pl.col(name) for name in ("first", "second", "third", "before", "behind", "last")
    )
    none = pl.lit(None, dtype=pl.String)
    short = first.str.len_chars() < 3
    if order == "year first":
        short &= (first.str.len_chars() == 2) & (third.str.len_chars() == 2)
        by_number = (first, second, third)
    else:
        by_number = (third, second, first) if order == "day first" else (third, first, second)
    named = pl.col("month").is_not_null()
    year, month, day = (
        pl.when(first.str.len_chars() == 4)
        .then((first, second, third)[place])
        .when(short)
        .then(by_number[place])
        .when(named & before.is_null())
        .then((last, pl.col("month"), behind)[place])
        .when(named & last.is_null() & (before.str.len_chars() == 4))
        .then((before, pl.col("month"), behind)[place])
        .when(named & last.is_null())
        .then((behind, pl.col("month"), before)[place])
        .otherwise(none)
        for place in range(3)
    )
    full = pl.when(year.str.len_chars() == 4).then(year).when(year.str.len_chars() == 2).then(_full_year(year))
    date = pl.format("{}-{}-{}", full, month.str.zfill(2), day.str.zfill(2)).str.to_date("%Y-%m-%d", strict=False)
    moment = date.cast(pl.Datetime("ms")).dt.epoch("ms") + pl.col("milliseconds")
    return parts.select(moment.cast(pl.Int64).alias("moment"))["moment"]


def _full_year(year: pl.Expr) -> pl.Expr:
    """Return a year of two digits in full, as text: of the last hundred years, since a log tells of the past."""
    latest = datetime.now(UTC).year + 1
    number = year.cast(pl.Int64) + latest // 100 * 100
    return pl.when(number > latest).then(number - 100).otherwise(number).cast(pl.String)


def _order(
    texts: pl.Series,
    parts: pl.DataFrame,
    times: Mapping[Order, pl.Series],
    rows: Callable[[], Offsets],
    several_times: bool,
    name: str,
) -> Order | None:
    """Return in which order the dates' numbers are; None where it makes no difference."""
    tells = parts["first"].str.len_chars().fill_null(4) < 3
    if not tells.any():
        return None
    plausible = {order: _plausible(moment) & tells for order, moment in times.items()}
    _require_one_order(texts, plausible, name)
    counts = {order: int(read.sum()) for order, read in plausible.items()}
    if counts["year first"] and not (parts.filter(tells)["sign"] == "-").all():
        counts["year first"] -= 1  # 24/05/31 is rare: only where nothing else fits as well
    best = max(counts.values())
    candidates = [order for order in _ORDERS if counts[order] == best]
    if not best or len(candidates) == 1:
        return candidates[0]
    first, *others = candidates
    if all(times[first].filter(tells).equals(times[other].filter(tells)) for other in others):
        return first
    if "day first" in candidates and (parts.filter(tells)["sign"] == ".").all():
        return "day first"  # nobody puts full stops behind months
    order = _by_rows(times, candidates, rows())
    if order is None and several_times:
        order = _by_variety(parts.filter(tells), candidates)
    if order is None:
        raise DataError(_unclear(texts, parts, times, candidates, tells, name))
    return order


def _plausible(moments: pl.Series) -> pl.Series:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).timestamp() * 1000
    earliest = datetime(_EARLIEST, 1, 1, tzinfo=UTC).timestamp() * 1000
    return moments.is_between(earliest, tomorrow).fill_null(False)


def _require_one_order(texts: pl.Series, plausible: Mapping[Order, pl.Series], name: str) -> None:
    day_only = plausible["day first"] & ~plausible["month first"]
    month_only = plausible["month first"] & ~plausible["day first"]
    ways = int(day_only.sum()), int(month_only.sum())
    if min(ways) > _MIXED * sum(ways) and not plausible["year first"].all():
        raise DataError(
            f"the column {name!r} has dates with the day first ({texts.filter(day_only)[0]!r}) and with the month "
            f"first ({texts.filter(month_only)[0]!r}): write them in one way, or read those of one and refuse the "
            f"others with {HOW}"
        )


def _by_rows(times: Mapping[Order, pl.Series], candidates: Sequence[Order], rows: Offsets) -> Order | None:
    """Return the order in which the rows ascend or descend, as most logs do; None where none or several do."""
    back: dict[Order, int] = {}
    n_steps = 0
    for order in candidates:
        steps = np.diff(times[order].fill_null(0).to_numpy()[rows])
        ascending = int(np.count_nonzero(steps > 0))
        n_steps = int(np.count_nonzero(steps))
        back[order] = min(ascending, n_steps - ascending)
    if n_steps < _ENOUGH_STEPS:
        return None
    best, other, *_ = sorted(back, key=lambda order: back[order])
    least, more = back[best], back[other]
    if least <= 0.02 * n_steps and more >= max(3, 4 * least):
        return best
    # parts of the log ascend, such as each person's: told apart by far more than chance
    return best if least <= 0.35 * n_steps and more - least >= 4 * np.sqrt(more + least) else None


def _by_variety(parts: pl.DataFrame, candidates: Sequence[Order]) -> Order | None:
    """Return the order in which a log of few weeks has many days, not the one with one day of many months."""
    if "year first" in candidates:
        return None
    first, second = parts["first"].cast(pl.Int64).n_unique(), parts["second"].cast(pl.Int64).n_unique()
    if first >= _SEVERAL and second <= 2:
        return "day first"
    return "month first" if second >= _SEVERAL and first <= 2 else None


def _unclear(
    texts: pl.Series,
    parts: pl.DataFrame,
    times: Mapping[Order, pl.Series],
    candidates: Sequence[Order],
    tells: pl.Series,
    name: str,
) -> str:
    first, second = candidates[:2]
    place = int((tells & (times[first] != times[second]).fill_null(False)).arg_max() or 0)
    readings = [datetime.fromtimestamp(times[order][place] / 1000, UTC) for order in (first, second)]
    words = " or ".join(f"{reading.day} {_MONTH_NAMES[reading.month - 1]} {reading.year}" for reading in readings)
    formats = " or ".join(f'"{_format(parts.row(place, named=True), order)}"' for order in (first, second))
    return (
        f"the column {name!r} has dates that can be read in two ways: {texts[place]!r} is {words}. "
        f"Say which, {formats}, with {HOW}"
    )


def _format(row: Mapping[str, Any], order: Order) -> str:
    """Return the notation of a date, without its time of day, as ``strptime`` has it."""
    year = "%Y" if len(row["third"]) == 4 else "%y"
    places = {"day first": ("%d", "%m", year), "month first": ("%m", "%d", year), "year first": (year, "%m", "%d")}
    return str(row["sign"]).join(places[order])
