"""Which item somebody means: by id, by title, by a part of one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import cached_property

import numpy as np
import polars as pl

from poise.data.schema.id_form import normalise_id
from poise.data.vocabulary import Vocabulary
from poise.data.writing_systems import fold
from poise.errors import UnknownIdError, UsageError
from poise.types import Offsets

_SEPARATORS = ",;，；、"
_STRONG = ";；"  # what separates titles that hold commas
_QUOTES = {'"': '"', "'": "'", "“": "”", "„": "“", "«": "»", "「": "」", "《": "》"}
_PART = re.compile(rf"([^{_SEPARATORS}]*)([{_SEPARATORS}]|$)")
_YEAR = r"\s*\(\d{4}\)\s*$"
_NAMED = 3  # items that an error names
_SHORT = 2  # letters of words that tell no title from another


def find_items(words: Sequence[str], item_ids: Vocabulary, titles: Sequence[str], counts: Offsets) -> list[int]:
    """Return the index of the item that each of ``words`` means: an id, a title, or a part of exactly one title.

    Case, accents and signs do not count, nor does a year in parentheses at the end of a title. Of several items with
    the same title the one with the most events is meant.

    Args:
        words: ids, titles or parts of titles.
        item_ids: the ids of the catalogue.
        titles: what each item is called, by index, from padding on.
        counts: how many events each item has, int64 ``[n_items + 1]``.

    Raises:
        UnknownIdError: no item fits, or several do; close titles are named.
    """
    if isinstance(words, str):
        raise UsageError(f"words is a list of ids or titles; for one item write [{words!r}]")
    names = _Names(item_ids, titles, counts)
    return [names.one(word.strip()) for word in words]


def find_list(line: str, item_ids: Vocabulary, titles: Sequence[str], counts: Offsets) -> list[int]:
    """Return the items that a line such as ``Toy Story, The Good, the Bad and the Ugly`` names, in order.

    Between names stand commas or semicolons. Titles may hold them too: what stands in quotes is one name, and so is
    what stands between semicolons; else, from the left, the longest run of parts that is an id, a title or a part of
    exactly one title.

    Raises:
        UnknownIdError: a part fits no item, or several.
    """
    names = _Names(item_ids, titles, counts)
    parts = list(_parts(line))
    items = []
    while parts:
        length = names.longest(parts)
        items.append(names.one(_joined(parts[:length])))
        parts = parts[length:]
    return items


class _Part:
    """A part of a line between two separators.

    Attributes:
        text: without the blanks and quotes around it.
        raw: with all that stands around it, and the separator after it.
        quoted: whether it stood in quotes.
        closed: whether what follows it is a semicolon, or nothing.
    """

    def __init__(self, text: str, raw: str, *, quoted: bool) -> None:
        self.text, self.raw, self.quoted = text.strip(), raw, quoted
        self.closed = raw[-1:] in _STRONG or raw[-1:] not in _SEPARATORS


def _parts(line: str) -> Iterator[_Part]:
    """Take a line apart at commas and semicolons outside quotes; empty parts are left out."""
    place = 0
    while place < len(line):
        start = place + len(line[place:]) - len(line[place:].lstrip())
        closing = _QUOTES.get(line[start : start + 1])
        # A quote that is not closed before a separator, as in 'Til There Was You, belongs to the title.
        quoted = closing and re.compile(rf"(.[^{closing}]*{closing})\s*([{_SEPARATORS}]|$)").match(line, start)
        found = quoted or _PART.match(line, place)
        assert found is not None
        text = found[1][1:-1] if quoted else found[1]
        if text.strip():
            yield _Part(text, line[place : found.end()], quoted=bool(quoted))
        place = max(found.end(), place + 1)


def _joined(parts: Sequence[_Part]) -> str:
    """Return parts as the one name that they are taken for."""
    if len(parts) == 1:
        return parts[0].text
    return "".join(part.raw for part in parts).strip().rstrip(_SEPARATORS).strip()


def _letters(title: str) -> str:
    """Return a title as somebody types it who leaves out its signs: ``nwa`` for ``N.W.A``."""
    return re.sub(r"[\W_]+", "", fold(title).replace("&", "and"))


class _Names:
    """The ids and titles of a catalogue, to find in."""

    def __init__(self, item_ids: Vocabulary, titles: Sequence[str], counts: Offsets) -> None:
        self.item_ids, self.titles, self.popular = item_ids, titles, counts[1:]
        lower = pl.Series("title", titles[1:], dtype=pl.String).str.to_lowercase()
        folded = pl.Series("title", [fold(title) for title in titles[1:]], dtype=pl.String)
        self.folded = folded
        self.bare = folded.str.replace(_YEAR, "")
        self.same = [(str.lower, lower), (str.lower, lower.str.replace(_YEAR, "")), (fold, folded), (fold, self.bare)]
        self.whole = {*folded, *self.bare}

    @cached_property
    def letters(self) -> pl.Series:
        """Each title by its letters and digits alone; the year at its end does not count."""
        return pl.Series("title", [_letters(title) for title in self.bare], dtype=pl.String)

    def _most_popular(self, places: Offsets) -> int:
        return int(places[np.argmax(self.popular[places])]) + 1

    def is_whole(self, word: str) -> bool:
        """Tell whether a word is an id or a whole title."""
        return word in self.item_ids or fold(word) in self.whole

    def partial(self, word: str) -> Offsets:
        """Return the places in the catalogue of the titles that hold a word, the most popular first."""
        wanted = fold(word)
        if not wanted:
            return np.empty(0, dtype=np.int64)
        fitting = np.flatnonzero(self.folded.str.contains(wanted, literal=True).to_numpy())
        return fitting[np.argsort(-self.popular[fitting], kind="stable")]

    def longest(self, parts: Sequence[_Part]) -> int:
        """Return how many parts, from the first on, are one name."""
        if parts[0].quoted:
            return 1
        unquoted = next((n for n, part in enumerate(parts) if part.quoted), len(parts))
        for length in range(unquoted, 0, -1):
            if self.is_whole(_joined(parts[:length])):
                return length
        closed = next((n for n, part in enumerate(parts[:unquoted], 1) if part.closed), unquoted)
        for length in range(closed, 1, -1):
            if len(self.partial(_joined(parts[:length]))) == 1:
                return length
        return 1

    def one(self, word: str) -> int:
        """Return the item that a word means.

        Raises:
            UnknownIdError: no item fits, or several do.
        """
        if (outer := normalise_id(word)) in self.item_ids:
            return int(self.item_ids.index([outer])[0])
        for form, names in self.same:
            if len(same := np.flatnonzero((names == form(word)).to_numpy())):
                return self._most_popular(same)
        fitting = self.partial(word)
        if len(fitting) == 1:
            return int(fitting[0]) + 1
        if len(fitting):
            first = self._quoted(fitting[:_NAMED])
            raise UnknownIdError(f"{word!r} fits {len(fitting)} items, among them {first}: be more precise")
        if len(same := np.flatnonzero((self.letters == _letters(word)).to_numpy())) and _letters(word):
            return self._most_popular(same)
        close = self._close(fold(word))
        hint = f"Did you mean {self._quoted(close)}?" if close else "Give an id, a title, or a part of one"
        raise UnknownIdError(f"no item has the id or title {word!r}. {hint}")

    def _quoted(self, places: Sequence[int] | Offsets) -> str:
        return ", ".join(repr(self.titles[place + 1]) for place in places)

    def _close(self, wanted: str) -> list[int]:
        """Return the places of the titles nearest to a word: spelt nearly so, or made of words spelt nearly so."""
        place_of: dict[str, int] = {}
        for place in np.argsort(self.popular, kind="stable").tolist():  # of two with one title the more popular stays
            place_of[self.bare[place]] = place
        if close := get_close_matches(wanted, list(place_of), n=_NAMED):
            return [place_of[title] for title in close]
        words = sorted({word for title in place_of for word in title.split() if len(word) > _SHORT})
        corrected = [*filter(None, (next(iter(get_close_matches(word, words, n=1)), "") for word in wanted.split()))]
        fitting = [place for place in place_of.values() if corrected and all(map(self.folded[place].count, corrected))]
        return sorted(fitting, key=lambda place: -self.popular[place])[:_NAMED]
