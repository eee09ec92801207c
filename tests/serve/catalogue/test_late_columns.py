"""Columns that come later are columns like all others: kinds, filters, labels, titles."""

from __future__ import annotations

import pytest

from poise.data.vocabulary import Vocabulary
from poise.serve.catalogue.catalogue import Catalogue
from poise.serve.errors import InvalidRequestError
from poise.store.records import Item
from poise_client.schema.recommendations import Filter

LATER = [
    Item(f"p{n:02}", {"name": f"Lamp {n}", "genre": ["light", "desk"][n % 2], "tags": ["a", "b"], "price": 10 + n})
    for n in range(12)
]


def _shown(catalogue, **condition):
    return catalogue.item_ids.ids(catalogue.select([Filter(**condition)]).nonzero()[0])


@pytest.fixture
def catalogue():
    """Return the catalogue of a shop that began with its log alone."""
    return Catalogue.of_ids(Vocabulary([item.item_id for item in LATER[:6]]), {}, None)


def test_late_columns_are_filtered_by_and_labelled(catalogue):
    with pytest.raises(InvalidRequestError, match="no column 'genre'"):
        catalogue.select([Filter(column="genre", is_in=["light"])])
    later = catalogue.changed(LATER, [])
    assert {name: later.kinds[name] for name in ("genre", "tags", "price")} == {
        "genre": "category",
        "tags": "categories",
        "price": "number",
    }
    assert _shown(later, column="genre", is_in=["light"]) == ["p00", "p02", "p04", "p06", "p08", "p10"]
    assert _shown(later, column="price", most=11) == ["p00", "p01"]
    assert _shown(later, column="tags", not_in=["a"]) == []
    assert later.label_shares["genre"] == {"light": 0.5, "desk": 0.5}


def test_a_late_name_is_the_title(catalogue):
    assert catalogue.changed(LATER, []).titles[1:3] == ["Lamp 0", "Lamp 1"]
    one = catalogue.changed([Item("p00", {"title": "A title"})], [])
    assert one.titles[1] == "A title"


def test_what_is_described_keeps_its_kind():
    described = Catalogue.of_ids(Vocabulary(["a"]), {"title": "text", "code": "category"}, "title")
    later = described.changed([Item("a", {"title": "T", "code": 7, "name": "N", "weight": "1,5"})], [])
    assert (later.kinds["code"], later.title_column, later.kinds["weight"]) == ("category", "title", "number")
    assert later.frame["weight"].to_list() == [1.5]
    assert later.of_other_ids(Vocabulary(["b"])).kinds == later.kinds
