"""Read the store as a data set, to fit models on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl
from sqlalchemy import Connection, select

from poise.data.dataset import Dataset
from poise.data.ingest.clean import Cleaning
from poise.data.ingest.feedback import Feedback
from poise.data.ingest.indexing import RESERVED, index
from poise.data.ingest.quarantine import Quarantine
from poise.data.ingest.staging import ROW, Staging
from poise.data.outcomes import join_outcomes
from poise.data.schema import json_columns
from poise.data.schema.column_types import Kind
from poise.data.schema.late_columns import late_columns, late_title
from poise.data.schema.value_kinds import ValueKind
from poise.data.vocabulary import Vocabulary
from poise.store.changes import version
from poise.store.impression_log import read_log
from poise.store.settings import CATALOGUE, setting
from poise.store.sql.database import Database
from poise.store.sql.stream import stream_rows
from poise.store.sql.tables import events, items, users

_REQUEST = "\0request_id"  # a column that no context can have
_EVENTS = {
    "user_id": pl.String,
    "item_id": pl.String,
    "behaviour": pl.String,
    "value": pl.Float32,
    "timestamp": pl.Int64,
    _REQUEST: pl.String,
}


def read_dataset(
    database: Database, project: int, feedback: Feedback | None = None, cleaning: Cleaning | None = None
) -> tuple[Dataset, int]:
    """Read the events, items, users and impressions of one moment, and the version of it.

    A data set that was loaded comes out as it went in. Items and users that were put later follow in order of arrival,
    then those that only events mention, sorted; deleted items are included as long as events mention them. Columns of
    the loaded data keep their kinds, and a value that does not fit is null. The kinds of other columns are guessed.
    Impressions come with the events that followed them, by :func:`poise.data.outcomes.join_outcomes`.

    Args:
        database: where the log is.
        project: whose.
        feedback: which events say yes and which say no; None for the rules of the data that was loaded. A threshold of
            ``auto`` is the one that was found when it was.

        cleaning: which events are fit to learn from; what it refuses stays in the log. None for all.

    Raises:
        DataError: there are no events, or none that says yes.
        StoreError: the database cannot be read.
    """
    with database.snapshot() as connection:
        newest_version = version(connection, project)
        catalogue = setting(connection, project, CATALOGUE) or {}
        log = _events(connection, project, catalogue)
        item_rows = stream_rows(
            connection,
            select(items.c.item_id, items.c.content, items.c.deleted)
            .where(items.c.project == project)
            .order_by(items.c.id),
        )
        user_rows = stream_rows(
            connection,
            select(users.c.user_id, users.c.content).where(users.c.project == project).order_by(users.c.id),
        )
        used = set(log["item_id"].unique()) if log.height else set()
        item_table, item_kinds = _table(
            "items", ((row[0], row[1]) for part in item_rows for row in part if not row[2] or row[0] in used), catalogue
        )
        user_table, user_kinds = _table("users", (row for part in user_rows for row in part), catalogue)
        kind = catalogue.get("value_kind")
        feedback = _rules(catalogue, feedback)
        quarantine = Quarantine()
        chosen, rejections = _parted(log, feedback, kind, cleaning, item_table["item_id"], quarantine)
        data = index(
            chosen,
            item_table,
            user_table,
            rejections=rejections,
            item_kinds=item_kinds,
            user_kinds=user_kinds,
            title_column=_title_column(item_table, catalogue),
            name=catalogue.get("name", "live"),
        )
        impressions = read_log(
            connection, project, data.item_ids, data.user_ids, context_types=catalogue.get("context_columns", {})
        )
    data = replace(data, value_kind=kind, feedback=feedback, quarantine=quarantine or None)
    data, request_ids = _without_request_ids(_as_loaded(data, catalogue.get("behaviours", [])))
    if impressions is not None:
        data = replace(data, impressions=join_outcomes(impressions, data.events, request_ids))
    return data, newest_version


def _without_request_ids(data: Dataset) -> tuple[Dataset, pl.Series | None]:
    """Take the requests that events name out of their context; they stood there to be put in order with the events."""
    context = data.events.context
    if _REQUEST not in context.columns:
        return data, None
    events, rejections = (
        None
        if log is None
        else replace(log, context=log.context.drop(_REQUEST) if context.width > 1 else pl.DataFrame())
        for log in (data.events, data.rejections)
    )
    assert events is not None
    return replace(data, events=events, rejections=rejections), context[_REQUEST]


def _rules(catalogue: Mapping[str, Any], given: Feedback | None) -> Feedback:
    loaded = Feedback(**catalogue["feedback"]) if catalogue.get("feedback") else Feedback()
    if given is None:
        return loaded
    if given.threshold != "auto" or (loaded.threshold == "none" and catalogue.get("value_kind") is None):
        return given  # there was no rating yet that would have told the scale
    return replace(given, threshold=loaded.threshold)


def _parted(
    log: pl.DataFrame,
    feedback: Feedback,
    kind: ValueKind | None,
    cleaning: Cleaning | None,
    known_items: pl.Series,
    quarantine: Quarantine,
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Part the events that say yes from those that say no, of those that are fit."""
    if not log.height:
        return log, None
    staging = Staging("events", log, {name: name for name in RESERVED if name in log.columns}, quarantine)
    if cleaning is not None:
        cleaning.apply(staging, known_items)
    rejections = feedback.part(staging, kind) if staging.frame.height else None
    if cleaning is not None:
        cleaning.apply_k_core(staging)
    return staging.frame.drop(ROW), None if rejections is None else rejections.drop(ROW)


