"""Which files of a folder hold the events, the catalogue and the users, and which columns play which role."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from poise.data.ingest.delimited import UNREADABLE
from poise.data.ingest.frames import SPOILT_CELLS
from poise.data.ingest.read import read_table
from poise.data.roles.guess import ENOUGH, guess_roles
from poise.data.roles.one_table import describing
from poise.data.roles.tables import Told, has_header, name_columns, tell_table, unused
from poise.data.schema.column_names import CANONICAL, Table, resolve
from poise.errors import PoiseError, UsageError

_SUFFIXES = (
    *(".csv", ".tsv", ".txt", ".dat", ".json", ".jsonl", ".ndjson", ".parquet", ".pq", ".arrow", ".feather", ".ipc"),
    *(".inter", ".item", ".user", ".gz", ".data", ".base"),
)
_SAMPLE = 1 << 20  # bytes of a text file that tell what it holds
_POSSIBLE = 25.0  # points, from which a column may stand for people where no file has a better one
_RELATED = 0.3  # share of the ids of a log that another column of a catalogue must know more of, to be taken instead

Ask = Callable[[str, str, Sequence[str]], str]
"""Asks which column is meant: what for, the guess, and what there is; returns a name, or an empty one for none."""


@dataclass(frozen=True)
class Source:
    """A file, and what its columns are.

    Attributes:
        table: what it holds.
        path: from the project folder on.
        columns: its column names by canonical name; an empty name for a role that no column plays, as the user says.
        names: what its columns are called, if it has no header; else None.
        unsure: roles for which another column may be meant, with these others.
        unused: columns that play no role, with what they look like. Those of catalogues are all read.
        of_items: columns of a log that describe the item.
        of_users: columns of a log that describe the user.
        title_of_items: the one of ``of_items`` that people know an item by.
    """

    table: Table
    path: str
    columns: Mapping[str, str]
    names: Sequence[str] | None = None
    unsure: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unused: Mapping[str, str] = field(default_factory=dict)
    of_items: Sequence[str] = ()
    of_users: Sequence[str] = ()
    title_of_items: str | None = None


@dataclass(frozen=True)
class Sources:
    """The files of a project.

    Attributes:
        tables: the source of each table.
        left: files that are not used, by path, with the reason.
    """

    tables: Mapping[Table, Source]
    left: Mapping[str, str] = field(default_factory=dict)


def find_sources(
    folder: Path,
    given: Mapping[Table, str | None],
    columns: Mapping[Table, Mapping[str, str]],
    ask: Ask | None = None,
) -> Sources:
    """Return which files hold the events, the catalogue and the users.

    Args:
        folder: where to look, and in ``data/`` below it.
        given: paths that the user names, by table; None for those to find.
        columns: columns that the user names, by table: canonical name to the column's name.
        ask: called where it is not sure which column is meant; None to take the guess.

    Raises:
        UsageError: no file holds events.
        DataError: a file that the user named cannot be read.
    """
    named: dict[Table, str] = {table: path for table, path in given.items() if path is not None}
    found: dict[Table, list[tuple[float, int, str]]] = {"events": [], "items": [], "users": []}
    left: dict[str, str] = {}
    for file in _files(folder):
        path = str(file.relative_to(folder))
        if path in named.values():
            continue
        try:
            told = _tell(file, columns)
        except PoiseError as error:
            left[path] = str(error)
            continue
        if told is None:
            left[path] = "it has no column of users or items"
        else:
            found[told.table].append((min(told.score, ENOUGH), file.stat().st_size, path))
    if "events" not in named:
        logs = sorted(found["events"], key=lambda log: (-log[0], -log[1]))  # of several logs the largest is meant
        if not logs:
            raise UsageError(_no_log(folder, left))
        named["events"] = logs[0][2]
        left.update({path: "another log; 'poise data import' adds it later" for _, _, path in logs[1:]})
    log = _Open(folder, named["events"], "events", columns, ask)
    tables: dict[Table, Source] = {}
    kept: dict[Table, _Open] = {}
    for table in ("items", "users"):
        if table in named:
            kept[table] = _Open(folder, named[table], table, columns, ask).related_to(log, columns)
            continue
        others = [_Open(folder, path, table, columns, None) for _, _, path in found[table]]
        ranked = sorted((other.related_to(log, columns) for other in others), key=lambda other: -other.overlap)
        for place, other in enumerate(ranked):
            if place == 0 and other.overlap > 0:
                kept[table] = other
            else:
                role = "item_id" if table == "items" else "user_id"
                left[other.path] = (
                    f"its {other.columns[role]} are not those of the events"
                    if not other.overlap
                    else (f"{kept[table].path} has more of the {table}")
                )
    tables["events"] = log.source(kept.get("items"), kept.get("users"))
    tables.update({table: opened.source(None, None) for table, opened in kept.items()})
    return Sources(tables, left)


class _Open:
    """A file that was read, with the roles of its columns.

    Attributes:
        path: from the project folder on.
        frame: its rows.
        columns: its column names by canonical name.
        overlap: the share of the ids of the log that it knows.
    """

    def __init__(
        self, folder: Path, path: str, table: Table, given: Mapping[Table, Mapping[str, str]], ask: Ask | None
    ) -> None:
        self.path = path
        self.table = table
        self.names: list[str] | None = None
        self.overlap = 1.0
        self.frame = _plain(read_table(folder / path))
        said = given.get(table, {})
        if not said and not has_header(self.frame):
            self.frame, self.names = _headless(folder / path)
        choices = guess_roles(self.frame, table, said)
        possible = {role: choice for role, choice in choices.items() if choice.score >= _least(role, table)}
        self.unsure = {
            role: choice.rivals
            for role, choice in possible.items()
            if choice.rivals or (choice.score < ENOUGH and role in ("user_id", "item_id"))
        }
        guessed = {role: choice.name for role, choice in possible.items()}
        if ask is not None:
            guessed = self._asked(guessed, ask)
        known = {**guessed, **said}
        none = {role: name for role, name in known.items() if not name}  # which the next guess must know
        self.columns = {**resolve(self.frame, table, known), **none}

    def _asked(self, guessed: dict[str, str], ask: Ask) -> dict[str, str]:
        needed = ("user_id", "item_id") if self.table == "events" else ()
        for role in dict.fromkeys([*self.unsure, *(role for role in needed if role not in guessed)]):
            guessed[role] = ask(f"{self.path}: {role}", guessed.get(role, ""), self.frame.columns)
        self.unsure = {}
        return guessed

    def related_to(self, log: _Open, given: Mapping[Table, Mapping[str, str]]) -> _Open:
        """Measure how many ids of the log this catalogue knows, and take the column of ids that knows the most."""
        role = "item_id" if self.table == "items" else "user_id"
        ids = log.frame[log.columns[role]].cast(pl.String).str.strip_chars().unique()
        shares = {}
        for column in self.frame.get_columns():
            if not column.dtype.is_nested():
                known = column.cast(pl.String, strict=False).str.strip_chars().unique()
                shares[column.name] = float(ids.is_in(known.implode()).mean() or 0.0)  # type: ignore[arg-type]
        self.overlap = shares.get(self.columns[role], 0.0)
        best = max(shares, key=lambda name: shares[name])
        distinct = self.frame[best].n_unique() / max(self.frame.height, 1)
        if shares[best] > self.overlap + _RELATED and distinct > 0.5 and not given.get(self.table, {}).get(role):
            others = {name: of for name, of in self.columns.items() if name != role and of != best}
            self.columns = {role: best, **others}
            self.overlap = shares[best]
        return self

    def source(self, items: _Open | None, users: _Open | None) -> Source:
        """Return what was found, with the columns of a log that describe items and users unless a file does."""
        columns = {role: self.columns[role] for role in CANONICAL[self.table] if role in self.columns}
        source = Source(self.table, self.path, columns, self.names, self.unsure)
        if self.table != "events":
            return source
        of_items, of_users = describing(self.frame, columns["item_id"], columns["user_id"], [*columns.values()])
        of_items = [] if items is not None else of_items
        of_users = [] if users is not None else of_users
        taken = [*columns.values(), *of_items, *of_users]
        title = guess_roles(self.frame.select(of_items), "items", {"item_id": ""}).get("title")
        return replace(
            source,
            of_items=of_items,
            of_users=of_users,
            title_of_items=None if title is None else title.name,
            unused=unused(self.frame, taken),
        )


def _least(role: str, table: Table) -> float:
    return _POSSIBLE if table == "events" and role in ("user_id", "item_id") else ENOUGH


def _headless(path: Path) -> tuple[pl.DataFrame, list[str]]:
    """Read a file without a header, with names by what its columns look like."""
    plain = _plain(read_table(path, names=()))
    names = name_columns(plain, path.name)
    return plain.rename(dict(zip(plain.columns, names, strict=True))), names


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Leave out what reading has added."""
    return frame.drop(UNREADABLE, SPOILT_CELLS, strict=False)


