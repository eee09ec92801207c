from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poise.serve.catalogue import bm25_index as module
from poise.serve.catalogue.bm25_index import BM25Index, words

TEXTS = ["the old man and the sea", "the sea, the sea", "moon over the old town", "", "a man"]


def bm25(texts, query, k1=1.2, b=0.75):
    """The formula, word by word."""
    split = [words(text) for text in texts]
    average = sum(map(len, split)) / len(split)
    scores = [0.0] * len(texts)
    for word in set(words(query)):
        having = sum(word in document for document in split)
        rare = math.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
        for position, document in enumerate(split):
            count = document.count(word)
            scores[position] += rare * count * (k1 + 1) / (count + k1 * (1 - b + b * len(document) / average))
    return scores


def index(texts):
    built = BM25Index()
    for position, text in enumerate(texts):
        built.put(position, text)
    return built


@pytest.mark.parametrize("query", ["sea", "the old sea", "moon man", "nothing", "", "SEA!"])
def test_bm25_scores_agree_with_the_formula(query):
    assert index(TEXTS).scores(query, len(TEXTS)) == pytest.approx(bm25(TEXTS, query))


def test_scripts_without_spaces_are_indexed_by_character_pairs():
    built = index(["東京の夜景", "京都の寺", "Tokyo 東京"])
    assert words("東京の夜") == ["東", "京", "の", "夜", "東京", "京の", "の夜"]
    scores = built.scores("東京", 3)
    assert scores[0] > scores[1] > 0
    assert scores[2] > scores[1]
    assert words("iPhone15 ケース") == ["iphone15", "ケ", "ー", "ス", "ケー", "ース"]


@settings(deadline=None, derandomize=True)
@given(changes=st.lists(st.tuples(st.integers(0, 4), st.text("abc ", max_size=8)), max_size=40))
def test_a_changed_item_scores_as_in_a_fresh_index(changes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SPARE", 3)
        texts, built = list(TEXTS), index(TEXTS)
        for position, text in changes:
            texts[position] = text
            built.put(position, text)
    if any(texts):
        assert built.scores("a b sea old", 5) == pytest.approx(index(texts).scores("a b sea old", 5))


def test_the_index_does_not_grow_with_changes():
    draw, built = random.Random(0), BM25Index()
    for position in range(20_000):
        built.put(position % 50, " ".join(draw.choices("abcdefgh", k=6)))
        built.put(position % 50 + 50, "the same as before")
    assert sum(map(len, built._items.values())) < 12_000
