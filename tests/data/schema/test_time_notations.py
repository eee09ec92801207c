from datetime import UTC, datetime, time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poise.data.schema.timestamps import (
    looks_like_times,
    looks_like_times_of_day,
    read_times,
    to_milliseconds,
)
from poise.errors import DataError, UsageError


def moments(values, time_format=None, name="date"):
    read = to_milliseconds(pl.Series(name, values), time_format)
    return [None if at is None else datetime.fromtimestamp(at / 1000, UTC).replace(tzinfo=None) for at in read]


@pytest.mark.parametrize(
    "text",
    [
        "31 May 2024 14:05",
        "May 31, 2024 2:05 PM",
        "31. Mai 2024, 14:05 Uhr",
        "31 мая 2024 г., 14:05",
        "31 de mayo de 2024 14:05",
        "31 de maio de 2024 às 14:05",
        "vendredi 31 mai 2024 à 14h05",
        "31 maggio 2024, 14:05",
        "vrijdag 31 mei 2024 om 14:05 uur",
        "31 Mei 2024 pukul 14.05",
        "31 Mayıs 2024 Cuma 14:05",
        "31 maja 2024 14:05",
        "2024年5月31日 14:05",
        "2024年5月31日 下午2:05",
        "2024年5月31日（金）14時05分",
        "2024년 5월 31일 오후 2:05",
        "2024. 5. 31. 오후 2:05",
        "Fri May 31 14:05:00 UTC 2024",
        "Fri May 31 14:05:00 2024",
        "Fri May 31 16:05:00 2024 +0200",
        "[31/May/2024:16:05:00 +0200]",
        "Fri, 31 May 2024 14:05:00 GMT",
        "Fri May 31 2024 16:05:00 GMT+0200 (Central European Summer Time)",
        "31-MAY-24 02.05.00 PM",
        "31MAY2024:14:05:00",
        "31st May 2024 at 14:05",
        "2024-05-31-14.05.00.000000",
        "2024:05:31 14:05:00",
        "20240531T140500Z",
        "20240531 14:05",
        "31.05.2024 14:05",
        "31. 5. 2024 14.05",
        "5/31/2024 2:05:00 PM",
        "31/05/24 14:05",
        "2024-05-31 09:05:00 EST",
        "Friday 31.05.2024 14:05",
        "14:05 31.05.2024",
        "２０２４年０５月３１日　１４：０５",
    ],
)
def test_notations_of_people_programs_and_languages(text):
    assert moments([text]) == [datetime(2024, 5, 31, 14, 5)]


def test_a_whole_column_of_numbers_tells_what_they_count():
    assert moments([20240531, 20240601, None]) == [datetime(2024, 5, 31), datetime(2024, 6, 1), None]
    assert moments(["20240531143000"]) == [datetime(2024, 5, 31, 14, 30)]
    assert moments([45443.5, 45444.0]) == [datetime(2024, 5, 31, 12), datetime(2024, 6, 1)]
    assert moments(["45443,25"]) == [datetime(2024, 5, 31, 6)]
    assert moments([2015, 2016]) == [None, None]


@pytest.mark.parametrize(
    "values", [[0, 1_717_180_205], ["0", "1717180205"], ["1970-01-01", "2024-05-31"], ["0000-00-00"]]
)
def test_a_zero_among_times_is_a_missing_one(values):
    read = read_times(pl.Series(values))
    assert read.milliseconds[0] is None
    assert not read.unreadable.any()


def test_day_and_month_are_told_apart_by_the_whole_column():
    assert moments(["12/1/10 8:26", "12/13/10 8:28"])[0] == datetime(2010, 12, 1, 8, 26)
    assert moments(["01/02/2024", "13/02/2024"])[0] == datetime(2024, 2, 1)
    assert moments(["01.02.2024"]) == [datetime(2024, 2, 1)]
    assert moments(["24-01-12", "24-02-28"])[0] == datetime(2024, 1, 12)


