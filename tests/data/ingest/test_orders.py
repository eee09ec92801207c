import polars as pl
import pytest

from poise.data.ingest.build import build_dataset, load_files
from poise.data.roles.one_table import describing
from poise.errors import UsageError

ORDERS = pl.DataFrame(
    {
        "CustomerID": ["anna", "anna", "ben", "ben", "chen", "chen", "anna", "ben", "dora", "dora", "chen", "dora"],
        "StockCode": ["mug", "jar", "mug", "pot", "jar", "mug", "pot", "jar", "mug", "pot", "pot", "jar"],
        "Description": [
            "RED MUG",
            "JAR",
            "RED MUG",
            "POT",
            "JAR",
            "MUG?",
            "POT",
            "JAR",
            "RED MUG",
            "POT",
            "POT",
            "JAR",
        ],
        "Price": ["2.5", "1.0", "2.5", "4.0", "1.1", "2.5", "4.0", "1.0", "2.6", "4.0", "4.0", "1.0"],
        "Country": ["FR", "FR", "ES", "ES", "FR", "FR", "FR", "ES", "PT", "PT", "FR", "PT"],
        "Channel": ["web", "app", "app", "web", "app", "web", "web", "web", "app", "app", "app", "web"],
        "Quantity": [1, 2, 3, 1, 2, 3, 1, 1, 2, 2, 1, 4],
    }
)
DESCRIBED = {
    "item_columns": {"title": "Description"},
    "item_columns_in_events": ["Description", "Price"],
    "user_columns_in_events": ["Country"],
}


def test_columns_of_a_log_that_describe_items_and_users_are_told_from_those_of_events():
    taken = ["CustomerID", "StockCode", "Quantity"]
    assert describing(ORDERS, "StockCode", "CustomerID", taken) == (["Description", "Price"], ["Country"])


def test_a_log_with_everything_makes_a_catalogue_of_the_most_frequent_values():
    data = build_dataset(ORDERS, **DESCRIBED)
    assert dict(zip(data.item_ids.series, data.titles[1:], strict=True)) == {
        "mug": "RED MUG",
        "jar": "JAR",
        "pot": "POT",
    }
    assert dict(zip(data.item_ids.series, data.items["Price"], strict=True)) == {"mug": 2.5, "jar": 1.0, "pot": 4.0}
    assert dict(zip(data.user_ids.series, data.users["Country"], strict=True))["ben"] == "ES"
    assert data.events.context.columns == ["Channel"]
    assert "StockCode mug has 2 different values of Description; the most frequent is used" in data.quarantine.notes


def test_files_say_the_same_and_a_catalogue_of_its_own_counts(tmp_path):
    ORDERS.write_csv(tmp_path / "orders.csv")
    pl.DataFrame({"StockCode": ["mug", "jar", "vase"], "Price": ["9", "8", "7"]}).write_csv(tmp_path / "items.csv")
    data = load_files(tmp_path / "orders.csv", tmp_path / "items.csv", **DESCRIBED)
    prices = dict(zip(data.item_ids.series, data.items["Price"], strict=True))
    assert (prices["mug"], prices["vase"]) == (9.0, 7.0)
    assert dict(zip(data.item_ids.series, data.titles[1:], strict=True))["pot"] == "POT"


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(UsageError, match="no column 'Pric' that describes items.*Did you mean 'Price'"):
        build_dataset(ORDERS, item_columns_in_events=["Pric"])


def test_ids_that_are_words_are_titles():
    rows = [("a", "whole milk"), ("a", "soda"), ("b", "rolls and buns"), ("b", "soda")]
    data = build_dataset(pl.DataFrame(rows, schema=["member", "itemDescription"], orient="row"))
    assert sorted(data.titles[1:]) == ["rolls and buns", "soda", "whole milk"]
    assert data.item_kinds == {"title": "text"}
    codes = build_dataset(pl.DataFrame({"user": ["a", "b"], "item": ["B000123", "B000124"]}))
    assert codes.items.width == 0
