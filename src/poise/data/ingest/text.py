"""Tables that are text: delimited, JSON, RecBole atomic files, MovieLens ``::`` files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from poise.data.ingest.delimited import DELIMITERS, UNREADABLE, read_delimited, sniff
from poise.data.ingest.json_text import read_json_array, read_json_lines
from poise.errors import DataError

_RECBOLE = re.compile(r"^[^\t:]+:(token|token_seq|float|float_seq)$")
_MOVIELENS = {
    ("ratings", 4): ("user_id", "item_id", "rating", "timestamp"),
    ("movies", 3): ("item_id", "title", "genres"),
    ("users", 5): ("user_id", "gender", "age", "occupation", "zip_code"),
    ("users", 2): ("user_id", "twitter_id"),
}


def parse_text(content: bytes, path: Path, names: Sequence[str] | None) -> pl.DataFrame:
    """Parse the UTF-8 text ``content`` of the file ``path``; see :func:`poise.data.ingest.read.read_table`."""
    first = content[:65_536].decode(errors="ignore")
    if first.lstrip()[:1] in ("{", "[") and names is None:
        return read_json_array(content, path) if first.lstrip()[0] == "[" else read_json_lines(content, path)
    if {".json", ".jsonl", ".ndjson"} & {suffix.lower() for suffix in path.suffixes}:
        raise DataError(f"{path} is not JSON, though its name says so: it begins with {first.split(chr(10))[0][:40]!r}")
    lines = [line.removesuffix("\r") for line in first.split("\n") if line.strip()][:50]
    header = lines[0]
    if all(_RECBOLE.match(field) for field in header.split("\t")):
        return _recbole(content, path)
    if "::" in header:
        return _movielens(content, path, names)
    if names is None and _holds_sequences(lines):
        return _sequences(content)
    return read_delimited(content, path, sniff(lines), names)


def _holds_sequences(lines: list[str]) -> bool:
    """Tell whether each line is a user and what they did in order, ``user item item ...``, as S3-Rec has it."""
    whole = [line.split(" ") for line in (lines if len(lines) < 50 else lines[:-1]) if line]
    return (
        not any(delimiter in line for line in lines for delimiter in DELIMITERS)
        and all(len(row) > 1 and "" not in row and any(sign.isdigit() for sign in row[0]) for row in whole)
        and len({len(row) for row in whole}) > 1
        and len({row[0] for row in whole}) == len(whole)
    )


def _sequences(content: bytes) -> pl.DataFrame:
    table = pl.DataFrame({"row": [line for line in content.decode().split("\n") if line.strip()]}).select(
        pl.col("row").str.split(" ")
    )
    parts = table.select(user_id=pl.col("row").list.first(), item_id=pl.col("row").list.slice(1))
    return parts.explode("item_id")


def _recbole(content: bytes, path: Path) -> pl.DataFrame:
    table = read_delimited(content, path, "\t", None, quote=None)
    kinds = {column: column.rsplit(":", 1) for column in table.columns if column != UNREADABLE}
    lists = [
        pl.col(column).str.strip_chars().str.split(" ").cast(pl.List(pl.Float64), strict=False)
        if kind == "float_seq"
        else pl.col(column).str.strip_chars().str.split(" ")
        for column, (name, kind) in kinds.items()
        if kind in ("token_seq", "float_seq")
    ]
    return table.with_columns(lists).rename({column: name for column, (name, _) in kinds.items()})


def _movielens(content: bytes, path: Path, names: Sequence[str] | None) -> pl.DataFrame:
    n_fields = content.split(b"\n", 1)[0].count(b"::") + 1
    stem = path.name.split(".")[0].lower()
    columns = names or _MOVIELENS.get((stem, n_fields))
    if columns is None:
        raise DataError(
            f"{path} has {n_fields} fields parted by '::' and no header: say what they are with "
            "names=['user_id', 'item_id', ...]"
        )
    return read_delimited(content.replace(b"::", b"\x1f"), path, "\x1f", columns, quote=None)