@pytest.mark.parametrize("notation", ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"])
@pytest.mark.parametrize("direction", [1, -1])
def test_the_rows_of_a_log_ascend_or_descend_in_the_right_order(notation, direction):
    times = [datetime(2024, month, day, 9) for month in range(1, 7) for day in range(1, 13)][::direction]
    assert moments([time.strftime(notation) for time in times]) == times


def test_many_days_of_one_month_rather_than_one_day_of_many_months():
    times = [datetime(2024, 2, day, hour) for hour in range(8) for day in range(1, 13)]
    assert moments([time.strftime("%d/%m/%Y %H:%M") for time in times]) == times
    assert moments([time.strftime("%m/%d/%Y %H:%M") for time in times]) == times


def test_what_stays_ambiguous_is_asked_for():
    with pytest.raises(
        DataError, match=r"'01/02/2024 14:05' is 1 February 2024 or 2 January 2024.*time_format"
    ) as error:
        moments(["01/02/2024 14:05", "01/02/2024 14:05"])
    assert '"%d/%m/%Y" or "%m/%d/%Y"' in str(error.value)
    assert len(str(error.value)) < 300
    assert moments(["01/02/2024 14:05"], "%m/%d/%Y %H:%M") == [datetime(2024, 1, 2, 14, 5)]
    assert moments(["01/02/2024 14:05"], "%d/%m/%Y") == [datetime(2024, 2, 1, 14, 5)]
    with pytest.raises(DataError, match="day first.*month first"):
        moments(["31/05/2024", "05/31/2024"])


def test_a_format_that_is_none():
    for wrong in ("%d", "day", "%d.%m.%Y %Q"):
        with pytest.raises(UsageError, match="time_format"):
            moments(["1.2.2024"], wrong)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2025, 12, 31)), min_size=1, max_size=20),
    st.sampled_from(
        [
            *("%d.%m.%Y %H:%M:%S", "%d %B %Y %H:%M:%S", "%b %d, %Y %I:%M:%S %p", "%a %b %d %H:%M:%S %Y"),
            *("%d/%b/%Y:%H:%M:%S", "%Y%m%dT%H%M%S", "%Y年%m月%d日 %H:%M:%S", "%d-%b-%y %H:%M:%S", "%Y/%m/%d %H:%M:%S"),
            *("%Y%m%d%H%M%S", "%A, %d. %B %Y, %H:%M:%S", "%Y-%m-%dT%H:%M:%S+00:00"),
        ]
    ),
)
def test_any_moment_in_any_notation_is_read_back(times, notation):
    times = [time.replace(microsecond=0) for time in times]
    texts = [time.strftime(notation) for time in times]
    assert moments(texts) == times
    if "年" not in notation:
        assert moments(texts, notation) == times


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2025, 12, 31)), min_size=1, max_size=20),
    st.sampled_from(["%d/%m/%Y", "%m/%d/%Y", "%d-%m-%y", "%m/%d/%y"]),
)
def test_dates_in_numbers_are_read_back_or_asked_for_but_never_misread(days, notation):
    days = [datetime(day.year, day.month, day.day) for day in days]
    texts = [day.strftime(notation) for day in days]
    assert moments(texts, notation) == days
    telling = [*days, datetime(2024, 5, 30), datetime(2010, 1, 31)]
    assert moments([day.strftime(notation) for day in telling]) == telling


@pytest.mark.parametrize(
    ("values", "name", "found"),
    [
        (["31.05.2024 14:05"], "x", "day first, for example '31.05.2024 14:05'"),
        (["2024-05-31"], "x", "year, month, day"),
        ([1_717_180_205], "x", "seconds since 1970"),
        (["May 31, 2024"], "x", "names of months"),
        (["01/02/2024"], "x", "day or month first"),
        ([20240531], "x", "one number"),
        ([45443.5], "order_date", "spreadsheets"),
        ([45443.5], "price", None),
        ([2015, 2016], "year", None),
        ([0, 23], "hour", None),
        (["14:05"], "time", None),
        ([4.5, 3.0], "rating", None),
        (["blue", "red"], "colour", None),
        (["5", "17"], "item", None),
        ([None], "x", None),
        ([True], "x", None),
    ],
)
def test_what_looks_like_times(values, name, found):
    said = looks_like_times(pl.Series(name, values))
    assert said is None if found is None else found in said


def test_times_of_day():
    assert looks_like_times_of_day(pl.Series(["14:05", "9:30:12", "2:05 pm"]))
    assert not looks_like_times_of_day(pl.Series(["31.05.2024 14:05"]))
    assert not looks_like_times_of_day(pl.Series(["hello"]))
    assert looks_like_times_of_day(pl.Series([time(14, 5)]))
