"""One table with everything: which columns of a log describe the item, and which the person."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from poise.data.roles.looks import Look
from poise.data.roles.words import concepts_of

_HARDLY_EVER = 0.98  # share of rows that hold the usual value of their item, from which a column says something of it
_BY_NAME = 0.6  # the same where the name of the column says so, too: descriptions are mended, prices change
_ENOUGH_ROWS = 10  # of ids that come again, below which it is not known whether the values come with them
_OF_ITEMS = frozenset({"title", "description", "group", "price", "address", "type"})
_OF_PEOPLE = frozenset({"trait", "place", "group"})
_OF_EVENTS = frozenset({"time", "secondary_time", "order", "visit", "behaviour", "quantity", "count", "amount", "row"})


def describing(frame: pl.DataFrame, item: str, user: str, taken: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return which columns of a log describe the item, and which the person.

    A column does if it is nearly always the same for the same item (or person), and not the same for all; where its
    name says that it is of an item, such as a price, it may change now and then.

    Args:
        frame: the log.
        item: the column of item ids.
        user: the column of user ids.
        taken: columns that play another role in events.

    Returns:
        names of columns of items and names of columns of users. Names and addresses of people are neither.
    """
    of_items, of_users = [], []
    for column in frame.get_columns():
        name = column.name
        concepts = concepts_of(name)
        if name in taken or not name or column.dtype.is_nested() or concepts & {"contact", "row"}:
            continue
        look = Look(column)
        if look.n_unique < 2 or look.filled < 0.1 or look.is_time or look.is_row_number:
            continue
        by_item, by_user = _agreement(frame, item, name), _agreement(frame, user, name)
        says_item = bool(concepts & _OF_ITEMS or "thing" in concepts) and not concepts & ({"person"} | _OF_EVENTS)
        says_user = bool(concepts & _OF_PEOPLE or "person" in concepts) and not says_item
        if concepts & _OF_EVENTS and not (concepts & {"price", "group", "title"}):
            continue
        of_user = by_user >= _HARDLY_EVER and "title" not in concepts and (by_user > by_item or says_user)
        if by_item >= (_BY_NAME if says_item else _HARDLY_EVER) and not (of_user and by_user > by_item):
            of_items.append(name)
        elif of_user:
            of_users.append(name)
    return of_items, of_users


def _agreement(frame: pl.DataFrame, key: str, name: str) -> float:
    """Return which share of the rows of ids that come again holds the usual value of its id; 0 where few do."""
    pairs = frame.select(key=pl.col(key), value=pl.col(name)).drop_nulls()
    counts = pairs.group_by("key", "value").len()
    per_key = counts.group_by("key").agg(rows=pl.col("len").sum(), usual=pl.col("len").max())
    again = per_key.filter(pl.col("rows") > 1)
    rows = int(again["rows"].sum())
    if rows < _ENOUGH_ROWS or len(again) < 2:
        return 0.0
    return float(again["usual"].sum() / rows)
