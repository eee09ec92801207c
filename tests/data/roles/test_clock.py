from datetime import UTC, datetime

import polars as pl
import pytest

from poise.data.ingest.build import build_dataset
from poise.errors import DataError


def log(**columns):
    n = len(next(iter(columns.values())))
    return pl.DataFrame({"user": ["a", "b", "a"][:n], "item": ["x", "y", "z"][:n], **columns})


def times(data):
    order = data.events.timestamp.argsort()
    return [datetime.fromtimestamp(at / 1000, UTC).replace(tzinfo=None) for at in data.events.timestamp[order].tolist()]


@pytest.mark.parametrize(
    "columns",
    [
        {"date": ["31.05.2024", "1.6.2024"], "time": ["14:05", "9:30"]},
        {"date": ["5/31/2024", "6/1/2024"], "Order Time": ["2:05 PM", "9:30 AM"]},
        {"datum": ["31.05.2024", "01.06.2024"], "uhrzeit": ["14:05:00", "09:30:00"]},
        {"date": [20240531, 20240601], "time": ["14:05", "09:30"]},
    ],
)
def test_dates_and_times_of_day_in_two_columns_are_put_together(columns):
    given = {"timestamp": "datum"} if "datum" in columns else None
    data = build_dataset(log(**columns), columns=given)
    assert times(data) == [datetime(2024, 5, 31, 14, 5), datetime(2024, 6, 1, 9, 30)]
    assert not data.events.context.width
    assert any("were put together as the time" in note for note in data.quarantine.notes)


def test_a_length_is_no_time_of_day_and_stays():
    data = build_dataset(log(date=["2024-05-31", "2024-06-01"], watch_time=["0:30", "1:20"]))
    assert times(data) == [datetime(2024, 5, 31), datetime(2024, 6, 1)]
    assert data.events.context.columns == ["watch_time"]


@pytest.mark.parametrize("values", [[2023, 2024], ["2023", "2024"], [5, 700]])
def test_a_guessed_column_that_counts_is_no_clock(values):
    data = build_dataset(log(day=values))
    assert not data.events.has_time
    assert data.events.context.columns == ["day"]


def test_times_of_day_alone_are_refused():
    with pytest.raises(DataError, match="times of day without a date"):
        build_dataset(log(time=["14:05", "9:30"]), columns={"timestamp": "time"})


def test_what_was_assumed_of_dates_is_noted():
    data = build_dataset(log(date=["12/1/10 8:26", "12/13/10 9:00"]))
    assert data.quarantine.notes == [
        "events: the times of date were read as month first: '12/1/10 8:26' is 2010-12-01 08:26"
    ]


def test_a_format_that_does_not_fit_is_one_short_error():
    with pytest.raises(
        DataError, match=r"'%Y-%m-%d' does not fit the column 'date', which holds '31.05.2024'"
    ) as error:
        build_dataset(log(date=["31.05.2024", "1.6.2024"]), time_format="%Y-%m-%d")
    assert len(str(error.value)) < 250
    data = build_dataset(log(date=["01/02/2024", "03/04/2024"]), time_format="%d/%m/%Y")
    assert times(data) == [datetime(2024, 2, 1), datetime(2024, 4, 3)]


def test_years_that_were_named_as_times_are_refused_shortly():
    with pytest.raises(DataError, match="holds years alone") as error:
        build_dataset(log(year=[2023, 2024]), columns={"timestamp": "year"})
    assert len(str(error.value)) < 250


def test_zeros_are_missing_times():
    data = build_dataset(log(date=[1_717_180_205, 1_717_180_206, 0]))
    assert data.n_events == 2
    assert data.quarantine.summary()[0].reason == "no timestamp"
    assert not build_dataset(log(date=[0, 0])).events.has_time
