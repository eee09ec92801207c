import numpy as np
import polars as pl
import pytest

from poise.data.vocabulary import Vocabulary
from poise.errors import DataError


def test_lookups_one_by_one_and_in_bulk_agree():
    vocabulary = Vocabulary(["b", "a", "c"])
    outer_ids = ["c", "x", "b", "a", ""]
    assert vocabulary.index(outer_ids).tolist() == [3, 0, 1, 2, 0]
    many = vocabulary.index(pl.Series(outer_ids * 1_000))
    assert many.dtype == np.int32
    assert many.tolist() == [3, 0, 1, 2, 0] * 1_000
    assert vocabulary.ids(vocabulary.index(outer_ids)) == ["c", "b", "a"]
    assert vocabulary.id(np.uint8(3)) == "c"


def test_duplicate_and_missing_ids_are_refused():
    with pytest.raises(DataError, match="'a' stands twice"):
        Vocabulary(["a", "b", "a"])
    with pytest.raises(DataError, match="an id is missing"):
        Vocabulary(pl.Series(["a", None]))


def test_unknown_and_odd_ids():
    vocabulary = Vocabulary(["1", "É", "a b", "", "x\x00y"])
    for outer_ids in (["1", "É", "a b", "", "x\x00y", "e", "A B", " 1"], ["1"]):
        expected = [
            vocabulary.series.to_list().index(outer_id) + 1 if outer_id in vocabulary else 0 for outer_id in outer_ids
        ]
        assert vocabulary.index(outer_ids).tolist() == expected
        assert vocabulary.index(pl.Series(outer_ids * 2_000)).tolist() == expected * 2_000
    assert vocabulary.index(pl.Series(["1", None])).tolist() == [1, 0]
    assert vocabulary.index(pl.Series(["1", None] * 1_000)).tolist() == [1, 0] * 1_000
    assert vocabulary.index([]).tolist() == []
    assert "2" not in vocabulary
    assert vocabulary.ids([2, 0, 1]) == ["É", "1"]
    with pytest.raises(IndexError):
        vocabulary.id(0)


def test_numbers_are_looked_up_as_text():
    vocabulary = Vocabulary(["7", "3"])
    assert vocabulary.index(pl.Series([3, 7, 1])).tolist() == [2, 1, 0]
    assert vocabulary.index(pl.Series([3, 7, 1] * 1_000)).tolist() == [2, 1, 0] * 1_000


def test_an_empty_vocabulary():
    vocabulary = Vocabulary([])
    assert len(vocabulary) == 0
    assert vocabulary.size == 1
    assert vocabulary.index(["a"]).tolist() == [0]
    assert not vocabulary.index(["a"] * 3_000).any()
    assert vocabulary == Vocabulary(pl.Series([], dtype=pl.String))


@pytest.mark.parametrize(
    "other",
    [["c", "ab"], ["a", "bc"], ["ab"], ["ab", "c", ""], ["ab", "C"], ["ab\x00c"], ["ab\x00", "c"], ["a", "b", "c"]],
)
def test_the_fingerprint_depends_on_order_and_boundaries(other):
    first = Vocabulary(["ab", "c"])
    assert first.fingerprint == Vocabulary(pl.Series("name", ["ab", "c"])).fingerprint
    assert first.fingerprint != Vocabulary(other).fingerprint
    assert first != Vocabulary(other)


def test_ids_with_zero_bytes_are_distinct():
    assert Vocabulary(["a\x00b", "c"]) != Vocabulary(["a", "b\x00c"])
    assert hash(Vocabulary(["a", "b"])) == hash(Vocabulary(["a", "b"]))
