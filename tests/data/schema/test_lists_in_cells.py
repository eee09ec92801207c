"""Lists in cells are lists in every notation; a sign inside a label or a number parts nothing."""

from __future__ import annotations

import json

import polars as pl
import pytest

import poise
from poise.data.schema.assumptions import assumptions
from poise.data.schema.column_types import flatten, normalise
from poise.errors import UsageError

GENRES = [["Action", "Sci-Fi"], ["Comedy"], ["Drama", "Comedy"], [], ["Action", "Drama", "War"]]
NOTATIONS = {
    "json": json.dumps,
    "python": repr,
    "tuple": lambda genres: repr(tuple(genres)),
    "numpy": lambda genres: "[" + " ".join(map(repr, genres)) + "]",
    "array": lambda genres: f"array({genres!r}, dtype=object)",
    "java": lambda genres: "[" + ", ".join(genres) + "]",
    "postgres": lambda genres: "{" + ",".join(genres) + "}",
    "objects": lambda genres: json.dumps([{"id": 1, "name": genre} for genre in genres]),
    "python objects": lambda genres: repr([{"id": 1, "name": genre} for genre in genres]),
    "weights": lambda genres: repr({genre: len(genre) for genre in genres}),
    **{sign: lambda genres, sign=sign: sign.join(genres) for sign in ("|", ";", "; ", ", ", "/", "、", "，", " > ")},
}


def _read(name, cells, **options):
    columns, kinds = normalise(flatten(pl.DataFrame({name: cells})), {}, **options)
    return columns[name].to_list(), kinds[name]


@pytest.mark.parametrize("name", ["genres", "kind_of_film"])
@pytest.mark.parametrize("notation", NOTATIONS)
def test_lists_in_every_notation(notation, name):
    cells = [NOTATIONS[notation](GENRES[row % 5]) for row in range(60)]
    lists, kind = _read(name, cells)
    assert kind == "categories"
    assert [cell or [] for cell in lists[:5]] == GENRES


def test_lists_that_never_hold_more_than_one():
    assert _read("kind", ["['Action']", "['Drama']"] * 10) == ([["Action"], ["Drama"]] * 10, "categories")


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("maker", ["Acme, Inc.", "Bolt Co., Ltd.", "Solo", "Foo, LLC"]),
        ("place", ["Paris, France", "Lyon, France", "Rome, Italy", "Milan, Italy"]),
        ("authors", ["Tolkien, J.R.R.", "King, Stephen", "Orwell, George", "Homer"]),
        ("colour", ["red", "blue", "AC/DC", "green"]),
    ],
)
def test_a_sign_inside_a_label_parts_nothing(name, cells):
    assert _read(name, cells * 15) == (cells * 15, "category")


def test_a_comma_inside_a_label_where_another_sign_parts_labels():
    cells = ["Toys, games|Books", "Books", "Home, garden|Books", "Toys, games"] * 10
    assert _read("genres", cells)[0][:2] == [["Toys, games", "Books"], ["Books"]]


def test_entities_are_decoded():
    assert _read("department", ["Toys &amp; Games", "Home &amp; Kitchen", "Books"] * 5)[0][:2] == [
        "Toys & Games",
        "Home & Kitchen",
    ]
    assert _read("title", ["It&#39;s &quot;new&quot;", "Caf&eacute;"])[0] == ['It\'s "new"', "Café"]


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["12,99", "1.299,00", "5,00"], [12.99, 1299, 5]),
        (["1,299.00", "49.99", "2,050.00"], [1299, 49.99, 2050]),
        (["€ 12.50", "€ 1,299.00", "€ 5"], [12.5, 1299, 5]),
        (["12,50 €", "1.299,– €", "5 EUR"], [12.5, 1299, 5]),
        (["1 299,00", "1\u00a0000,50", "7"], [1299, 1000.5, 7]),
        (["$1,299", "$800", "$12"], [1299, 800, 12]),
        (["€ 1.299", "€ 800", "€ 12"], [1299, 800, 12]),
        (["1'299.00", "5.50", "0.95"], [1299, 5.5, 0.95]),
        (["0,5", "-1,25", "NA"], [0.5, -1.25, None]),
        (["99元", "¥1,200", "3"], [99, 1200, 3]),
    ],
)
def test_prices_are_numbers(cells, numbers):
    assert _read("price", cells * 10) == (numbers * 10, "number")


def test_fields_of_json_in_cells_are_columns():
    cells = ['{"genre": ["A", "B"], "made": "here"}', "null", '{"genre": []}']
    columns, kinds = normalise(flatten(pl.DataFrame({"labels": cells})), {})
    assert columns.columns == ["labels.genre", "labels.made"]
    assert (columns["labels.genre"].to_list(), kinds["labels.genre"]) == ([["A", "B"], None, []], "categories")
    assert flatten(pl.DataFrame({"labels": cells}), keep=["labels"]).columns == ["labels"]


def test_a_text_in_several_parts_is_one_text():
    assert _read("description", ["['A line.', 'Another.']", "['One.']"]) == (["A line. Another.", "One."], "text")


def test_a_separator_can_be_set():
    cells = ["a-b", "b", "c-a"] * 5
    assert _read("kind", cells)[1] == "category"
    assert _read("kind", cells, separators={"kind": "-"}) == ([["a", "b"], ["b"], ["c", "a"]] * 5, "categories")
    assert _read("price", ["1,299", "2,500"] * 5)[0][0] == 1299
    assert _read("price", ["1,299", "2,500"] * 5, separators={"price": ","})[0][0] == 1.299
    with pytest.raises(UsageError, match="no column 'kinds' to take apart"):
        _read("kind", cells, separators={"kinds": "-"})


def test_what_was_assumed_is_said_with_three_examples():
    items = pl.DataFrame(
        {
            "item_id": ["1", "2", "3", "4"],
            "genres": ["Action|War", "Drama", "War|Drama", "Action|Drama"],
            "price": ["12,99", "1.299,00", "5", "7,50"],
            "stock": ["1", "2", "3", "4"],
        }
    )
    said = [assumption.words for assumption in assumptions(items.drop("item_id"))]
    assert said == [
        "items: genres holds labels parted by '|': 'Action|War' is 'Action', 'War'; 'War|Drama' is 'War', 'Drama'; "
        "'Action|Drama' is 'Action', 'Drama'",
        "items: price holds numbers whose decimals begin with a comma: '12,99' is 12.99; '1.299,00' is 1299; "
        "'7,50' is 7.5",
    ]
    events = pl.DataFrame({"user_id": ["a", "b", "c", "d"], "item_id": ["1", "2", "3", "4"]})
    assert poise.build_dataset(events, items).quarantine.notes == said
