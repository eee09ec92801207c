"""Finding items by the words in them: an inverted index that takes a new item at once."""

from __future__ import annotations

import math
import re
import threading
from array import array
from collections import Counter

import numpy as np

from poise.data.writing_systems import fold
from poise.types import Doubles

K1, B = 1.2, 0.75  # the usual constants of BM25
_SPARE = 10_000  # places that may be out of use before the index is tidied
_WORD = re.compile(r"\w+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")  # scripts written without spaces


class BM25Index:
    """An index of words, ranked by BM25.

    Chinese and Japanese, which have no spaces, are read as pairs of neighbouring signs, and single ones.

    The source is Robertson, Walker, Jones, Hancock-Beaulieu and Gatford, *Okapi at TREC-3*, 1994.
    """

    def __init__(self) -> None:
        self._items: dict[str, array[int]] = {}
        self._counts: dict[str, array[int]] = {}  # 0 where an item no longer has the word
        self._places: dict[int, list[tuple[str, int]]] = {}  # where an item stands, to take it out
        self._texts: dict[int, int] = {}  # hashes
        self._lengths = array("i")
        self._live = self._dead = 0  # places
        self._lock = threading.Lock()  # an array cannot grow while it is looked at

    def put(self, item: int, text: str) -> None:
        """Index the text of an item, in place of what was there."""
        with self._lock:
            if self._texts.get(item) != hash(text):
                self._texts[item] = hash(text)
                self._put(item, text)
            if self._dead > self._live + _SPARE:
                self._tidy()

    def _put(self, item: int, text: str) -> None:
        for word, position in (before := self._places.pop(item, [])):
            self._counts[word][position] = 0
        if len(self._lengths) <= item:
            self._lengths.extend([0] * (item + 1 - len(self._lengths)))
        counts = Counter(words(text))
        self._lengths[item] = sum(counts.values())
        places = []
        for word, count in counts.items():
            items = self._items.setdefault(word, array("i"))
            places.append((word, len(items)))
            items.append(item)
            self._counts.setdefault(word, array("i")).append(count)
        self._places[item] = places
        self._live += len(places) - len(before)
        self._dead += len(before)

    def _tidy(self) -> None:
        """Leave out the places at which items stood before they changed."""
        places: dict[int, list[tuple[str, int]]] = {item: [] for item in self._places}
        for word, items in list(self._items.items()):
            remaining = [(item, count) for item, count in zip(items, self._counts[word], strict=True) if count]
            if not remaining:
                del self._items[word], self._counts[word]
                continue
            self._items[word] = array("i", [item for item, _ in remaining])
            self._counts[word] = array("i", [count for _, count in remaining])
            for position, (item, _) in enumerate(remaining):
                places[item].append((word, position))
        self._places, self._dead = places, 0

    def scores(self, query: str, n: int) -> Doubles:
        """Return how well each of ``n`` items fits, by index, float64 ``[n]``; 0 where no word is in it."""
        with self._lock:
            return self._scores(query, n)

    def _scores(self, query: str, n: int) -> Doubles:
        matches = np.zeros(max(n, len(self._lengths)))
        lengths = np.frombuffer(self._lengths, dtype=np.int32) if self._lengths else np.zeros(1, dtype=np.int32)
        many = max(len(self._places), 1)
        average = max(float(lengths.sum()) / many, 1.0)
        for word in set(words(query)):
            if word not in self._items:
                continue
            items = np.frombuffer(self._items[word], dtype=np.int32)
            counts = np.frombuffer(self._counts[word], dtype=np.int32)
            there = int((counts > 0).sum())
            rare = math.log(1 + (many - there + 0.5) / (there + 0.5))
            np.add.at(matches, items, rare * counts * (K1 + 1) / (counts + K1 * (1 - B + B * lengths[items] / average)))
        return matches[:n]


def words(text: str) -> list[str]:
    """Return the words of a text, without case and accents."""
    tokens = []
    for word in _WORD.findall(fold(text)):
        unspaced = "".join(_UNSPACED.findall(word))
        if unspaced:
            tokens += [*unspaced, *(unspaced[position : position + 2] for position in range(len(unspaced) - 1))]
        if remainder := _UNSPACED.sub("", word):
            tokens.append(remainder)
    return tokens
