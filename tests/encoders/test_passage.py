from __future__ import annotations

import polars as pl
import pytest

from poise.data.dataset import Dataset
from poise.data.ingest.indexing import index
from poise.encoders.passage import compose
from poise.errors import UsageError


@pytest.fixture
def films() -> Dataset:
    items = pl.DataFrame(
        {
            "item_id": ["a", "b", "c"],
            "genres": [["Action", "Sci-Fi"], [], None],
            "title": ["The Matrix (1999)", " Bambi. ", None],
            "year": [1999, 1942, None],
            "main_director": ["Wachowski", None, ""],
            "poster": ["a.jpg", "b.jpg", None],
        }
    )
    kinds = {"genres": "categories", "title": "text", "year": "number", "main_director": "category", "poster": "image"}
    events = pl.DataFrame({"user_id": ["u"], "item_id": ["z"]})
    return index(events, items, item_kinds=kinds, title_column="title")


def test_passages_have_the_title_first_and_leave_out_missing_fields(films: Dataset) -> None:
    assert compose(films) == [
        "title: The Matrix (1999). genres: Action, Sci-Fi. main director: Wachowski",
        "title: Bambi",
        "",
        "",  # an item of the log that the catalogue does not list
    ]


def test_a_passage_of_one_column_has_no_field_name(films: Dataset) -> None:
    assert compose(films, ["title"]) == ["The Matrix (1999)", "Bambi", "", ""]


def test_selected_columns_keep_their_order(films: Dataset) -> None:
    assert compose(films, ["year", "title"])[:2] == ["year: 1999. title: The Matrix (1999)", "year: 1942. title: Bambi"]
    assert compose(films, ["year", "title"], field_names=False)[0] == "1999. The Matrix (1999)"


def test_an_unknown_column_is_refused_with_a_suggestion(films: Dataset) -> None:
    with pytest.raises(UsageError, match=r"no column 'titel'.*Did you mean 'title'"):
        compose(films, ["titel"])
    with pytest.raises(UsageError, match="images"):
        compose(films, ["poster"])


def test_a_catalogue_without_columns_gives_empty_passages() -> None:
    data = index(pl.DataFrame({"user_id": ["u", "u"], "item_id": ["a", "b"]}))
    assert compose(data) == ["", ""]
