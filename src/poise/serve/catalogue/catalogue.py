"""The catalogue as it is this second: what the run knew, and what has been added, changed and taken out since."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import polars as pl
from msgspec import UNSET

from poise.data.dataset import Dataset
from poise.data.event_log import EventLog, user_offsets
from poise.data.schema import json_columns
from poise.data.schema.column_types import Kind, to_numbers
from poise.data.schema.late_columns import late_columns, late_title
from poise.data.vocabulary import Vocabulary
from poise.serve.errors import InvalidRequestError
from poise.store.records import Item
from poise.types import Mask
from poise_client.schema.recommendations import Filter

MASKS_KEPT = 256  # filters whose result is kept
SAMPLE = 5_000  # items by which the kind of a column is guessed that is not described
_TYPES: Mapping[Kind, Any] = {"number": pl.Float64, "categories": pl.List(pl.String)}  # of columns; else text


@dataclass(frozen=True)
class Catalogue:
    """All items that a run and the store know. Immutable: a change makes a new one, whose first items are these.

    Attributes:
        item_ids: those of the run, in its order, then what came later.
        contents: what is known of each item, by index; empty for padding.
        available: bool ``[n_items + 1]``, which items may be shown.
        kinds: what the columns hold.
        title_column: the column that people know an item by.
        described: the columns that the run or the store describes; kinds of others are guessed as they come.
        has_title: whether the title is one of these.
    """

    item_ids: Vocabulary
    contents: list[Mapping[str, Any]]
    available: Mask
    kinds: Mapping[str, Kind]
    title_column: str
    described: frozenset[str] = frozenset()
    has_title: bool = True
    _masks: dict[Any, Mask] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of_ids(cls, item_ids: Vocabulary, kinds: Mapping[str, Kind], title_column: str | None) -> Catalogue:
        """Return a catalogue of items of which only the ids are known."""
        title = title_column or "title"
        with_title: dict[str, Kind] = {title: "text", **kinds}
        return cls(
            item_ids,
            [{}] * item_ids.size,
            np.ones(item_ids.size, dtype=np.bool_),
            with_title,
            title,
            frozenset(with_title if title_column else kinds),
            title_column is not None,
        )

    def of_other_ids(self, item_ids: Vocabulary) -> Catalogue:
        """Return a catalogue with the same columns, of items of which only the ids are known."""
        return replace(
            self,
            item_ids=item_ids,
            contents=[{}] * item_ids.size,
            available=np.ones(item_ids.size, dtype=np.bool_),
            _masks={},
        )

    def changed(self, items: Iterable[Item], deleted: Iterable[str]) -> Catalogue:
        """Return the catalogue with items put in or replaced, and others taken out; indices stay."""
        items = list(items)
        index = self.item_ids._lookup
        contents, available = list(self.contents), self.available.tolist()
        new: dict[str, int] = {}
        for item in items:
            position = index.get(item.item_id) or new.get(item.item_id)
            if position is None:
                new[item.item_id] = len(contents)
                contents.append(item.content)
                available.append(item.available)
            else:
                contents[position] = item.content
                available[position] = item.available
        for item_id in deleted:
            position = index.get(item_id) or new.get(item_id)
            if position is not None:
                contents[position] = {}
                available[position] = False
        available[0] = False
        ids = self.item_ids
        if new:
            ids = Vocabulary(pl.concat([ids.series, pl.Series("id", list(new), dtype=pl.String)]))
        kinds, title = self._columns(contents, {name for item in items for name in item.content})
        return replace(
            self,
            item_ids=ids,
            contents=contents,
            available=np.array(available, dtype=np.bool_),
            kinds=kinds,
            title_column=title,
            _masks={},
        )

    def _columns(self, contents: list[Mapping[str, Any]], changed: set[str]) -> tuple[Mapping[str, Kind], str]:
        """Return the kinds of the columns and the one of titles, with those that are not described guessed anew."""
        late = changed - self.described
        if not late:
            return self.kinds, self.title_column
        some = itertools.islice((content for content in contents if not late.isdisjoint(content)), SAMPLE)
        columns, kinds = late_columns(list(some), self.described)
        title = self.title_column if self.has_title else late_title(columns) or self.title_column
        return {**self.kinds, **kinds}, title

    def items(self) -> list[Item]:
        """Return all items as records."""
        rows = zip(self.ids, self.contents, self.available.tolist(), strict=True)
        return [Item(item_id, dict(content), available) for item_id, content, available in rows][1:]

    def make_ready(self) -> None:
        """Make what is made on first use, so that no request waits for it."""
        _ = self.titles, self.item_ids._lookup

    @cached_property
    def ids(self) -> list[str]:
        """The outer ids by index; an empty string for padding."""
        return ["", *self.item_ids.series.to_list()]

    @cached_property
    def titles(self) -> list[str]:
        """What to call each item, by index: its title, else its id; an empty string for padding."""
        named = [content.get(self.title_column) for content in self.contents]
        return [str(title) if title else item_id for title, item_id in zip(named, self.ids, strict=True)]

    @cached_property
    def frame(self) -> pl.DataFrame:
        """One row an item in index order: its columns, each of its kind."""
        columns = []
        for name, kind in self.kinds.items():
            values = [content.get(name) for content in self.contents[1:]]
            columns.append(json_columns.column(name, values, _TYPES.get(kind, pl.String)))
        return pl.DataFrame(columns)

    @cached_property
    def label_shares(self) -> dict[str, dict[str, float]]:
        """By column of labels, the share of items that have each label."""
        shares = {}
        for name, kind in self.kinds.items():
            if kind not in ("category", "categories"):
                continue
            counts = Counter(label for item in range(1, self.item_ids.size) for label in self.labels(name, item))
            if counts and len(counts) <= 0.5 * len(self.item_ids):  # a label of nearly every item its own is a name
                shares[name] = {label: count / len(self.item_ids) for label, count in counts.items()}
        return shares

    def labels(self, column: str, item: int) -> list[str]:
        """Return the labels of an item in a column."""
        value = self.contents[item].get(column)
        if value is None:
            return []
        if self.kinds.get(column) != "categories":
            return [json_columns.text(value)]
        return [label for label in json_columns.labels(value) if label is not None]

    def dataset(self) -> Dataset:
        """Return the catalogue as a data set without events."""
        no_events = np.empty(0, dtype=np.int32)
        log = EventLog(
            user=no_events,
            item=no_events.copy(),
            behaviour=np.empty(0, dtype=np.uint8),
            value=np.empty(0, dtype=np.float32),
            timestamp=np.empty(0, dtype=np.int64),
            offsets=user_offsets(no_events, 0),
            context=pl.DataFrame(),
            has_time=True,
        )
        return Dataset(
            events=log,
            item_ids=self.item_ids,
            user_ids=Vocabulary([]),
            behaviour_ids=Vocabulary(["view"]),
            items=self.frame,
            users=pl.DataFrame(),
            item_kinds=dict(self.kinds),
            title_column=self.title_column,
        )

    def select(self, filters: Iterable[Filter]) -> Mask:
        """Return which items all of the filters let through and may be shown, bool ``[n_items + 1]``.

        Raises:
            InvalidRequestError: there is no such column, or it does not hold what the filter asks for.
        """
        mask = self.available
        for place, wanted in enumerate(filters):
            key = msgspec.json.encode(wanted)
            cached = self._masks.get(key)
            if cached is None:
                cached = self._masks[key] = self._mask(wanted, f"#/filters/{place}")
                if len(self._masks) > MASKS_KEPT:
                    self._masks.pop(next(iter(self._masks)))
            mask = mask & cached
        return mask

    def _mask(self, condition: Filter, pointer: str) -> Mask:
        if condition.column not in self.kinds:
            columns = ", ".join(self.kinds) or "none"
            raise InvalidRequestError(
                f"filters: the catalogue has no column {condition.column!r}; there are: {columns}", f"{pointer}/column"
            )
        column, kind = self.frame[condition.column], self.kinds[condition.column]
        numeric = kind == "number"
        if not numeric and (condition.least is not UNSET or condition.most is not UNSET):
            raise InvalidRequestError(
                f"filters: {condition.column!r} holds no numbers, so min and max do not go with it; use in", pointer
            )
        is_kept = pl.repeat(True, len(column), eager=True)
        if condition.least is not UNSET:
            is_kept &= column >= condition.least
        if condition.most is not UNSET:
            is_kept &= column <= condition.most
        for wanted, let_in in ((condition.is_in, True), (condition.not_in, False)):
            if wanted is UNSET:
                continue
            values = (
                to_numbers(pl.Series(wanted, strict=False))
                if numeric
                else pl.Series([json_columns.text(value) for value in wanted])
            )
            if kind == "categories":
                matches = column.list.eval(pl.element().is_in(values.implode())).list.any()
            else:
                matches = column.is_in(values.implode())
            is_kept &= matches.fill_null(False) if let_in else ~matches.fill_null(False)
        return np.concatenate([[False], is_kept.fill_null(False).to_numpy()])
