import polars as pl
import pytest

from poise.data.schema.column_types import flatten, guess, normalise
from poise.errors import DataError, UsageError

N = 40
WORDS = ["night", "river", "glass", "stone", "paper", "light", "winter", "engine"]
FRAME = pl.DataFrame(
    {
        "title": [f"Item {index}" for index in range(N)],
        "blurb": [f"A {WORDS[index % 8]} by the {WORDS[index % 5]} in {index}, where it ends." for index in range(N)],
        "colour": [WORDS[index % 3] for index in range(N)],
        "genre": ["Drama|War" if index % 2 else "Comedy" for index in range(N)],
        "keywords": ["war, love" if index % 2 else "cars, love, speed" for index in range(N)],
        "topics": [["a", "b"], []] * (N // 2),
        "price": [f"{index}.50" for index in range(N - 1)] + ["NA"],
        "stock": list(range(N)),
        "zip_code": [f"1{index:04d}" for index in range(N)],
        "code_like": [f"0{index:02d}" for index in range(N)],
        "cover": [f"images/{index}.JPG" for index in range(N)],
        "fresh": [True, False] * (N // 2),
    }
)
KINDS = {
    "title": "text",
    "blurb": "text",
    "colour": "category",
    "genre": "categories",
    "keywords": "categories",
    "topics": "categories",
    "price": "number",
    "stock": "number",
    "zip_code": "category",
    "code_like": "category",
    "cover": "image",
    "fresh": "category",
}


def test_column_types_are_guessed_and_values_normalised():
    assert guess(FRAME) == KINDS
    columns, kinds = normalise(FRAME, {})
    assert kinds == KINDS
    assert columns["genre"][:2].to_list() == [["Comedy"], ["Drama", "War"]]
    assert columns["keywords"][0].to_list() == ["cars", "love", "speed"]
    assert columns["price"].to_list() == [index + 0.5 for index in range(N - 1)] + [None]
    types = {"number": pl.Float64, "categories": pl.List(pl.String)}
    assert all(columns[name].dtype == types.get(kind, pl.String) for name, kind in KINDS.items())


def test_given_column_types_override_guesses():
    columns, kinds = normalise(FRAME, {"stock": "category", "genre": "text", "colour": "categories"})
    assert (kinds["stock"], columns["stock"][1]) == ("category", "1")
    assert columns["genre"][1] == "Drama|War"
    assert columns["colour"][0].to_list() == [WORDS[0]]


def test_invalid_column_types_are_refused():
    with pytest.raises(DataError, match="'colour' of the items is said to be a number, but holds 'night'"):
        normalise(FRAME, {"colour": "number"})
    with pytest.raises(UsageError, match="Did you mean 'colour'"):
        normalise(FRAME, {"color": "category"})
    with pytest.raises(UsageError, match="choose from text, category"):
        normalise(FRAME, {"colour": "label"})


def test_vector_columns_are_left_out_with_a_warning():
    with pytest.warns(UserWarning, match="vectors in place"):
        columns, _ = normalise(pl.DataFrame({"place": [[0.1, 0.2]], "a": ["x"]}), {})
    assert columns.columns == ["a"]


def test_structs_in_cells_become_text():
    columns, kinds = normalise(pl.DataFrame({"maker": [{"name": "é"}], "parts": [[{"n": 1}]]}), {})
    assert columns.rows() == [('{"name": "é"}', ['{"n": 1}'])]
    assert kinds == {"maker": "text", "parts": "categories"}


def test_fields_of_objects_become_columns():
    objects = pl.DataFrame(
        {"labels": [{"genre": ["x"], "made": {"year": 1999}}, None], "price": [1, 2], "none": [{}, {}]}
    )
    flat = flatten(objects)
    assert flat.drop("none", strict=False).to_dict(as_series=False) == {
        "labels.genre": [["x"], None],
        "labels.made.year": [1999, None],
        "price": [1, 2],
    }
    many = pl.DataFrame({"sizes": [{f"size {number}": 1 for number in range(101)}]})
    assert flatten(many).columns == ["sizes"]
    with pytest.raises(DataError, match=r"two columns 'a.b': one of that name, and one inside 'a'"):
        flatten(pl.DataFrame({"a": [{"b": 1}], "a.b": [2]}))
