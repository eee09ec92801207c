"""Scaffolding: a ``poise.toml`` for the files in a folder."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from poise.config import PipelineTable
from poise.data.dataset import Dataset
from poise.data.ingest.read import read_table
from poise.data.schema.column_names import Table, guess, resolve
from poise.errors import DataError, PoiseError, UsageError

_SUFFIXES = (
    *(".csv", ".tsv", ".txt", ".dat", ".json", ".jsonl", ".ndjson", ".parquet", ".pq", ".arrow", ".feather", ".ipc"),
    *(".inter", ".item", ".user", ".gz", ".data"),
)
_SAMPLE = 1 << 20  # bytes of a text file that tell what it holds
_ENOUGH_USERS = 50  # to test on, below which a split by time tells more


@dataclass(frozen=True)
class Source:
    """A file, and its column names by canonical name."""

    table: Table
    path: str
    columns: Mapping[str, str]


def find_sources(
    folder: Path, given: Mapping[Table, str | None], columns: Mapping[Table, Mapping[str, str]]
) -> dict[Table, Source]:
    """Return which files hold the events, the catalogue and the users.

    Args:
        folder: where to look, and in ``data/`` below it.
        given: paths that the user names, by table; None for those to find.
        columns: columns that the user names, by table: canonical name to the column's name.

    Raises:
        UsageError: no file holds events.
        DataError: a file that the user named cannot be read.
    """
    sources = {table: _look(folder, path, table, columns) for table, path in given.items() if path is not None}
    named = {source.path for source in sources.values()}
    guesses: list[tuple[int, Source]] = []
    refused = []
    for file in _files(folder):
        path = str(file.relative_to(folder))
        if path in named:
            continue
        try:
            guesses.append((file.stat().st_size, _look(folder, path, None, columns)))
        except PoiseError as error:
            refused.append(str(error))
    for _, source in sorted(guesses, key=lambda guess: -guess[0]):  # of several logs the largest is meant
        sources.setdefault(source.table, source)
    if "events" not in sources:
        why = f" Files that did not fit: {'; '.join(refused[:3])}" if refused else ""
        raise UsageError(
            f"no file in {folder.resolve()} has a column for users and one for items: name the log with --events FILE "
            "and its columns with --columns 'user_id=NAME, item_id=NAME', "
            f"or start from 'poise init --dataset movielens-100k'.{why}"
        )
    return sources


def scaffold(folder: Path, sources: Mapping[Table, Source], dataset: str | None, data: Dataset | None) -> str:
    """Return a ``poise.toml`` with these sources, and other keys as comments.

    Args:
        folder: of the project, which it is named after.
        sources: the files.
        dataset: the name of a known data set, in place of files.
        data: of the files; None before they were read.
    """
    lines = [
        "# What Poise recommends from, and how. 'poise check' looks at the data, 'poise fit' makes a run.",
        f"name = {_quoted(folder.resolve().name)}",
        "",
        "[data]",
    ]
    if dataset is not None:
        lines += [f"dataset = {_quoted(dataset)}"]
    lines += [f"{table} = {_quoted(source.path)}" for table, source in sources.items()]
    titles = {"events": "columns", "items": "item_columns", "users": "user_columns"}
    for table, source in sources.items():
        lines += ["", f"[data.{titles[table]}]  # what Poise calls it = what your file calls it"]
        lines += [f"{canonical} = {_quoted(name)}" for canonical, name in source.columns.items()]
    if dataset is None:
        lines += [
            "",
            "[data.cleaning]  # refused events are kept in quarantine.parquet with the reason",
            "# min_value = 4        # learn from good ratings only",
            "# k_core = 5           # leave out users and items with fewer events",
            '# unknown_items = "drop"  # events of items that the catalogue does not list',
        ]
    lines += [
        "",
        "[encoder]  # reads the catalogue, so that new items are understood",
        '# model = "multilingual"  # for a catalogue that is not in English; "none" to go by behaviour alone',
        "",
        "[pipeline]",
        f"# models = {json.dumps(PipelineTable().models)}  # several are blended, validation weighs them",
        "",
        "[policy]",
        "hide_seen = true  # never recommend what the person already did something with",
        "",
        "[evaluation]",
        f"protocols = {json.dumps(_protocols(data))}",
        "k = [5, 10, 20]",
        "",
        "[fit]",
        "refit = true  # learn from all events, once it is known how good the pipeline is",
        "",
    ]
    return "\n".join(lines)


def _protocols(data: Dataset | None) -> list[str]:
    if data is None or not data.events.has_time:
        return ["leave-last-out"]
    enough = int((np.diff(data.events.offsets) >= 3).sum()) >= _ENOUGH_USERS
    return ["leave-last-out", "global-time"] if enough else ["global-time", "leave-last-out"]


def _files(folder: Path) -> list[Path]:
    places = [folder, folder / "data"]
    files = [file for parent in places if parent.is_dir() for file in sorted(parent.iterdir()) if file.is_file()]
    generated = ("quarantine.parquet",)
    return [file for file in files if file.suffix.lower() in _SUFFIXES and file.name not in generated]


def _look(folder: Path, path: str, table: Table | None, given: Mapping[Table, Mapping[str, str]]) -> Source:
    """Return which table a file holds, by its columns or as the user says."""
    columns = _columns(folder / path)
    if table is not None:
        return Source(table, path, resolve(columns, table, given.get(table)))
    said = given.get("events", {})
    as_events = {**guess(columns, "events"), **said} if set(said.values()) <= {*columns, ""} else {}
    if {"user_id", "item_id"} <= set(as_events):
        return Source("events", path, as_events)
    as_users, as_items = guess(columns, "users"), guess(columns, "items")
    says_users = re.search(r"user|customer|member|people|visitor|client", Path(path).name, re.IGNORECASE)
    if "user_id" in as_users and ("item_id" not in as_items or says_users):
        return Source("users", path, as_users)
    if "item_id" in as_items or "item_id" in given.get("items", {}):
        return Source("items", path, resolve(columns, "items", given.get("items")))
    raise DataError(f"{path} has no column of users or items; it has {', '.join(columns[:8])}")


def _columns(path: Path) -> list[str]:
    """Return the columns of a file from its first megabyte; the sample has the same name, which may tell the format."""
    if not path.is_file() or path.suffix.lower() in (".parquet", ".pq"):
        return list(pl.read_parquet_schema(path)) if path.is_file() and _is_parquet(path) else _table_columns(path)
    with path.open("rb") as file:
        head = file.read(_SAMPLE)
    if len(head) < _SAMPLE or b"\n" not in head or head.startswith((b"\x1f\x8b", b"ARROW1", b"[")):
        return _table_columns(path)
    with tempfile.TemporaryDirectory() as temporary:
        sample = Path(temporary) / path.name
        sample.write_bytes(head[: head.rindex(b"\n") + 1])
        return _table_columns(sample)


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def _table_columns(path: Path) -> list[str]:
    return [name for name in read_table(path).columns if name not in ("_unreadable", "_spoilt")]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a TOML string is written like a JSON one
