"""Canonical frames to a Dataset: ids to dense indices, events sorted, tables in index order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from poise.data.dataset import Dataset
from poise.data.event_log import EventLog, user_offsets
from poise.data.schema.column_types import Kind
from poise.data.vocabulary import Vocabulary
from poise.errors import DataError

RESERVED = ("user_id", "item_id", "behaviour", "value", "timestamp")


def index(
    events: pl.DataFrame,
    items: pl.DataFrame | None = None,
    users: pl.DataFrame | None = None,
    *,
    rejections: pl.DataFrame | None = None,
    item_kinds: Mapping[str, Kind] | None = None,
    user_kinds: Mapping[str, Kind] | None = None,
    title_column: str | None = None,
    name: str = "data",
) -> Dataset:
    """Make a data set of clean frames.

    Args:
        events: ``user_id`` and ``item_id`` (string), in file order; if there are such columns ``behaviour`` (string),
            ``value`` (float) and ``timestamp`` (int64, milliseconds since 1970 in UTC). All others are context.
        items: ``item_id`` (string, unique) and the columns of the catalogue.
        users: ``user_id`` (string, unique) and what is known of users.
        rejections: what people said no to, with the columns of ``events``; None if nobody did.
        item_kinds: what the columns of ``items`` hold.
        user_kinds: what the columns of ``users`` hold.
        title_column: the column of ``items`` that people know an item by.
        name: what to call the data set.

    Raises:
        DataError: there are no events.
    """
    if not events.height:
        raise DataError(f"{name}: there are no events to learn from")
    everything = events if rejections is None else pl.concat([events, rejections])
    item_ids = _vocabulary(everything["item_id"], None if items is None else items["item_id"])
    user_ids = _vocabulary(everything["user_id"], None if users is None else users["user_id"])
    behaviour_ids = _behaviours(everything)
    has_time = "timestamp" in everything.columns and everything["timestamp"].null_count() < everything.height
    log, of_rejections = (
        None if frame is None else _log(frame, item_ids, user_ids, behaviour_ids, has_time=has_time)
        for frame in (events, rejections)
    )
    assert log is not None
    return Dataset(
        events=log,
        item_ids=item_ids,
        user_ids=user_ids,
        behaviour_ids=behaviour_ids,
        items=_align(items, "item_id", item_ids),
        users=_align(users, "user_id", user_ids),
        item_kinds=dict(item_kinds or {}),
        user_kinds=dict(user_kinds or {}),
        title_column=title_column,
        name=name,
        rejections=of_rejections,
    )


def _log(
    events: pl.DataFrame, item_ids: Vocabulary, user_ids: Vocabulary, behaviour_ids: Vocabulary, *, has_time: bool
) -> EventLog:
    """Put events in order of user and time, in columns of indices."""
    user = user_ids.index(events["user_id"])
    if has_time:
        timestamp = events["timestamp"].fill_null(0).to_numpy()
        order = np.lexsort((timestamp, user))  # stable: events of the same time stay in file order
    else:
        timestamp = np.zeros(events.height, dtype=np.int64)
        order = np.argsort(user, kind="stable")
    value = (
        events["value"].cast(pl.Float32).fill_null(float("nan")).to_numpy()
        if "value" in events.columns
        else np.full(events.height, np.nan, dtype=np.float32)
    )
    if "behaviour" in events.columns:
        behaviour = behaviour_ids.index(events["behaviour"]).astype(np.uint8)
    else:
        behaviour = np.ones(events.height, dtype=np.uint8)
    context = events.drop([column for column in RESERVED if column in events.columns])
    user = user[order]
    return EventLog(
        user=user,
        item=item_ids.index(events["item_id"])[order],
        behaviour=behaviour[order],
        value=value[order],
        timestamp=timestamp[order],
        offsets=user_offsets(user, len(user_ids)),
        context=context[order] if context.width else pl.DataFrame(),
        has_time=has_time,
    )


def _vocabulary(in_events: pl.Series, in_table: pl.Series | None) -> Vocabulary:
    """Number what the table lists, in its order, then what only the log knows, sorted."""
    used = in_events.unique().sort()
    if in_table is None:
        return Vocabulary(used)
    return Vocabulary(pl.concat([in_table.rename("id"), used.filter(~used.is_in(in_table.implode())).rename("id")]))


def _behaviours(events: pl.DataFrame) -> Vocabulary:
    if "behaviour" not in events.columns:
        return Vocabulary(["interaction"])
    names = Vocabulary(events["behaviour"].unique().sort())
    if len(names) > 255:
        raise DataError(
            f"the column for behaviour has {len(names)} different values, for example {names.ids([1, 2, 3])}: "
            "it should name kinds of behaviour such as view, click, purchase"
        )
    return names


def _align(table: pl.DataFrame | None, key: str, vocabulary: Vocabulary) -> pl.DataFrame:
    """Return the columns of ``table`` in index order, with nulls for ids that it does not list."""
    if table is None:
        return pl.DataFrame()
    order = vocabulary.series.rename(key).to_frame()
    return order.join(table, on=key, how="left", maintain_order="left").drop(key)
