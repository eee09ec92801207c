"""Metadata of films, joined to a catalogue by title and year: who made them, who plays in them, where, how long."""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import polars as pl

from poise.errors import DataError

_LISTS = ("director", "writer", "cast", "country", "language")
_LEADING_ARTICLE = re.compile(r"^(the|an|a|le|la|les|l|un|une|il|lo|el|los|las|der|die|das) ")
_YEAR = re.compile(r"\s*\(\d{4}\)(?:\s*\(V\))?\s*$")


def add_metadata(items: pl.DataFrame, database: Path) -> pl.DataFrame:
    """Add director, writer, cast, country and language (lists) and runtime (minutes) to films.

    A film is found if its title, or another title in parentheses behind it, is the same up to case, accents, signs and
    a leading article, and its year is the same or one off. Of several the one of the same year counts, then the one
    with the most votes.

    Args:
        items: with ``title`` (in natural order, the year in parentheses at the end) and ``year``.
        database: the SQLite file with the table ``omdb``.

    Raises:
        DataError: the file is not that database.
    """
    columns = 'Title, Year, Director, Writer, "Cast", Country, Language, Runtime'
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            rows = connection.execute(f"SELECT {columns} FROM omdb ORDER BY imdbVotes DESC, ID").fetchall()
    except sqlite3.Error as error:
        raise DataError(f"{database} is not the database of films ({error})") from error
    by_key = defaultdict(list)
    for row in rows:
        if row[0] and row[1]:
            by_key[_key(row[0])].append(row)
    film_rows = [_find(title, year, by_key) for title, year in zip(items["title"], items["year"], strict=True)]
    metadata = {
        name: pl.Series(name, [row and _split(row[position]) for row in film_rows], dtype=pl.List(pl.String))
        for position, name in enumerate(_LISTS, start=2)
    }
    runtime = pl.Series("runtime", [row and row[7] for row in film_rows], dtype=pl.Float64)
    return items.with_columns(*metadata.values(), runtime)


def coverage(items: pl.DataFrame) -> tuple[int, int]:
    """Return how many films have metadata, and how many films there are."""
    has_metadata = items.select(pl.any_horizontal(pl.col(*_LISTS, "runtime").is_not_null())).to_series()
    return int(has_metadata.sum()), items.height


def _find(title: str, year: float | None, by_key: dict[str, list[tuple]]) -> tuple | None:  # type: ignore[type-arg]
    if year is None:
        return None
    bare = _YEAR.sub("", title)
    titles = [re.sub(r"\s*\(.*?\)", "", bare), bare, *re.findall(r"\((?:a\.k\.a\. )?(.*?)\)", bare)]
    for name in titles:
        near = [row for row in by_key.get(_key(name), []) if abs(row[1] - year) <= 1]
        if near:
            return min(near, key=lambda row: abs(row[1] - year))  # the first of equals has the most votes
    return None


def _key(title: str) -> str:
    plain = unicodedata.normalize("NFKD", title.lower().replace("&", " and "))
    words = re.sub(
        r"[^\w\s]|_", " ", "".join(sign for sign in plain if not unicodedata.combining(sign)).replace("'", "")
    )
    key = " ".join(words.split())
    return _LEADING_ARTICLE.sub("", key)


def _split(names: str | None) -> list[str] | None:
    parts = [name.strip() for name in (names or "").split(",")]
    return [name for name in parts if name] or None
