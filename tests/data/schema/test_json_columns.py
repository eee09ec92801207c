from __future__ import annotations

import polars as pl
import pytest

from poise.data.schema.json_columns import column, frame, labels, text


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        (
            pl.String,
            ["a", True, 3, 3.0, 2.5, ["a", "b"], {"ü": [1]}],
            ["a", "true", "3", "3", "2.5", "a b", '{"ü": [1]}'],
        ),
        (pl.Boolean, [True, "False", "yes", 1], [True, False, None, None]),
        (pl.Float64, ["2.5", 3, True, 10**400, float("inf"), "nan", [1], "x"], [2.5, 3.0, 1.0, *[None] * 5]),
        (pl.Int8, [3, "4", 2.0, 2.5, 300, 10**30], [3, 4, 2, None, None, None]),
        (
            pl.List(pl.String),
            ["a|b, c", "a, b", "a", [1, "x", None], 3],
            [["a", "b, c"], ["a", "b"], ["a"], ["1", "x", None], ["3"]],
        ),
    ],
)
def test_values_are_coerced_to_the_column_type_or_null(dtype, values, expected):
    made = column("x", [None, *values], dtype)
    assert made.dtype == dtype
    assert made.to_list() == [None, *expected]


def test_stored_columns_come_first_and_others_take_the_type_of_their_values():
    made = frame([{"tags": ["a"], "year": "1999"}, None, {"new": True, "price": 3, "note": "n"}], {"year": "Int32"})
    assert made.schema == {
        "year": pl.Int32,
        "tags": pl.List(pl.String),
        "new": pl.Boolean,
        "price": pl.Float64,
        "note": pl.String,
    }
    assert made.rows()[0] == (1999, ["a"], None, None, None)
    assert made["price"].to_list() == [None, None, 3.0]


def test_labels_and_text():
    assert labels(" sea ; ice ;") == ["sea", "ice"]
    assert labels([["a", "b"], 1.0]) == ["a b", "1"]
    assert text([1, None]) == "[1, null]"
