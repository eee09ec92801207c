from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poise.data.schema.timestamps import moment, to_milliseconds
from poise.errors import UsageError

INSTANT = datetime(2024, 5, 31, 18, 30, 5, 123_000, tzinfo=UTC)
MILLISECONDS = 1_717_180_205_123


@pytest.mark.parametrize(
    "text",
    [
        "1717180205123",
        "1717180205123000",
        "1717180205123000000",
        "1717180205.123",
        "2024-05-31T18:30:05.123Z",
        "2024-05-31 18:30:05.123",
        "2024-05-31 18:30:05.123456789",
        "2024-05-31T20:30:05.123+02:00",
        "2024-05-31T13:00:05.123-0530",
        "2024-05-31 20:30:05.123 +02",
        "2024-05-31 18:30:05.123000001 +0000 UTC",
        "2024-05-31 20:30:05.123 +0200 CEST",
        "2024/05/31 18:30:05,123",
        " 2024-05-31 18:30:05.123 UTC ",
    ],
)
def test_notations_of_one_timestamp(text):
    assert to_milliseconds(pl.Series([text, "x"])).to_list() == [MILLISECONDS, None]


def test_dates_and_values_that_are_no_timestamp():
    column = pl.Series(["2024-05-31", "2024-5-1", "2024-05-31 07:03", "2024-02-31", "2024-05-31 25:00:00", "", None])
    day = 1_717_113_600_000
    assert to_milliseconds(column).to_list() == [day, day - 30 * 86_400_000, day + 423 * 60_000, *[None] * 4]


def test_numbers_of_each_unit_in_one_column():
    assert to_milliseconds(pl.Series([1_717_180_205, 1_717_180_205_123, None])).to_list() == [
        1_717_180_205_000,
        MILLISECONDS,
        None,
    ]
    assert to_milliseconds(pl.Series([1_717_180_205.123, float("nan"), float("inf")])).to_list() == [
        MILLISECONDS,
        None,
        None,
    ]


def test_columns_of_dates_and_times_in_any_zone():
    aware = pl.Series([INSTANT])
    for column in (aware, aware.dt.convert_time_zone("Asia/Shanghai"), aware.dt.replace_time_zone(None)):
        for unit in ("ms", "us", "ns"):
            assert to_milliseconds(column.dt.cast_time_unit(unit)).to_list() == [MILLISECONDS]
    assert to_milliseconds(pl.Series([date(2024, 5, 31)])).to_list() == [1_717_113_600_000]


@settings(deadline=None)
@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)),
    st.integers(-14 * 4, 14 * 4),
)
def test_iso_text_of_any_moment_and_zone(instant, quarters):
    aware = instant.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=15 * quarters)))
    assert to_milliseconds(pl.Series([aware.isoformat()]))[0] == int(aware.timestamp()) * 1000


def test_the_range_of_timestamps():
    assert moment(None) is None
    assert moment("1990-01-01") == 631_152_000_000
    assert moment(INSTANT) == MILLISECONDS
    assert abs(moment("tomorrow") / 1000 - datetime.now(UTC).timestamp() - 86_400) < 60
    with pytest.raises(UsageError, match="'soon' is not a time"):
        moment("soon")