def _events(connection: Connection, project: int, catalogue: Mapping[str, Any]) -> pl.DataFrame:
    rows = stream_rows(
        connection,
        select(
            events.c.user_id,
            events.c.item_id,
            events.c.behaviour,
            events.c.value,
            events.c.time,
            events.c.request_id,
            events.c.context,
        )
        .where(events.c.project == project)
        .order_by(events.c.version, events.c.id),  # the order of arrival, as the index has it
    )
    parts, contexts = [], []
    for part in rows:
        *columns, context = zip(*part, strict=True)
        parts.append(
            pl.DataFrame(
                [
                    pl.Series(name, values, dtype=dtype)
                    for (name, dtype), values in zip(_EVENTS.items(), columns, strict=True)
                ]
            )
        )
        contexts.append(context)
    log = pl.concat(parts) if parts else pl.DataFrame(schema=_EVENTS)
    if log[_REQUEST].null_count() == log.height:
        log = log.drop(_REQUEST)
    if not catalogue.get("has_time", True):  # of what was loaded; live events bring times
        log = log.with_columns(pl.when(pl.col("timestamp") != 0).then("timestamp"))
    remembered = catalogue.get("context_columns", {})
    if not remembered and all(text is None for part in contexts for text in part):
        return log
    texts = [text for part in contexts for text in part]
    objects = {text: None if text is None else json.loads(text) for text in set(texts)}  # many are the same
    table = json_columns.frame([objects[text] for text in texts], remembered)
    return pl.concat(
        [log, table.rename({name: f"context_{name}" for name in RESERVED if name in table.columns})], how="horizontal"
    )


def _table(
    table: str, rows: Iterator[Sequence[Any]], catalogue: Mapping[str, Any]
) -> tuple[pl.DataFrame, dict[str, Kind]]:
    """Make the items or the users, with their columns in the form of their kinds, and the kinds."""
    key = "item_id" if table == "items" else "user_id"
    ids, contents = [], []
    for outer, content in rows:
        ids.append(outer)
        contents.append(json.loads(content))
    remembered = catalogue.get(f"{key[:-3]}_columns", {})
    kinds: dict[str, Kind] = dict(catalogue.get(f"{key[:-3]}_kinds", {}))
    known = json_columns.frame([{name: row.get(name) for name in remembered} for row in contents], remembered)
    new, guessed = late_columns(contents, {*remembered, key}, kinds)
    frame = pl.DataFrame([pl.Series(key, ids, dtype=pl.String), *known.get_columns(), *new.get_columns()])
    return frame, {**kinds, **guessed}


def _title_column(items: pl.DataFrame, catalogue: Mapping[str, Any]) -> str | None:
    described = catalogue.get("item_columns", {})
    return catalogue.get("title_column") or late_title(items.drop("item_id", *described, strict=False))


def _as_loaded(data: Dataset, behaviours: Sequence[str]) -> Dataset:
    """Give behaviours the codes that they had when they were loaded, and new ones those behind."""
    present = data.behaviour_ids.series.to_list()
    names = [*behaviours, *(name for name in present if name not in behaviours)]
    items, users = (table if table.width else pl.DataFrame() for table in (data.items, data.users))
    data = replace(data, items=items, users=users)
    if names == present or len(names) > 255:
        return data
    return data.with_codes(Vocabulary(names))
