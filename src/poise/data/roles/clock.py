"""The column of times of a log on its way in, and a column of times of day that belongs to it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl

from poise.data.ingest.staging import ROW, Staging
from poise.data.schema.column_names import CANONICAL
from poise.data.schema.column_types import filled
from poise.data.schema.time_notations import HOW
from poise.data.schema.timestamps import (
    ASSUMED,
    TIME_WORD,
    Reading,
    looks_like_times,
    looks_like_times_of_day,
    of_day,
    read_times,
)
from poise.durations import DAY
from poise.errors import DataError

_LENGTH = r"duration|length|elapsed|runtime|dauer|lange|laufzeit|dur[eé]e|duraci|durata|tempo|watch|listen|spent|lasted"
_ANOTHER = "Choose another column with columns={'timestamp': 'NAME'}, '' if there is none"


def read_clock(log: Staging, time_format: str | None) -> None:
    """Make milliseconds since 1970 of the column ``timestamp``, and refuse the rows that have none.

    Dates and times of day in two columns are put together. What was assumed stands in the quarantine's notes.

    Args:
        log: with the column ``timestamp`` as it was read.
        time_format: the notation, see :func:`poise.data.schema.timestamps.read_times`; None to find it.

    Raises:
        DataError: the column does not hold times, or can be read in two ways.
        UsageError: ``time_format`` is no format of dates.
    """
    name = log.mapping["timestamp"]
    given = log.frame["timestamp"].alias(name)
    if looks_like_times_of_day(given):
        _behind_dates(log, given, time_format)
        return
    reading = read_times(given, time_format)
    reading = replace(reading, unreadable=reading.unreadable & filled(given))
    if reading.milliseconds.null_count() == len(given) and not reading.unreadable.any():
        log.frame = log.frame.drop("timestamp")
        return
    _require_times(reading, given, time_format)
    _say_how(log, reading, given)
    if (reading.milliseconds % DAY).max() == 0 and (clock := _clock(log)) is not None:
        reading = Reading(_together(log, reading.milliseconds, name, clock), reading.unreadable, reading.notation)
    _take(log, reading)


def _say_how(log: Staging, reading: Reading, given: pl.Series) -> None:
    """Note what was assumed of dates that could mean something else."""
    read = reading.milliseconds.is_not_null()
    if reading.notation not in ASSUMED or not read.any():
        return
    moment = datetime.fromtimestamp(reading.milliseconds.filter(read)[0] / 1000, UTC)
    example = _short(given.filter(read)[0])
    log.quarantine.notes.append(
        f"events: the times of {given.name} were read as {reading.notation}: {example} is {moment:%Y-%m-%d %H:%M}"
    )


def _require_times(reading: Reading, given: pl.Series, time_format: str | None) -> None:
    unreadable = reading.unreadable
    if unreadable.sum() <= len(given) / 2:
        return
    name, example = given.name, _short(given.filter(unreadable)[0])
    if time_format is not None:
        raise DataError(
            f"time_format {time_format!r} does not fit the column {name!r}, which holds {example}: mend it "
            f"({HOW}), or leave it out to let the column tell"
        )
    if reading.notation == "years":
        raise DataError(f"the column {name!r} holds years alone, no times. {_ANOTHER}")
    raise DataError(
        f"the column {name!r} does not hold times: {example} is none. {_ANOTHER}, or say how it is written: {HOW}"
    )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _take(log: Staging, reading: Reading) -> None:
    log.replace(reading.milliseconds.alias("timestamp"))
    log.refuse(reading.unreadable, "timestamp cannot be read")
    log.refuse(pl.col("timestamp").is_null(), "no timestamp")


def _behind_dates(log: Staging, given: pl.Series, time_format: str | None) -> None:
    """Put a column of times of day behind one of dates."""
    dates = [name for name in _others(log) if looks_like_times(log.frame[name]) is not None]
    if dates:
        reading = read_times(log.frame[dates[0]], time_format)
        _require_times(reading, log.frame[dates[0]], time_format)
        _say_how(log, reading, log.frame[dates[0]])
        milliseconds = _together(log, reading.milliseconds, dates[0], "timestamp")
        log.frame = log.frame.drop(dates[0])
        log.mapping["timestamp"] = dates[0]
        _take(log, Reading(milliseconds, reading.unreadable, reading.notation))
    else:
        raise DataError(f"the column {given.name!r} holds times of day without a date. {_ANOTHER}")


def _clock(log: Staging) -> str | None:
    """Return the column with the times of day that belong to the dates; None where there is none."""
    fitting = [
        name
        for name in _others(log)
        if re.search(TIME_WORD, name.lower())
        and not re.search(_LENGTH, name.lower())
        and looks_like_times_of_day(log.frame[name])
    ]
    return fitting[0] if len(fitting) == 1 else None


def _together(log: Staging, dates: pl.Series, date_name: str, clock: str) -> pl.Series:
    """Add the times of day in the column ``clock`` to dates; a missing one leaves the start of the day."""
    name = log.mapping.get(clock, clock)
    log.quarantine.notes.append(f"events: {date_name} and {name} were put together as the time")
    times = of_day(log.frame[clock])
    if clock != "timestamp":
        log.frame = log.frame.drop(clock)
    return dates - dates % DAY + times.fill_null(0)


def _others(log: Staging) -> list[str]:
    return [name for name in log.frame.columns if name not in (ROW, *CANONICAL["events"])]
