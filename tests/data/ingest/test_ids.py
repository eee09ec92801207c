"""Ids are in one form wherever they come from."""

from __future__ import annotations

import unicodedata
import uuid

import pandas as pd
import polars as pl
import pytest

import poise
from poise.data.ingest.ids import normalise_ids
from poise.data.schema.id_form import normalise_id
from poise.errors import DataError


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        (["a ", "\u00a0b", "\u3000c\u200b", "d"], ["a", "b", "c", "d"]),
        ([unicodedata.normalize("NFD", "Zoë"), "Zoë"], ["Zoë", "Zoë"]),
        (["NULL", "nan", "NA", "None", "\\N", "  ", "", None, "x"], [None] * 8 + ["x"]),
        (["201", "201.0", "7"], ["201", "201", "7"]),
        (["201.0", "nan"], ["201", None]),
        (["201.0", "B7"], ["201.0", "B7"]),
        (["007", "1e5", "1.50"], ["007", "1e5", "1.50"]),
        ([7.0, None, float("nan")], ["7", None, None]),
        ([9007199254740993, 7], ["9007199254740993", "7"]),
        ([uuid.UUID(int=2**127 + 5).bytes, None], [str(uuid.UUID(int=2**127 + 5)), None]),
        ([b"ab", b"c"], ["ab", "c"]),
        ([{"$oid": "5f"}, {"$oid": "60"}], ["5f", "60"]),
    ],
)
def test_ids_are_normalised(given, ids):
    assert normalise_ids(pl.Series("id", given, strict=False)).to_list() == ids


def test_one_id_is_normalised_as_a_column_of_ids_is():
    for text in ("a ", "\u00a0b", "Zoe\u0308", "NULL", "", "x"):
        assert (normalise_id(text) or None) == normalise_ids(pl.Series([text]))[0]


def test_floats_that_have_lost_digits_are_refused():
    with pytest.raises(
        DataError, match=r"floats such as 900719925474099\d in the column for user_id .* digits are lost"
    ):
        poise.build_dataset(pl.DataFrame({"user_id": [9007199254740994.0, None], "item_id": ["x", "y"]}))


def test_what_was_merged_is_noted():
    events = pl.DataFrame({"user_id": ["a", "a ", "b", "NULL"], "item_id": ["1", "1.0", "2", "2"]})
    data = poise.build_dataset(events)
    assert (data.n_users, data.n_items, data.n_events) == (2, 2, 3)
    assert [refusal.reason for refusal in data.quarantine.summary()] == ["events: no user_id"]
    assert data.quarantine.notes == [
        "events: 1 of user_id stood there in several forms and were merged, such as 'a' and 'a '",
        "events: 1 of item_id stood there in several forms and were merged, such as '1' and '1.0'",
    ]


def test_ids_in_months_of_other_types_keep_their_digits(tmp_path):
    big = 9007199254740993
    pl.DataFrame({"user_id": [100.0, None], "item_id": [big, big + 1]}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"user_id": ["100", "guest-7"], "item_id": [7.0, 8.0]}).write_parquet(tmp_path / "2.parquet")
    data = poise.load_files(tmp_path)
    assert sorted(data.user_ids.series) == ["100", "guest-7"]
    assert sorted(data.item_ids.series) == ["7", "8", str(big)]


@pytest.mark.parametrize("types", [("1,", "1.0,"), ("100.0,", "guest-7,")])
def test_months_of_csv_with_and_without_gaps(tmp_path, types):
    for month, user in enumerate(types):
        (tmp_path / f"{month}.csv").write_text(f"user_id,item_id\n{user}x\n{user}y\n")
    data = poise.load_files(tmp_path)
    assert not [user for user in data.user_ids.series if user.endswith(".0")]


def test_json_ids_of_64_bits_keep_their_digits(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"user_id": 9007199254740993, "item_id": "x"}\n{"user_id": 7.0, "item_id": "y"}\n')
    assert sorted(poise.load_files(path).user_ids.series) == ["7", "9007199254740993"]
    path.write_text('{"user_id": 12345678901234567890123, "item_id": NaN}\n{"user_id": 7, "item_id": "y"}\n')
    assert poise.load_files(path).user_ids.series.to_list() == ["7"]


def test_users_are_found_in_any_form():
    data = poise.build_dataset(pl.DataFrame({"user_id": ["Zoë", "b"], "item_id": ["1", "2"]}))
    assert data.queries(["Zoe\u0308 "]).user.tolist() == data.queries(["Zoë"]).user.tolist()


@pytest.mark.parametrize(
    "items",
    [
        [7, "B7", "8"],
        [None, 7, "x"],
        [uuid.UUID(int=3), uuid.UUID(int=4), uuid.UUID(int=5)],
        [7.0, "B7", None],
    ],
)
def test_mixed_pandas_columns_are_text(items):
    events = pd.DataFrame({"user_id": ["a", "b", "c"], "item_id": items, "page": [1, "home", None]})
    data = poise.build_dataset(events)
    assert set(data.item_ids.series) == {str(int(i) if isinstance(i, float) else i) for i in items if i is not None}


def test_pandas_frames_with_an_index_repeated_names_and_numbers_for_names():
    events = pd.DataFrame({"user_id": ["a", "b"], "item_id": ["x", "y"]})
    items = pd.DataFrame({"title": ["X", "Y"]}, index=pd.Index(["x", "y"], name="item_id"))
    assert poise.build_dataset(events, items).titles == ["", "X", "Y"]
    assert poise.Dataset.from_frames(events.set_index(pd.Index([5, 9]))).n_events == 2
    twice = pd.DataFrame([["a", "x", "y"]], columns=["user_id", "item_id", "item_id"])
    with pytest.raises(DataError, match="two columns of the name item_id"):
        poise.build_dataset(twice)
    with pytest.raises(DataError, match="they have: 0, 1"):
        poise.build_dataset(pd.DataFrame([["a", "x"]]))
