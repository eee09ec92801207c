"""Ids for events that have none: equal for equal events, wherever and however often they are read."""

from __future__ import annotations

import hashlib
import json

import polars as pl

_WHAT = ("user_id", "item_id", "behaviour", "value", "timestamp")


def ordinals(events: pl.DataFrame) -> pl.Series:
    """Number events that are equal in who, what, how, how much and when, from 0, in the order of the frame.

    Args:
        events: with those of the columns ``user_id``, ``item_id``, ``behaviour``, ``value`` and ``timestamp`` that
            there are.
    """
    what = [pl.col(name) for name in _WHAT if name in events.columns and name != "value"]
    if "value" in events.columns:
        what.append(pl.col("value").cast(pl.Float32))
    return events.select(pl.int_range(pl.len()).over(what).alias("ordinal")).to_series()


def event_id(user_id: str, item_id: str, behaviour: str, value: float | None, time: int, ordinal: int) -> str:
    """Return the id of an event.

    Args:
        user_id: who.
        item_id: with what.
        behaviour: what they did.
        value: how much, in single precision, as a data set has it; None if nothing was said.
        time: milliseconds since 1970; 0 where the log has no times.
        ordinal: how many equal events came before.
    """
    content = json.dumps([user_id, item_id, behaviour, value, time, ordinal], ensure_ascii=False)
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()
