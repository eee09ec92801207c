"""Frames or files as they come to a Dataset: names, types, cleaning, then indexing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from poise.data.dataset import Dataset
from poise.data.ingest.clean import Cleaning
from poise.data.ingest.delimited import UNREADABLE
from poise.data.ingest.feedback import Feedback
from poise.data.ingest.frames import SPOILT_CELLS, row_numbers, to_polars
from poise.data.ingest.indexing import index
from poise.data.ingest.orders import Descriptions, described, mark_returns, with_titles
from poise.data.ingest.quarantine import Quarantine
from poise.data.ingest.read import read_table
from poise.data.ingest.staging import ROW, Staging
from poise.data.roles.clock import read_clock
from poise.data.schema import column_names as naming
from poise.data.schema import column_types as kinds_of
from poise.data.schema import value_kinds
from poise.data.schema.assumptions import assumptions
from poise.data.schema.column_names import Table
from poise.data.schema.column_types import Kind
from poise.data.schema.truth_words import to_labels
from poise.data.schema.value_kinds import ValueKind
from poise.errors import DataError, listed


def build_dataset(
    events: Any,
    items: Any | None = None,
    users: Any | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    item_columns: Mapping[str, str] | None = None,
    user_columns: Mapping[str, str] | None = None,
    item_columns_in_events: Sequence[str] = (),
    user_columns_in_events: Sequence[str] = (),
    item_kinds: Mapping[str, Kind] | None = None,
    item_separators: Mapping[str, str] | None = None,
    cleaning: Cleaning | None = None,
    feedback: Feedback | None = None,
    value_kind: ValueKind | None = None,
    time_format: str | None = None,
    name: str = "data",
) -> Dataset:
    """Make a data set of polars or pandas frames.

    Columns are found by common names (``userId``, ``customer_id``, ``movieId``, ``rating``, ``created_at`` ...); the
    options say what cannot be guessed. Rows that are unfit end in ``Dataset.quarantine``, each with its reason.

    Args:
        events: a row an event: a user, an item, and if there are such columns the behaviour, a value and a time. All
            other columns are context.
        items: a row an item: its id, its title and what else is known of it.
        users: a row a user.
        columns: of the events, canonical name (``user_id``, ``item_id``, ``behaviour``, ``value``, ``timestamp``) to
            the name in the frame; an empty name says that there is no such column.
        item_columns: the same for items: ``item_id``, ``title``.
        user_columns: the same for users: ``user_id``.
        item_columns_in_events: columns of the events that describe the item, in a log that repeats them in each row.
            They make up the catalogue, or add to it; of several values of one item the most frequent counts.
        user_columns_in_events: the same for users.
        item_kinds: what columns of the items hold, where the guess is wrong.
        item_separators: by column of the items, the sign between labels, or before the decimals of numbers, where what
            :func:`poise.data.schema.assumptions.assumptions` says is wrong.
        cleaning: which events are fit to learn from.
        feedback: which events say yes and which say no; by the names of behaviours, and ratings from the middle of
            their scale on, by default.
        value_kind: what the values of events mean, where the guess is wrong.
        time_format: the notation of the events' times, as :func:`time.strptime` has it, such as ``%d.%m.%Y``; None to
            tell by the column.
        name: what to call the data set.

    Raises:
        DataError: a column is missing or of the wrong kind, or no event is left.
    """
    cleaning = cleaning or Cleaning()
    quarantine = Quarantine()
    raw = to_polars(events, "events", quarantine.notes)
    items, users = described(
        raw,
        columns,
        Descriptions("items", item_columns_in_events, items, item_columns or {}),
        Descriptions("users", user_columns_in_events, users, user_columns or {}),
        quarantine,
    )
    item_table, item_kinds = take_catalogue("items", items, item_columns, item_kinds, quarantine, item_separators)
    user_table, user_kinds = take_catalogue("users", users, user_columns, None, quarantine)
    log = take_events(raw, columns, quarantine, time_format)
    log.frame = log.frame.drop(*item_columns_in_events, *user_columns_in_events, strict=False)
    n_read = log.raw.height
    item_table, item_kinds = with_titles(item_table, item_kinds, log.frame["item_id"])
    if item_table is not None and not log.frame["item_id"].is_in(item_table["item_id"].implode()).any():
        raise DataError(_strangers(log, item_table))
    cleaning.apply(log, None if item_table is None else item_table["item_id"])
    if not log.frame.height:
        raise DataError(_nothing_left(name, n_read, quarantine))
    values = log.frame["value"].to_numpy() if "value" in log else np.empty(0)
    kind = value_kind or value_kinds.guess(log.mapping.get("value", ""), values.astype(np.float32))
    mark_returns(log, kind)
    feedback = (feedback or Feedback()).resolved(kind, values.astype(np.float32))
    rejections = feedback.part(log, kind)
    cleaning.apply_k_core(log)
    if not log.frame.height:
        raise DataError(_nothing_left(name, n_read, quarantine))
    title = "title" if item_table is not None and "title" in item_table.columns else None
    data = index(
        log.frame.drop(ROW),
        item_table,
        user_table,
        rejections=None if rejections is None else rejections.drop(ROW),
        item_kinds=item_kinds,
        user_kinds=user_kinds,
        title_column=title,
        name=name,
    )
    return replace(data, quarantine=quarantine, value_kind=kind, feedback=feedback)


def load_files(
    events: Path | str,
    items: Path | str | None = None,
    users: Path | str | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    item_columns: Mapping[str, str] | None = None,
    user_columns: Mapping[str, str] | None = None,
    item_columns_in_events: Sequence[str] = (),
    user_columns_in_events: Sequence[str] = (),
    item_kinds: Mapping[str, Kind] | None = None,
    item_separators: Mapping[str, str] | None = None,
    cleaning: Cleaning | None = None,
    feedback: Feedback | None = None,
    value_kind: ValueKind | None = None,
    time_format: str | None = None,
    names: Mapping[Table, Sequence[str]] | None = None,
    encoding: str | None = None,
    name: str | None = None,
) -> Dataset:
    """Make a data set of files.

    The formats are those of :func:`poise.data.ingest.read.read_table`; see :func:`build_dataset` for the rest.

    Args:
        events: a file, folder or pattern.
        items: the same.
        users: the same.
        columns: see :func:`build_dataset`.
        item_columns: see :func:`build_dataset`.
        user_columns: see :func:`build_dataset`.
        item_columns_in_events: see :func:`build_dataset`.
        user_columns_in_events: see :func:`build_dataset`.
        item_kinds: see :func:`build_dataset`.
        item_separators: see :func:`build_dataset`.
        cleaning: see :func:`build_dataset`.
        feedback: see :func:`build_dataset`.
        value_kind: see :func:`build_dataset`.
        time_format: see :func:`build_dataset`.
        names: what the columns of files without a header are called, by table (``events``, ``items``, ``users``).
        encoding: of files that are text, where it is not to be told by each of them.
        name: what to call the data set; the name of the events file by default.

    Raises:
        DataError: a file cannot be read, or its content is not what is needed.
    """
    notes: list[str] = []

    def read(table: Table, path: Path | str) -> pl.DataFrame:
        return read_table(path, names=(names or {}).get(table), encoding=encoding, notes=notes)

    data = build_dataset(
        read("events", events),
        None if items is None else read("items", items),
        None if users is None else read("users", users),
        columns=columns,
        item_columns=item_columns,
        user_columns=user_columns,
        item_columns_in_events=item_columns_in_events,
        user_columns_in_events=user_columns_in_events,
        item_kinds=item_kinds,
        item_separators=item_separators,
        cleaning=cleaning,
        feedback=feedback,
        value_kind=value_kind,
        time_format=time_format,
        name=name or Path(events).name.split(".")[0],
    )
    assert data.quarantine is not None
    data.quarantine.notes[:0] = notes
    return data


def _stage(table: Table, raw: pl.DataFrame, given: Mapping[str, str] | None, quarantine: Quarantine) -> Staging:
    if not raw.height:
        raise DataError(f"the {table} have no rows")
    columns = [column for column in raw.columns if column not in (UNREADABLE, SPOILT_CELLS)]
    mapping = naming.resolve(raw.select(columns), table, given)
    for name in mapping.values():
        if f"{name}_duplicated_0" in columns:
            raise DataError(f"the {table} have two columns of the name {name!r}; give one another name")
    staging = Staging(table, raw, mapping, quarantine)
    if numbers := [name for name in row_numbers(staging.frame) if name not in mapping]:
        quarantine.notes.append(f"{table}: {listed(numbers)} left out: it numbers the rows")
        staging.frame = staging.frame.drop(numbers)
    if UNREADABLE in staging:
        staging.refuse(pl.col(UNREADABLE).is_not_null(), f"{table}: a line that cannot be read")
        staging.frame = staging.frame.drop(UNREADABLE)
    if SPOILT_CELLS in staging:
        _spoilt(staging)
    return staging


def _spoilt(staging: Staging) -> None:
    """Refuse rows in whose ids, times, values or behaviours bytes could not be read; say it of the others."""
    cells, read = pl.col(SPOILT_CELLS), [name for role, name in staging.mapping.items() if role != "title"]
    what = "bytes that are no signs of the file's encoding"
    staging.refuse(cells.list.set_intersection(read).list.len() > 0, f"{staging.table}: {what}")
    kept = staging.frame.filter(cells.is_not_null())[ROW]
    if len(kept):
        reason = f"{staging.table}: {what}; each was replaced by \ufffd, the row kept"
        staging.quarantine.refuse(staging.table, staging.raw[kept], kept + 1, reason)
    staging.frame = staging.frame.drop(SPOILT_CELLS)


def take_events(
    raw: pl.DataFrame,
    given: Mapping[str, str] | None,
    quarantine: Quarantine,
    time_format: str | None = None,
) -> Staging:
    """Find the columns of a log, make ids, times and values of them, and refuse rows for which that cannot be.

    Args:
        raw: the log as it was read.
        given: which column is which, see :func:`build_dataset`.
        quarantine: where refused rows go.
        time_format: the notation of times, see :func:`build_dataset`.

    Raises:
        DataError: a column is missing, or most of it is not what it should be.
    """
    log = _stage("events", raw, given, quarantine)
    log.identify("user_id")
    log.identify("item_id")
    if "timestamp" in log:
        read_clock(log, time_format)
    if "value" in log:
        _values(log)
    if "behaviour" in log:
        log.identify("behaviour")
    elif naming.is_rating(log.mapping.get("value", "")):
        log.replace(pl.lit("rate").alias("behaviour"))
    return log


def _values(log: Staging) -> None:
    given = log.frame["value"]
    labels = to_labels(given)
    values = kinds_of.to_numbers(given) if labels is None else labels
    wrong = values.is_null() & kinds_of.filled(given)
    if wrong.sum() > len(given) / 2:
        raise DataError(
            f"the column {log.mapping['value']!r} does not hold numbers, for example {given.filter(wrong)[0]!r}: it "
            "cannot be the value. Choose another with columns={'value': 'NAME'}, '' if there is none"
        )
    log.replace(values)
    log.refuse(wrong, "text where a number is due (value)")
    log.refuse(pl.col("value").is_infinite(), "value is not finite")


def take_catalogue(
    table: Table,
    given: Any | None,
    mapping: Mapping[str, str] | None,
    kinds: Mapping[str, Kind] | None,
    quarantine: Quarantine,
    separators: Mapping[str, str] | None = None,
) -> tuple[pl.DataFrame | None, dict[str, Kind]]:
    """Make the items or the users: one row an id, every column of a known kind.

    Args:
        table: which of them.
        given: the frame; None if there is none.
        mapping: which column is which, see :func:`build_dataset`.
        kinds: what columns hold, where the guess is wrong.
        quarantine: where refused rows go.
        separators: by column, the sign between labels or before decimals, where it is not to be told by the cells.

    Returns:
        the table, its id first, and the kinds of the other columns.

    Raises:
        DataError: there is no column of ids, no row with an id, or a column is not of its kind.
    """
    if given is None:
        return None, {}
    key = "item_id" if table == "items" else "user_id"
    staging = _stage(table, to_polars(given, table, quarantine.notes), mapping, quarantine)
    staging.identify(key)
    staging.refuse(~pl.col(key).is_last_distinct(), f"{table}: the same {key} stands again further down, which counts")
    if not staging.frame.height:
        raise DataError(f"the {table} have no row with an id")
    frame = kinds_of.flatten(staging.frame, (key, *(kinds or ())))
    found = assumptions(frame.drop(ROW, key), table, kinds, separators)
    quarantine.notes += [assumption.words for assumption in found]
    columns, column_kinds = kinds_of.normalise(frame.drop(ROW, key), kinds or {}, table, separators)
    for column in columns.get_columns():
        if column_kinds[column.name] == "number":
            emptied = column.is_null() & kinds_of.filled(frame[column.name])
            if emptied.any():
                rows = frame.filter(emptied)[ROW]
                reason = f"{table}: text where a number is due ({column.name}); the cell was emptied, the row kept"
                quarantine.refuse(table, staging.raw[rows], rows + 1, reason)
    return pl.DataFrame([frame[key], *columns.get_columns()]), column_kinds


def _strangers(log: Staging, items: pl.DataFrame) -> str:
    in_log, listed = (", ".join(map(repr, frame["item_id"].head(3))) for frame in (log.frame, items))
    return (
        f"no event is on an item that the items table lists: the events speak of {in_log}, the items are {listed}; "
        "give the columns that hold the same ids, columns={'item_id': 'NAME'} and item_columns, or leave out items"
    )


def _nothing_left(name: str, n_read: int, quarantine: Quarantine) -> str:
    why = "; ".join(f"{count:,} {reason} ({example})" for reason, count, example in quarantine.summary()[:3])
    return f"{name}: none of the {n_read:,} events is fit to learn from: {why}"


Dataset.from_frames = build_dataset
