"""Times in a notation that is given, as ``strptime`` has it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import polars as pl

from poise.errors import UsageError

_PLAIN = set("YmdHMSyIpjbBaA")  # which mean the same to polars and to Python
_BEHIND_DATES = (" %H:%M:%S", " %H:%M", "T%H:%M:%S", " %I:%M %p", " %I:%M:%S %p")


def by_format(texts: pl.Series, time_format: str) -> pl.Series:
    """Return the moments of texts as int64 milliseconds since 1970 in UTC; null where a text is not in the format.

    A format without an hour also reads dates with a time of day behind them.

    Args:
        texts: to read.
        time_format: such as ``%d.%m.%Y %H:%M``.

    Raises:
        UsageError: the format does not name a day, a month and a year, or is none.
    """
    directives = _check(time_format)
    formats = [time_format]
    if not directives & set("HIMScXTs"):
        formats += [f"{time_format}{behind}" for behind in _BEHIND_DATES]
    table = texts.drop_nulls().unique().to_frame("text").with_columns(pl.lit(None, dtype=pl.Int64).alias("time"))
    for form in formats:
        rest = table["time"].is_null()
        if not rest.any():
            break
        read = _vectorised(table["text"], form) if directives <= _PLAIN else _one_by_one(table["text"], form)
        table = table.with_columns(pl.col("time").fill_null(read))
    return texts.to_frame("text").join(table, on="text", how="left", maintain_order="left")["time"].rename(texts.name)


def _check(time_format: str) -> set[str]:
    directives = set(re.findall(r"%[-_]?(.)", time_format))
    has_day = directives & set("j") or (directives & set("d") and directives & set("mbB"))
    if not (directives & set("cx") or (directives & set("Yy") and has_day)):
        raise UsageError(
            f'time_format {time_format!r} does not say where day, month and year stand: write it like "%d.%m.%Y" '
            'or "%m/%d/%Y %H:%M"'
        )
    try:
        datetime.strptime(datetime(2024, 5, 31, tzinfo=UTC).strftime(time_format), time_format)
    except ValueError as error:
        raise UsageError(f"time_format {time_format!r} is not understood: {error}") from None
    return directives


def _vectorised(texts: pl.Series, form: str) -> pl.Series:
    return texts.str.to_datetime(form, time_unit="ms", strict=False).dt.epoch("ms").cast(pl.Int64)


def _one_by_one(texts: pl.Series, form: str) -> pl.Series:
    def read(text: str) -> int | None:
        try:
            moment = datetime.strptime(text, form)
        except ValueError:
            return None
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)

    return pl.Series([read(text) for text in texts], dtype=pl.Int64)
