"""Which writing systems texts are in, and texts without what people leave out when they type."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import polars as pl

LETTERS = {
    "Latin": r"\p{Latin}",
    "Chinese": r"\p{Han}",
    "Japanese": r"[\p{Hiragana}\p{Katakana}]",
    "Korean": r"\p{Hangul}",
    "Cyrillic": r"\p{Cyrillic}",
    "Greek": r"\p{Greek}",
    "Arabic": r"\p{Arabic}",
    "Hebrew": r"\p{Hebrew}",
    "Devanagari": r"\p{Devanagari}",
    "Thai": r"\p{Thai}",
}
"""The scripts that are distinguished, each with the regular expression of its characters."""

_ACCENTS = dict.fromkeys(range(0x300, 0x370))  # marks on Latin, Greek and Cyrillic letters; not the vowels of others
_PLAIN = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "æ": "ae",
        "œ": "oe",
        "ı": "i",
        "’": "'",
        "‘": "'",
        "‐": "-",
        "–": "-",
    }
)

_SAMPLE = 10_000  # texts that settle the question; more only take time
_KANA = 0.05  # of the letters: Japanese is written with Chinese characters too, but never without kana


def script_shares(texts: Iterable[str | None] | pl.Series) -> dict[str, float]:
    """Return which share of the letters in ``texts`` belongs to each script, largest first; nothing for no letters.

    Letters of none of :data:`LETTERS` count as "other", Chinese characters as Japanese where there are kana as well. A
    large collection is judged by about 10,000 of its texts, evenly spaced.
    """
    series = texts if isinstance(texts, pl.Series) else pl.Series(list(texts), dtype=pl.String)
    series = series.drop_nulls()
    series = series.gather_every(max(1, len(series) // _SAMPLE))
    letters_only = series.str.replace_all(r"\P{L}", "")  # marks and digits of a script are no letters
    letters = int(letters_only.str.len_chars().sum())
    if not letters:
        return {}
    counts = {script: int(letters_only.str.count_matches(letter).sum()) for script, letter in LETTERS.items()}
    if counts["Japanese"] > _KANA * letters:
        counts["Japanese"] += counts.pop("Chinese")
    counts["other"] = letters - sum(counts.values())
    return {script: count / letters for script, count in sorted(counts.items(), key=lambda count: -count[1]) if count}


def fold(text: str) -> str:
    """Return a text as it is compared with what somebody typed: ``Björk  Live`` and ``bjork live`` are the same.

    Case, accents, widths of letters and repeated blanks do not count, nor do forms of hyphen and apostrophe.
    """
    if not text.isascii():
        plain = unicodedata.normalize("NFKD", text.casefold()).translate(_ACCENTS).translate(_PLAIN)
        text = unicodedata.normalize("NFC", plain)
    return " ".join(text.lower().split())
