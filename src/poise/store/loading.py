"""Loading a data set into the store, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from poise.data.availability import may_be_shown
from poise.data.dataset import Dataset
from poise.data.event_log import EventLog
from poise.data.ingest.event_ids import event_id, ordinals
from poise.data.schema.json_columns import KNOWN
from poise.progress import track
from poise.store.catalogue import put_items, put_users
from poise.store.errors import StoreError
from poise.store.records import Item, User
from poise.store.settings import CATALOGUE, put_setting, setting
from poise.store.sql.rows import INSERT_EVENTS, dump, without_nulls
from poise.store.writer import Transaction

_ROWS = 10_000  # in one version, so that a follower can take them in parts


def load(transaction: Transaction, data: Dataset) -> int:
    """Insert all items, users, events and rejections of a data set, in the order of its vocabularies and of its log.

    All is done in the one transaction, in several versions.

    Raises:
        StoreError: a data set was loaded before.
    """
    if setting(transaction.connection, transaction.project, CATALOGUE) is not None:
        raise StoreError("a data set was loaded into this store before: choose another store, or another project")
    items, users = _storable(data.items), _storable(data.users)
    context = _storable(data.events.context)
    put_setting(transaction, CATALOGUE, _catalogue(data, items, users, context))
    shown = may_be_shown(items).to_list() if items.width else [True] * data.n_items
    for part_number, (ids, contents) in enumerate(_parts(data.item_ids.series, items)):
        transaction.bump_version()
        may = shown[part_number * _ROWS : (part_number + 1) * _ROWS]
        put_items(transaction, [Item(*three) for three in zip(ids, contents, may, strict=True)])
    for ids, contents in _parts(data.user_ids.series, users):
        transaction.bump_version()
        put_users(transaction, [User(*pair) for pair in zip(ids, contents, strict=True)])
    for log in (data.events, data.rejections):
        if log is not None:
            _load_events(transaction, data, log)
    return data.n_events


def _load_events(transaction: Transaction, data: Dataset, log: EventLog) -> None:
    context = _storable(log.context)
    event_ids = _event_ids(data, log)
    for start in track(range(0, len(log), _ROWS), "loading", unit="0,000 events"):
        transaction.bump_version()
        part = slice(start, start + _ROWS)
        rows = _event_rows(transaction, data, log, context, event_ids[part], part)
        INSERT_EVENTS.run(transaction.connection, rows)


def _catalogue(data: Dataset, items: pl.DataFrame, users: pl.DataFrame, context: pl.DataFrame) -> dict[str, Any]:
    def types(table: pl.DataFrame) -> dict[str, str]:
        return {column: str(dtype) for column, dtype in table.schema.items()}

    return {
        "name": data.name,
        "title_column": data.title_column,
        "behaviours": data.behaviour_ids.series.to_list(),
        "has_time": data.events.has_time,
        "value_kind": data.value_kind,
        "feedback": None if data.feedback is None else asdict(data.feedback),
        "item_kinds": dict(data.item_kinds),
        "user_kinds": dict(data.user_kinds),
        "item_columns": types(items),
        "user_columns": types(users),
        "context_columns": types(context),
    }


def _storable(table: pl.DataFrame) -> pl.DataFrame:
    """Cast columns to types that JSON can hold and whose names are stored; NaN becomes null."""
    columns = []
    for column in table.get_columns():
        if str(column.dtype) not in KNOWN:
            strings = isinstance(column.dtype, pl.List | pl.Array)
            column = column.cast(pl.List(pl.String) if strings else pl.String)  # noqa: PLW2901
        columns.append(column.fill_nan(None) if column.dtype.is_float() else column)
    return pl.DataFrame(columns)


def _parts(ids: pl.Series, table: pl.DataFrame) -> Iterator[tuple[list[str], list[dict[str, Any]]]]:
    for start in range(0, len(ids), _ROWS):
        part = ids[start : start + _ROWS].to_list()
        rows = table[start : start + _ROWS].to_dicts() if table.width else [{}] * len(part)
        yield part, rows


def _event_rows(
    transaction: Transaction, data: Dataset, log: EventLog, context: pl.DataFrame, event_ids: list[str], part: slice
) -> list[tuple[Any, ...]]:
    users, items, behaviours = (
        vocabulary.series.gather(codes[part].astype(np.int64) - 1)
        for vocabulary, codes in (
            (data.user_ids, log.user),
            (data.item_ids, log.item),
            (data.behaviour_ids, log.behaviour),
        )
    )
    values = pl.Series(log.value[part]).fill_nan(None)
    contexts = _contexts(context[part]) if context.width else [None] * len(users)
    times = log.timestamp[part].tolist()
    size = len(times)
    nothing = [None] * size
    constants = [transaction.project] * size, [transaction.version] * size
    return list(zip(*constants, users, items, behaviours, values, times, event_ids, contexts, nothing, strict=True))


def _event_ids(data: Dataset, log: EventLog) -> list[str]:
    """Return ids by which the same events are recognised in a later file."""
    frame = pl.DataFrame(
        {
            "user_id": data.user_ids.series.gather(log.user.astype(np.int64) - 1),
            "item_id": data.item_ids.series.gather(log.item.astype(np.int64) - 1),
            "behaviour": data.behaviour_ids.series.gather(log.behaviour.astype(np.int64) - 1),
            "value": pl.Series(log.value).fill_nan(None),
            "timestamp": log.timestamp,
        }
    )
    rows = frame.with_columns(ordinals(frame)).iter_rows()
    return [event_id(*row) for row in rows]


def _contexts(table: pl.DataFrame) -> list[str | None]:
    rows = (without_nulls(row) for row in table.to_dicts())
    return [dump(row) if row else None for row in rows]
