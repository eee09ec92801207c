"""Files to a frame: the format follows from the content, and where that is not enough from the name."""

from __future__ import annotations

import glob
import gzip
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from poise.data.ingest.encodings import CONTROLS, Decoded, is_binary, to_utf8
from poise.data.ingest.frames import alike, mark_spoilt, tidy
from poise.data.ingest.text import parse_text
from poise.errors import DataError, listed

_MAGIC = (
    (b"PAR1", "Parquet"),
    (b"ARROW1", "Arrow"),
    (b"\xff\xff\xff\xff", "Arrow stream"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet; unpack it, or export the sheet as CSV"),
    (b"SQLite format 3", "an SQLite database; export the table as CSV or Parquet"),
    (b"BZh", "compressed with bzip2; unpack it or use gzip"),
    (b"\xfd7zXZ", "compressed with xz; unpack it or use gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstandard; unpack it or use gzip"),
)
_BINARY_SUFFIXES = {".parquet": "Parquet", ".pq": "Parquet", ".arrow": "Arrow", ".feather": "Arrow", ".ipc": "Arrow"}


def read_table(
    path: Path | str,
    *,
    names: Sequence[str] | None = None,
    encoding: str | None = None,
    notes: list[str] | None = None,
) -> pl.DataFrame:
    """Read a table: delimited text (CSV, TSV ...), JSON lines, a JSON array, Parquet, Arrow, RecBole or ``::`` files.

    Text may be compressed with gzip. Its encoding is told by the whole file, see
    :func:`poise.data.ingest.encodings.to_utf8`. All columns of delimited text are read as strings, so that the ids
    ``007`` and ``1e5`` stay what they are. A file whose lines are ``user item item ...``, parted by blanks and of
    different lengths, is read as what each user did in order. Columns without a name are left out, see
    :func:`poise.data.ingest.frames.tidy`.

    A record that cannot be read does not stop the rest: it is kept as it is in the column ``_unreadable``, which is
    absent where all went well, and :func:`poise.data.ingest.build.build_dataset` refuses it. Of bytes that are no signs
    of the encoding the row is kept, and the column ``_spoilt`` names the cells.

    Args:
        path: a file, a folder, or a pattern such as ``logs/2024-*.csv``. Files are read in the order of their names.
        names: what the columns are called, for text without a header; empty for ``column_1``, ``column_2`` ... The
            MovieLens files ``ratings.dat``, ``movies.dat`` and ``users.dat`` need none.
        encoding: of text; None to tell it from each file.
        notes: takes a line about whatever was assumed, left out or mended.

    Raises:
        DataError: there is no such file, it is empty, damaged, holds no rows, or is of a format that is not a table.
    """
    notes = [] if notes is None else notes
    files = _files(path)
    frames = [_read_file(file, names, encoding, notes) for file in files]
    table = frames[0] if len(frames) == 1 else _together(frames, files)
    if not table.height:
        raise DataError(f"{path} holds no rows, only the header {listed(table.columns)}")
    return table


def _files(path: Path | str) -> list[Path]:
    path = Path(path).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        files = [file for file in sorted(path.rglob("*")) if file.is_file() and file.name[0] not in "._"]
        if not files:
            raise DataError(f"the folder {path} holds no files")
        return files
    if any(sign in str(path) for sign in "*?["):
        files = [Path(file) for file in sorted(glob.glob(str(path), recursive=True)) if Path(file).is_file()]
        if not files:
            raise DataError(f"no file fits the pattern {path}")
        return files
    from poise.errors import suggest

    siblings = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
    raise DataError(f"{path} does not exist.{suggest(path.name, siblings)}".removesuffix("."))


def _together(frames: list[pl.DataFrame], files: list[Path]) -> pl.DataFrame:
    try:
        return pl.concat(alike(frames), how="diagonal_relaxed")
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{files[0]} and the {len(files) - 1} files with it hold different columns ({_reason(error)})"
        ) from error


def _read_file(path: Path, names: Sequence[str] | None, encoding: str | None, notes: list[str]) -> pl.DataFrame:
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from error
    if not head:
        raise DataError(f"{path} is empty")
    kind = next((name for magic, name in _MAGIC if head.startswith(magic)), None)
    expected = _BINARY_SUFFIXES.get(path.suffix.lower())
    if kind in ("Parquet", "Arrow", "Arrow stream"):
        return tidy(_read_binary(path, kind), path.name, notes)
    if expected:
        raise DataError(f"{path} is not {expected}, though its name says so" + (f": it is {kind}" if kind else ""))
    if kind:
        raise DataError(f"{path} is not a table: it is {kind}")
    decoded = _text(path, head, encoding, notes)
    table = parse_text(decoded.content, path, names)
    return tidy(mark_spoilt(table) if decoded.is_spoilt else table, path.name, notes)


def _read_binary(path: Path, kind: str) -> pl.DataFrame:
    readers = {"Parquet": pl.read_parquet, "Arrow": pl.read_ipc, "Arrow stream": pl.read_ipc_stream}
    try:
        return readers[kind](path)
    except pl.exceptions.DuplicateError as error:
        name = re.search(r"'(.{1,60}?)'", str(error))
        raise DataError(
            f"{path} has two columns of the name {name[0] if name else ''}; give one another name"
        ) from error
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path} is damaged or cut short ({_reason(error)}); it was meant to be {kind}") from error


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0][:200]


def _text(path: Path, head: bytes, encoding: str | None, notes: list[str]) -> Decoded:
    """Return the content of a text file as UTF-8, with line ends as they are everywhere, without control signs."""
    if head.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(path) as file:
                content = file.read()
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path} is not whole: its gzip compression is damaged ({error})") from error
        if inner := next((name for magic, name in _MAGIC if content.startswith(magic)), None):
            raise DataError(f"{path} holds no text: inside the gzip compression is {inner}")
    else:
        content = path.read_bytes()
    if is_binary(content):
        raise DataError(f"{path} is not a table: it is binary, not text")
    decoded = to_utf8(content, str(path), encoding)
    if decoded.encoding != "UTF-8" and encoding is None:
        notes.append(f"{path.name} is read as {decoded.encoding}")
    content = decoded.content
    keeps = b"\x01" if b"\x01" in content[: content.find(b"\n")] else b""  # which parts fields in Hive's files
    clean = content.translate(None, bytes(sign for sign in CONTROLS if sign not in keeps))
    if removed := len(content.rstrip(b"\x1a")) - len(clean):
        notes.append(f"{removed:,} control signs were left out of {path.name}")
    lone = clean.count(b"\r") - clean.count(b"\r\n")
    if lone:
        clean = clean.replace(b"\r\r\n", b"\n")
        if lone > clean.count(b"\n"):  # lines that end as those of the old Macintosh
            clean = clean.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not clean.strip():
        raise DataError(f"{path} is empty")
    return decoded._replace(content=clean)
