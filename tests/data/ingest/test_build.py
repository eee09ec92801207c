import json

import numpy as np
import polars as pl
import pytest

from poise.data.ingest.build import build_dataset, load_files
from poise.data.ingest.clean import Cleaning
from poise.errors import DataError, UsageError

DAY = 86_400
START = 1_700_000_000


def _reasons(data):
    return {reason: count for reason, count, _ in data.quarantine.summary()}


def test_build_dataset_from_the_log_of_a_shop():
    events = pl.DataFrame(
        {
            "customer": ["b", "a", "a"],
            "sku": [2, 1, 2],
            "action": ["buy", "view", "view"],
            "at": ["2024-01-03", "2024-01-02 10:00:00", "2024-01-01T00:00:00+01:00"],
            "device": ["web", "app", "app"],
        }
    )
    items = pl.DataFrame({"id": [1, 2, 3], "name": ["one", "two", "three"], "price": ["1.5", "2", "x"]})
    users = pl.DataFrame({"id": ["a", "b"], "city": ["Bonn", "Köln"]})
    data = build_dataset(events, items, users, columns={"timestamp": "at"}, item_kinds={"price": "number"}, name="shop")
    assert data.user_ids.series.to_list() == ["a", "b"]
    assert data.item_ids.series.to_list() == ["1", "2", "3"]
    assert data.item_ids.ids(data.events.item) == ["2", "1", "2"]
    assert data.events.timestamp.tolist() == [1_704_063_600_000, 1_704_189_600_000, 1_704_240_000_000]
    assert data.events.context["device"].to_list() == ["app", "app", "web"]
    assert [data.behaviour_ids.id(code) for code in data.events.behaviour] == ["view", "view", "buy"]
    assert data.titles == ["", "one", "two", "three"]
    assert data.items["price"].to_list() == [1.5, 2.0, None]
    assert data.users["city"].to_list() == ["Bonn", "Köln"]
    assert _reasons(data) == {"items: text where a number is due (price); the cell was emptied, the row kept": 1}


def test_pandas_frames_and_ids_that_became_floats():
    import pandas as pd

    events = pd.DataFrame(
        {
            "user": [1.0, 2.0, np.nan],
            "item": [7, 8, 9],
            "rating": [4, 5, 3],
            "time": pd.to_datetime([START] * 3, unit="s"),
        }
    )
    data = build_dataset(events)
    assert data.user_ids.series.to_list() == ["1", "2"]
    assert data.events.timestamp.tolist() == [START * 1000] * 2
    assert data.behaviour_ids.series.to_list() == ["rate"]
    assert _reasons(data) == {"events: no user_id": 1}


def test_refused_rows_are_in_quarantine_as_they_were_read(tmp_path):
    lines = [
        "user,item,rating,time,source",
        f"a,x,5,{START},web",
        f",x,5,{START},web",
        f"a,,5,{START},web",
        f"a,y,many,{START},web",
        "a,y,5,yesterday,web",
        "a,y,5,,web",
        "a,y,5,1000,web",
        f"a,y,5,{START + 100 * 365 * DAY},web",
        f"a,y,5,{START},web,more",
        f"a,x,5,{START},app",
        f"a,y,1,{START},web",
        f"b,y,,{START},web",
        f"b,z,4,{START},web",
    ]
    (tmp_path / "log.csv").write_text("\n".join(lines))
    (tmp_path / "items.csv").write_text("item_id,title\nx,old\ny,Y\nx,new\n,none\n")
    cleaning = Cleaning(min_value=2, unknown_items="drop")
    data = load_files(tmp_path / "log.csv", tmp_path / "items.csv", cleaning=cleaning)
    assert data.name == "log"
    assert data.titles == ["", "Y", "new"]
    assert data.events.value.tolist()[0] == 5.0
    assert np.isnan(data.events.value[1])
    assert data.n_events == 2
    assert data.quarantine.frames["events"].select("row", "reason").rows() == [
        (2, "events: no user_id"),
        (3, "events: no item_id"),
        (4, "text where a number is due (value)"),
        (5, "timestamp cannot be read"),
        (6, "no timestamp"),
        (7, "impossible time: before 1990-01-01 (earliest)"),
        (8, data.quarantine.frames["events"]["reason"][6]),
        (9, "events: a line that cannot be read"),
        (10, "duplicate: the same event stands there before"),
        (11, "value below 2 (min_value)"),
        (13, "item is not in the items table"),
    ]
    assert data.quarantine.frames["events"]["reason"][6].startswith("impossible time: after")
    assert data.quarantine.frames["events"].row(2, named=True) | {"reason": ""} == {
        "source": "events",
        "row": 4,
        "reason": "",
        "user": "a",
        "item": "y",
        "rating": "many",
        "time": str(START),
        "source_original": "web",
        "_unreadable": None,
    }
    assert data.quarantine.frames["items"]["row"].to_list() == [1, 4]
    assert len(data.quarantine) == 13
    data.quarantine.save(tmp_path / "quarantine.parquet")
    saved = pl.read_parquet(tmp_path / "quarantine.parquet")
    assert saved.columns == ["source", "row", "reason", "record"]
    assert saved["source"].to_list() == ["items"] * 2 + ["events"] * 11
    assert json.loads(saved["record"][4])["rating"] == "many"