def _tell(file: Path, columns: Mapping[Table, Mapping[str, str]]) -> Told | None:
    """Tell what a file holds by its beginning."""
    frame = _head(file)
    if not has_header(frame):
        with tempfile.TemporaryDirectory() as temporary:
            frame, _ = _headless(_sample(file, Path(temporary)))
    return tell_table(frame, file.name, columns)


def _head(path: Path) -> pl.DataFrame:
    with tempfile.TemporaryDirectory() as temporary:
        return _plain(read_table(_sample(path, Path(temporary))))


def _sample(path: Path, folder: Path) -> Path:
    """Return a file with the first megabyte of a text; it has the same name, which may tell the format."""
    with path.open("rb") as file:
        head = file.read(_SAMPLE)
    binary = head.startswith((b"PAR1", b"\x1f\x8b", b"ARROW1", b"["))
    if len(head) < _SAMPLE or b"\n" not in head or binary:
        return path
    sample = folder / path.name
    sample.write_bytes(head[: head.rindex(b"\n") + 1])
    return sample


def _files(folder: Path) -> list[Path]:
    places = [folder, folder / "data"]
    files = [file for parent in places if parent.is_dir() for file in sorted(parent.iterdir()) if file.is_file()]
    generated = ("quarantine.parquet", "quarantine-import.parquet")
    return [file for file in files if file.suffix.lower() in _SUFFIXES and file.name not in generated]


def _no_log(folder: Path, left: Mapping[str, str]) -> str:
    why = f" Files that did not fit: {'; '.join(f'{path}: {reason}' for path, reason in [*left.items()][:3])}"
    return (
        f"no file in {folder.resolve()} has a column for users and one for items: name the log with --events FILE "
        "and its columns with --columns 'user_id=NAME, item_id=NAME', "
        f"or start from 'poise init --dataset movielens-100k'.{why if left else ''}"
    )
