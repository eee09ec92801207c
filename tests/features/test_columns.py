from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poise.errors import UsageError
from poise.features import ColumnFeatures

KINDS = {"city": "category", "tags": "categories", "age": "number", "name": "text", "photo": "image"}
TABLE = pl.DataFrame(
    {
        "city": ["Bonn", "Bonn", "Köln", None],
        "tags": [["a", "b", "a"], ["b"], None, []],
        "age": [10.0, 20.0, None, 30.0],
        "name": ["w", "x", "y", "z"],
        "photo": ["1.jpg", "2.jpg", "3.jpg", "4.jpg"],
    }
)


@pytest.fixture
def features():
    return ColumnFeatures.fit(TABLE, KINDS, least=2)


def test_column_features_by_hand(features):
    deviation = np.sqrt(200 / 3)
    # Bonn, other cities, b, other tags, age
    expected = [
        [1, 0, 1, 1, -10 / deviation],
        [1, 0, 1, 0, 0],
        [0, 1, 0, 0, 0],
        [0, 0, 0, 0, 10 / deviation],
    ]
    actual = features.matrix(TABLE, 4)
    assert actual.dtype == np.float32
    assert features.width == 5
    np.testing.assert_allclose(actual.toarray(), expected, rtol=1e-6)


def test_unseen_labels_and_numbers_are_read(features):
    new = pl.DataFrame({"city": ["Ulm", "Bonn"], "tags": ["b", "c"], "age": ["1e9", "old"]})
    np.testing.assert_array_equal(features.matrix(new, 2).toarray(), [[0, 1, 1, 0, 3], [1, 0, 0, 1, 0]])
    wild = pl.DataFrame({"age": [np.nan, np.inf, -1e9]})
    np.testing.assert_array_equal(features.matrix(wild, 3).toarray()[:, 4], [0, 0, -3])
    for nothing in (None, pl.DataFrame({"size": [1, 2]}), TABLE.select("name").head(2)):
        empty = features.matrix(nothing, 2)
        assert empty.shape == (2, 5)
        assert not empty.nnz


def test_other_types_of_cells():
    table = pl.DataFrame({"code": [1, 1, 2], "open": [True, False, True]}).with_columns(
        day=pl.Series(["2024-01-01", "2024-01-02", "2024-01-03"]).str.to_date()
    )
    features = ColumnFeatures.fit(table, {"code": "category", "open": "category", "day": "number"}, least=1)
    assert features.width == 3 + 3 + 1
    np.testing.assert_allclose(features.matrix(table, 3).toarray()[:, 6], [-np.sqrt(1.5), 0, np.sqrt(1.5)], rtol=1e-6)


def test_constant_columns_are_left_out():
    table = pl.DataFrame({"one": [5.0] * 9, "none": pl.Series([None] * 9, dtype=pl.String), "id": list("abcdefghi")})
    assert ColumnFeatures.fit(table, {"one": "number", "none": "category", "id": "category"}).width == 0


def test_selected_columns_by_name():
    assert [column.name for column in ColumnFeatures.fit(TABLE, KINDS, only=["age"], least=2).columns] == ["age"]
    with pytest.raises(UsageError, match="no column 'town'"):
        ColumnFeatures.fit(TABLE, KINDS, only=["town"])
    with pytest.raises(UsageError, match="'photo' holds image"):
        ColumnFeatures.fit(TABLE, KINDS, only=["photo"])


def test_column_features_to_json_and_back(features):
    assert isinstance(json.loads(features.to_json()), list)
    assert ColumnFeatures.from_json(features.to_json()) == features


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.floats(-10, 10)), min_size=1, max_size=30))
def test_features_of_a_row_do_not_depend_on_other_rows(rows):
    table = pl.DataFrame(rows, schema={"label": pl.String, "size": pl.Float64}, orient="row")
    features = ColumnFeatures.fit(table, {"label": "category", "size": "number"}, least=2)
    whole = features.matrix(table, len(rows)).toarray()
    assert np.isfinite(whole).all()
    for row in range(len(rows)):
        np.testing.assert_array_equal(features.matrix(table[[row]], 1).toarray()[0], whole[row])