def test_a_log_without_timestamps_keeps_its_order_and_its_repetitions():
    data = build_dataset(pl.DataFrame({"user": ["b", "a", "b", "b"], "item": ["x", "y", "z", "x"]}))
    assert not data.events.has_time
    assert data.item_ids.ids(data.events.item) == ["y", "x", "z", "x"]
    assert data.behaviour_ids.series.to_list() == ["interaction"]
    assert len(data.quarantine) == 0


def test_a_canonical_column_name_that_is_already_used():
    frame = pl.DataFrame({"user_id": ["x"], "customer": ["a"], "item": ["i"]})
    data = build_dataset(frame, columns={"user_id": "customer"})
    assert data.user_ids.series.to_list() == ["a"]
    assert data.events.context.columns == ["user_id_original"]


def test_a_column_whose_values_do_not_fit_its_name():
    frame = pl.DataFrame({"user": ["a"], "item": ["i"], "timestamp": ["soon"], "value": ["high"]})
    data = build_dataset(frame, columns={"timestamp": "", "value": ""})
    assert not data.events.has_time
    assert data.events.context.rows(named=True) == [{"timestamp_original": "soon", "value_original": "high"}]


@pytest.mark.parametrize(
    ("events", "options", "message"),
    [
        (
            {"user": ["a"] * 3, "item": ["x"] * 3, "rating": ["good", "bad", "5"]},
            {},
            "'rating' does not hold numbers, .*'good'",
        ),
        (
            {"user": ["a"] * 3, "item": ["x"] * 3, "time": ["noon", "dusk", "1"]},
            {},
            "'time' does not hold times: 'noon'",
        ),
        (
            {"user": ["a"], "item": ["x"], "timestamp": [5]},
            {},
            "none of the 1 events .* 1 impossible time: before 1990",
        ),
        ({"user": ["a"], "item": ["x"]}, {"cleaning": Cleaning(k_core=2)}, "1 k-core: a user with fewer than 2 events"),
        ({"user": [1.5], "item": ["x"]}, {}, "fractions in the column for user_id"),
        ({"user": [["a"]], "item": ["x"]}, {}, "lists in the column for user_id"),
        ({"user": [], "item": []}, {}, "the events have no rows"),
        ({"who": ["a"], "item": ["x"]}, {}, "who it was"),
    ],
)
def test_unusable_data_is_an_error(events, options, message):
    with pytest.raises(DataError, match=message) as caught:
        build_dataset(pl.DataFrame(events), **options)
    assert "\n" not in str(caught.value)


def test_input_that_is_not_a_frame_is_refused():
    with pytest.raises(UsageError, match="the events are a list; give a polars or pandas frame"):
        build_dataset([("a", "x")])


def test_objects_in_a_catalogue_are_columns_and_a_catalogue_may_be_ids_alone():
    events = pl.DataFrame({"user": ["a"], "item": ["x"]})
    data = build_dataset(events, pl.DataFrame({"id": ["x"], "labels": [{"genres": ["sea"], "year": 1999}]}))
    assert data.item_kinds == {"labels.genres": "categories", "labels.year": "number"}
    assert build_dataset(events, pl.DataFrame({"id": ["x", "y"]})).n_items == 2
