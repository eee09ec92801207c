"""Names of columns to what they speak of: ``Kundennummer`` is of a person and an id."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

from poise.data.roles.vocabulary import BEHAVIOURS, CONCEPTS

_PIECES = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|[а-яА-Я]+|[^\W\d_a-zA-Zа-яА-Я]+|\d+")
_LETTERS = {"ß": "ss", "ø": "o", "æ": "ae", "ł": "l", "ı": "i", "đ": "d"}
_SHORTEST_END = 4  # letters of a known word that ends an unknown one, as in 'Zugriffsdatum'


@cache
def concepts_of(name: str) -> frozenset[str]:
    """Return what the name of a column speaks of: concepts of :data:`~poise.data.roles.vocabulary.CONCEPTS`.

    The words may be parted in any way (``customer_id``, ``customerId``, ``CustomerID``, ``customerid``,
    ``Customer ID``, ``Kundennummer``, ``用户ID``). Words that are not known count as "other".
    """
    return frozenset(concept for word in words_of(name) for concept in _known().get(word, ("other",)) if concept)


@cache
def preference(name: str) -> int:
    """Return how far down its concept's list the first known word of a name stands; less is more usual."""
    ranks = [_ranks()[word] for word in words_of(name) if word in _ranks()]
    return min(ranks, default=999)


@cache
def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a column's name, in lower case and without accents."""
    plain = without_accents(name)
    whole = re.sub(r"[\W_]+", "", plain).lower()
    if whole in _known():
        return (whole,)
    return tuple(word for piece in _PIECES.findall(plain) for word in _segments(piece.lower()))


def without_accents(text: str) -> str:
    """Return ``text`` with plain letters in place of accented Latin and Cyrillic ones and of full-width forms."""
    text = unicodedata.normalize("NFKC", text)
    plain = "".join(_LETTERS.get(letter, letter) for letter in text)
    return "".join(
        unicodedata.normalize("NFKD", letter)[0]
        if unicodedata.combining(unicodedata.normalize("NFKD", letter)[-1]) and letter < "\u0500"
        else letter
        for letter in plain
    )


def is_behaviour(text: str) -> bool:
    """Tell whether a value is a usual name of something that people do: ``add_to_cart``, ``kauf``, ``购买``."""
    plain = re.sub(r"[\W_]+", "", without_accents(text)).lower()
    return plain in _behaviours()


def _segments(piece: str) -> Sequence[str]:
    """Part a run of letters into known words, as few as possible; it stays whole where that cannot be."""
    known = _known()
    if piece in known:
        return (piece,)
    if piece.endswith("s") and piece[:-1] in known:
        return (piece[:-1],)
    best: list[tuple[str, ...] | None] = [(), *([None] * len(piece))]
    for end in range(1, len(piece) + 1):
        for start in range(end):
            before, word = best[start], piece[start:end]
            if before is None or word not in known or (len(word) < 2 and word.isascii()):
                continue
            current = best[end]
            if current is None or len(before) + 1 < len(current):
                best[end] = (*before, word)
    parted = best[-1]
    if parted is not None:
        return parted
    ends = (piece[start:] for start in range(1, len(piece)))
    minimum = _SHORTEST_END if piece.isascii() else 1
    end_word = next((end for end in ends if end in known and len(end) >= minimum), None)
    return (piece,) if end_word is None else (piece[: -len(end_word)], end_word)


@cache
def _known() -> dict[str, tuple[str, ...]]:
    known: dict[str, tuple[str, ...]] = {}
    for concept, words in CONCEPTS.items():
        for word in without_accents(words).split():
            known[word] = (*known.get(word, ()), *(("thing", "id") if concept == "thing_code" else (concept,)))
    for word, concepts in list(known.items()):  # Stück is written Stueck, Stuck
        known.setdefault(re.sub(r"([aou])e", r"\1", word), concepts)
    return known


@cache
def _ranks() -> dict[str, int]:
    ranks: dict[str, int] = {}
    for concept, words in CONCEPTS.items():
        if concept not in ("", "id"):
            for rank, word in enumerate(without_accents(words).split()):
                ranks.setdefault(word, rank)
    return ranks


@cache
def _behaviours() -> frozenset[str]:
    return frozenset(re.sub(r"[\W_]+", "", without_accents(word)).lower() for word in BEHAVIOURS.split())
