"""Importing files into the live log; each row counts once, however often it is imported."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl

from poise.data.availability import may_be_shown
from poise.data.ingest.build import take_catalogue, take_events
from poise.data.ingest.clean import Cleaning
from poise.data.ingest.event_ids import event_id, ordinals
from poise.data.ingest.indexing import RESERVED
from poise.data.ingest.orders import mark_returns
from poise.data.ingest.quarantine import Quarantine
from poise.data.ingest.read import read_table
from poise.data.ingest.staging import ROW, Staging
from poise.data.schema import value_kinds
from poise.data.schema.column_names import Table, availability
from poise.data.schema.column_types import Kind
from poise.data.schema.value_kinds import ValueKind
from poise.errors import DataError
from poise.progress import track
from poise.store import Store
from poise.store.records import Added, Event, Item, User
from poise.store.settings import CATALOGUE

Row = TypeVar("Row")

AT_ONCE = 10_000  # rows in one transaction
_LONGEST = {"user_id": 256, "item_id": 256, "behaviour": 64}  # signs: as the HTTP API has it


@dataclass
class Counts:
    """Counts of the rows of a file.

    Attributes:
        read: from the file.
        accepted: that were written.
        duplicates: events that were there already; items and users are replaced.
        refused: that went to quarantine.
        erased: that were skipped, and not kept anywhere, because they are of erased users.
    """

    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    refused: int = 0
    erased: int = 0


@dataclass
class Imported:
    """The result of an import: counts by table, and the refused rows."""

    counts: dict[Table, Counts] = field(default_factory=dict)
    quarantine: Quarantine = field(default_factory=Quarantine)


def import_files(
    store: Store,
    sources: Mapping[Table, Path],
    *,
    columns: Mapping[Table, Mapping[str, str]] | None = None,
    item_kinds: Mapping[str, Kind] | None = None,
    item_separators: Mapping[str, str] | None = None,
    encoding: str | None = None,
    cleaning: Cleaning | None = None,
    time_format: str | None = None,
) -> Imported:
    """Import the rows of files into a store. All files are read and checked before anything is written.

    An event's id follows from its content, so that an event which is there already, from this file or another, is not
    added again. Items and users replace those with the same id.

    Args:
        store: to import into.
        sources: by table, a file, folder or pattern in any format that :func:`poise.data.ingest.read.read_table` reads.
        columns: by table, which column is which, where the guess is wrong.
        item_kinds: what columns of the items hold, where the guess is wrong.
        item_separators: by column of the items, the sign between labels or before decimals, where it is told wrongly.
        encoding: of files that are text, where it is not to be told by each of them.
        cleaning: of the events. The k-core is left to the fit.
        time_format: the notation of the events' times, see :func:`poise.data.ingest.build.build_dataset`.

    Raises:
        DataError: a file cannot be read, or its content does not fit.
        StoreError: the store cannot be written.
    """
    columns = columns or {}
    done = Imported()
    notes = done.quarantine.notes
    catalogue = store.setting(CATALOGUE) or {}
    items = users = None
    if "items" in sources:
        kinds = {**catalogue.get("item_kinds", {}), **(item_kinds or {})}
        raw = read_table(sources["items"], encoding=encoding, notes=notes)
        items = _take_catalogue("items", raw, columns.get("items"), kinds, item_separators or {}, done)
    if "users" in sources:
        raw = read_table(sources["users"], encoding=encoding, notes=notes)
        users = _take_catalogue("users", raw, columns.get("users"), catalogue.get("user_kinds", {}), {}, done)
        users = _without_erased(users, store, done.counts["users"])
    events = None
    if "events" in sources:
        cleaning = replace(cleaning or Cleaning(), k_core=0)
        raw = read_table(sources["events"], encoding=encoding, notes=notes)
        log = take_events(raw, columns.get("events"), done.quarantine, time_format)
        events = _fit_events(log, sources["events"], cleaning, items, store, done)
    if items is not None:
        _write(store.put_items, _items(items), items.height, "items", done.counts["items"])
    if users is not None:
        _write(store.put_users, _users(users), users.height, "users", done.counts["users"])
    if events is not None:
        _write(store.add_events, _events(events), events.height, "events", done.counts["events"])
    return done


def _take_catalogue(
    table: Table,
    raw: pl.DataFrame,
    mapping: Mapping[str, str] | None,
    kinds: Mapping[str, Kind],
    separators: Mapping[str, str],
    done: Imported,
) -> pl.DataFrame:
    there = {name: kind for name, kind in kinds.items() if name in raw.columns}
    signs = {name: sign for name, sign in separators.items() if name in raw.columns}
    frame, _ = take_catalogue(table, raw, mapping, there, done.quarantine, signs)
    assert frame is not None
    done.counts[table] = Counts(read=raw.height, refused=raw.height - frame.height)
    return frame


def _fit_events(
    log: Staging,
    path: Path,
    cleaning: Cleaning,
    items: pl.DataFrame | None,
    store: Store,
    done: Imported,
) -> pl.DataFrame:
    catalogue = store.setting(CATALOGUE) or {}
    if "timestamp" not in log and catalogue.get("has_time", True):
        raise DataError(
            f"{path} has no column of times, and the live log has times: name the column with "
            "--columns 'timestamp=NAME'"
        )
    for column, longest in _LONGEST.items():
        if column in log:
            _require_fit_names(log, column, longest)
    counts = done.counts["events"] = Counts(read=log.raw.height)
    log.frame = _without_erased(log.frame, store, counts)
    cleaning.apply(log, _known_items(items, store) if cleaning.unknown_items == "drop" else None)
    if not log.frame.height and counts.erased < counts.read:
        reasons = "; ".join(
            f"{refusal.rows:,} {refusal.reason} ({refusal.example})" for refusal in done.quarantine.summary()[:3]
        )
        raise DataError(f"{path}: none of the {log.raw.height:,} events is fit: {reasons}")
    mark_returns(log, _value_kind(log))
    if "behaviour" not in log:
        log.replace(pl.lit("interaction").alias("behaviour"))
    if log.frame.height and (different := log.frame["behaviour"].n_unique()) > 255:
        raise DataError(
            f"{path}: the column for behaviour has {different:,} different values, for example "
            f"{log.frame['behaviour'][0]!r}: it should name kinds of behaviour such as view, click, purchase"
        )
    counts.refused = counts.read - counts.erased - log.frame.height
    return log.frame.drop(ROW)


def _require_fit_names(log: Staging, column: str, longest: int) -> None:
    name = pl.col(column)
    log.refuse(name.str.len_chars() > longest, f"{column} is longer than {longest} signs")
    log.refuse(name.str.contains(r"[\x00-\x1f\x7f]"), f"{column} holds control signs")


def _value_kind(log: Staging) -> ValueKind | None:
    values = log.frame["value"].to_numpy() if "value" in log else np.empty(0)
    return value_kinds.guess(log.mapping.get("value", ""), values.astype(np.float32))


def _known_items(items: pl.DataFrame | None, store: Store) -> pl.Series:
    ids = [item.item_id for item in store.all_items()]
    return pl.Series("item_id", ids if items is None else [*ids, *items["item_id"]], dtype=pl.String)


def _without_erased(frame: pl.DataFrame, store: Store, counts: Counts) -> pl.DataFrame:
    """Leave out erased users and their earlier events: an old file must not bring them back."""
    erased = {erasure.subject: erasure.time for erasure in store.erasures()}
    if not erased:
        return frame
    times = {user: erased.get(store.subject(user)) for user in frame["user_id"].unique()}
    until = frame["user_id"].replace_strict(times, return_dtype=pl.Int64)
    gone = until.is_not_null() & (frame["timestamp"] <= until if "timestamp" in frame.columns else True)
    counts.erased = int(gone.sum())
    return frame.filter(~gone)


def _events(frame: pl.DataFrame) -> Iterator[Event]:
    context = [name for name in frame.columns if name not in RESERVED]
    value = pl.col("value").cast(pl.Float32) if "value" in frame.columns else pl.lit(None)
    numbered = frame.with_columns(ordinals(frame).alias("_ordinal"), value.alias("_single"))
    for part in numbered.iter_slices(AT_ONCE):
        for row in part.iter_rows(named=True):
            user, item, behaviour, time = row["user_id"], row["item_id"], row["behaviour"], row.get("timestamp", 0)
            yield Event(
                user,
                item,
                behaviour,
                row.get("value"),
                time,
                event_id(user, item, behaviour, row["_single"], time, row["_ordinal"]),
                {name: _plain(row[name]) for name in context if row[name] is not None} or None,
            )


def _items(frame: pl.DataFrame) -> Iterator[Item]:
    column = availability(frame.columns)
    available = may_be_shown(frame)
    content = frame.drop("item_id" if column is None else ["item_id", column[0]])
    for item_id, row, may in zip(frame["item_id"], _contents(content), available, strict=True):
        yield Item(item_id, row, may)


def _users(frame: pl.DataFrame) -> Iterator[User]:
    for user_id, row in zip(frame["user_id"], _contents(frame.drop("user_id")), strict=True):
        yield User(user_id, row)


def _contents(frame: pl.DataFrame) -> Iterator[dict[str, Any]]:
    for row in frame.iter_rows(named=True) if frame.width else ({} for _ in range(frame.height)):
        yield {name: value for name, value in row.items() if value is not None}


def _plain(value: Any) -> str | float | bool:
    """Return a value of a context as the live log stores it."""
    if isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, date | datetime):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False, default=str)


def _write(
    put: Callable[[Sequence[Row]], Future[Any]], rows: Iterator[Row], total: int, label: str, counts: Counts
) -> None:
    """Write rows in two transactions at a time: one is prepared while the other is written."""
    under_way: deque[Future[Any]] = deque()
    part: list[Row] = []

    def settle(left: int) -> None:
        while len(under_way) > left:
            answer = under_way.popleft().result()
            counts.accepted += answer.accepted if isinstance(answer, Added) else answer
            counts.duplicates += answer.duplicates if isinstance(answer, Added) else 0

    for row in track(rows, f"importing {label}", total, unit=f" {label}"):
        part.append(row)
        if len(part) == AT_ONCE:
            under_way.append(put(part))
            part = []
            settle(1)
    if part:
        under_way.append(put(part))
    settle(0)
