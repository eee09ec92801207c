"""Words go into texts; coordinates, links, codes, JSON and marks of HTML do not."""

from __future__ import annotations

import polars as pl
import pytest

import poise
from poise.data.schema.readable import holds_words
from poise.encoders.passage import compose, readable_columns


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("homepage", ["https://a.example/c", "www.b.example"]),
        ("contact", ["a@b.example", "c@d.example"]),
        ("place", ["48.85, 2.35", "POINT(1 2)", "{'lat': 48.85, 'lng': 2.35}"]),
        ("article", ["AB-1234", "ZX-99A", "QQ77"]),
        ("key", ["550e8400-e29b-41d4-a716-446655440000"]),
        ("shade", ["#ff0000", "#00ff00"]),
        ("since", ["2024-01-02", "2024-01-03 10:00"]),
        ("details", ['{"a": "b"}', "[1, 2]"]),
        ("zip_code", ["Berlin"]),
        ("placeId", ["Berlin"]),
        ("years", ["1984", "1999"]),
    ],
)
def test_what_is_not_read(name, cells):
    assert not holds_words(pl.Series(name, cells))


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("colour", ["red", "blue"]),
        ("hybrid", ["yes", "no"]),
        ("brand", ["3M", "Sony", "LG"]),
        ("format", ["MP3", "CD", "LP"]),
        ("city", ["上海", "北京"]),
        ("blurb", ["A chair of 3 legs", "See https://a.example for more"]),
        ("genres", [["Sci-Fi"], ["Drama"]]),
    ],
)
def test_what_is_read(name, cells):
    assert holds_words(pl.Series(name, cells))


def test_passages_hold_words_alone():
    events = pl.DataFrame({"user_id": ["u", "v"], "item_id": ["a", "b"]})
    items = pl.DataFrame(
        {
            "item_id": ["a", "b"],
            "title": ["Chair &amp; table", "1984"],
            "description": ["<p>A <b>bold</b> chair.</p><br/>See https://a.example/x", "a < b and c > d"],
            "link": ["https://a.example/1", "https://a.example/2"],
            "coordinates": ["48.85, 2.35", "52.52, 13.40"],
            "sku": ["AB-1234", "ZX-99A"],
            "material": ["oak", "paper"],
        }
    )
    data = poise.build_dataset(events, items)
    assert readable_columns(data) == ["title", "description", "material"]
    assert compose(data) == [
        "title: Chair & table. description: A bold chair. See. material: oak",
        "title: 1984. description: a < b and c > d. material: paper",
    ]
