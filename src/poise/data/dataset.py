from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
import polars as pl

from poise.data.event_log import EventLog
from poise.data.find_items import find_items
from poise.data.impressions import ImpressionLog
from poise.data.ingest.feedback import Feedback, judge
from poise.data.ingest.quarantine import Quarantine
from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.data.rejections import rejected_items
from poise.data.schema.column_types import Kind
from poise.data.schema.id_form import normalise_id
from poise.data.schema.value_kinds import ZERO_IS_NOTHING, ValueKind
from poise.data.vocabulary import Vocabulary
from poise.errors import DataError, UnknownIdError, UsageError
from poise.types import Floats, Indices, Mask, Offsets


@dataclass(frozen=True)
class Dataset:
    """A log of events and the catalogue that it speaks of. Immutable and columnar; histories are slices of the log.

    Made by :func:`poise.load`, :func:`poise.load_files`, :func:`poise.build_dataset` or :func:`poise.open_dataset`.

    Items and users are addressed by dense index, from 1; index 0 is padding. The vocabulary holds the whole catalogue:
    every item of the items table and every item of the log, whether a model has seen an event of it or not.

    Attributes:
        events: the log, sorted by (user, time, file order).
        item_ids: outer item ids; row i of ``items`` is the item with index i + 1.
        user_ids: outer user ids; row i of ``users`` is the user with index i + 1.
        behaviour_ids: the names of the behaviours, in the order of their codes.
        items: the catalogue, one row an item: its columns, without the id.
        users: what is known of users, one row a user, without the id.
        item_kinds: what each column of ``items`` holds.
        user_kinds: what each column of ``users`` holds.
        vectors: by name of the encoder, float ``[n_items + 1, dim]``: what the items mean; row 0 is zero.
        title_column: the column of ``items`` that people know an item by; None if there is none.
        name: what to call the data set in reports.
        impressions: what was shown, and which of the events followed it; None where that is not known.
        quarantine: the rows that were refused when the data was read; None for data made otherwise.
        rejections: what people said no to, sorted as the events are: never learnt from as if it was chosen, never a
            target, never a reason. None where nobody said no.
        value_kind: what the values of the events mean; None where that is not known, or there are none.
        feedback: the rules by which events and rejections were told apart; None for data made otherwise.
    """

    from_frames: ClassVar[Callable[..., Dataset]]
    """Makes a data set of frames: :func:`poise.build_dataset`, which is set here by the module that has it."""

    events: EventLog
    item_ids: Vocabulary
    user_ids: Vocabulary
    behaviour_ids: Vocabulary
    items: pl.DataFrame
    users: pl.DataFrame
    item_kinds: Mapping[str, Kind] = field(default_factory=dict)
    user_kinds: Mapping[str, Kind] = field(default_factory=dict)
    vectors: Mapping[str, Floats] = field(default_factory=dict)
    title_column: str | None = None
    name: str = "data"
    impressions: ImpressionLog | None = None
    quarantine: Quarantine | None = field(default=None, compare=False, repr=False)
    rejections: EventLog | None = None
    value_kind: ValueKind | None = None
    feedback: Feedback | None = None

    @property
    def n_events(self) -> int:
        """The number of events."""
        return len(self.events)

    @property
    def n_items(self) -> int:
        """The number of items in the catalogue, padding not counted."""
        return len(self.item_ids)

    @property
    def n_users(self) -> int:
        """The number of users, padding not counted."""
        return len(self.user_ids)

    @cached_property
    def item_counts(self) -> Offsets:
        """How many events each item has, int64 ``[n_items + 1]``."""
        return np.bincount(self.events.item, minlength=self.item_ids.size)

    @cached_property
    def item_people(self) -> Offsets:
        """How many people have events on each item, int64 ``[n_items + 1]``: who repeats a thing counts once."""
        return np.bincount(self.events.item[self.events.newest_of_pairs], minlength=self.item_ids.size)

    @cached_property
    def titles(self) -> list[str]:
        """What to call each item, by index: its title, else its id; an empty string for padding."""
        ids = self.item_ids.series
        names = ids if self.title_column is None else self.items[self.title_column].cast(pl.String).fill_null(ids)
        return ["", *names.to_list()]

    def queries(self, users: Iterable[str] | None = None, *, hide_seen: bool = True) -> Queries:
        """Return a request of each user, now, after all that they did.

        Args:
            users: outer user ids; None for all users in index order, also those without events.
            hide_seen: whether items of the history must not be returned.

        Raises:
            UnknownIdError: nobody has heard of a user.
        """
        if users is None:
            index = np.arange(1, self.user_ids.size, dtype=np.int32)
        else:
            if isinstance(users, str):
                raise UsageError(f"users is a list of ids; for one user write users=[{users!r}]")
            outer = [normalise_id(str(user)) for user in users]
            index = self.user_ids.index(outer)
            if (unknown := np.flatnonzero(index == 0)).size:
                raise UnknownIdError(
                    f"user {outer[unknown[0]]!r} is not in the data set {self.name!r} ({self.n_users:,} users); "
                    "for somebody new give a history instead"
                )
        return Queries(
            events=self.events,
            start=self.events.offsets[index],
            stop=self.events.offsets[index + 1],
            user=index,
            item_ids=self.item_ids,
            users=self.known_of(index),
            rejected=self.rejected_by(index, self.events.offsets[index], self.events.offsets[index + 1]),
            hide_seen=hide_seen,
        )

    def rejected_by(
        self, user: Indices | Offsets, start: Offsets, stop: Offsets, time: Offsets | None = None
    ) -> Ragged | None:
        """Return what people with these histories had said no to: see :func:`poise.data.rejections.rejected_items`."""
        nothing = self.value_kind in ZERO_IS_NOTHING
        return rejected_items(self.rejections, self.events, user, start, stop, time, zero_is_nothing=nothing)

    def known_of(self, users: Indices | Offsets) -> pl.DataFrame | None:
        """Return the columns of users, by index, one row each; None where there are no columns."""
        return self.users[users - 1] if self.users.width else None

    def select(self, keep: Mask) -> Dataset:
        """Return the data set with the events for which ``keep``, bool ``[n_events]``, is true; indices stay.

        Impressions stay too, but what is left out is no longer an outcome of them.
        """
        impressions = None if self.impressions is None else self.impressions.select_events(keep)
        return replace(self, events=self.events.select(keep), impressions=impressions)

    def before(self, moment: int) -> Dataset:
        """Return the data set as it was at a moment, in milliseconds since 1970: all that was done and shown before."""
        data, rejections = self.select(self.events.timestamp < moment), self.rejections
        if rejections is not None:
            data = replace(data, rejections=rejections.select(rejections.timestamp < moment))
        return data if data.impressions is None else replace(data, impressions=data.impressions.before(moment))

    def judged(self, feedback: Feedback) -> Dataset:
        """Return the data set with those of its events that say no, by other rules, among the rejections.

        Raises:
            DataError: no event says yes.
        """
        log = self.events
        feedback = feedback.resolved(self.value_kind, log.value)
        behaviour = log.behaviour.astype(np.int64) - 1
        opinions = feedback.opinions(self.behaviour_ids.series.to_list(), behaviour, log.value, self.value_kind)
        pair = log.user.astype(np.int64) * self.item_ids.size + log.item
        yes, no = judge(pair, opinions, behaviour, log.timestamp if log.has_time else None)
        if not yes.any():
            raise DataError(f"{self.name!r}: no event says yes by the rules of [data.feedback]")
        rejections = self.rejections
        if no.any():
            rejections = log.select(no) if rejections is None else rejections.together_with(log.select(no))
        return replace(self.select(yes), feedback=feedback, rejections=rejections)

    def with_codes(self, behaviour_ids: Vocabulary) -> Dataset:
        """Return the data set with its behaviours numbered as in a vocabulary that has all of them."""
        if behaviour_ids == self.behaviour_ids:
            return self
        code = np.concatenate([[0], behaviour_ids.index(self.behaviour_ids.series)]).astype(np.uint8)
        events, rejections = (
            None if log is None else replace(log, behaviour=code[log.behaviour])
            for log in (self.events, self.rejections)
        )
        assert events is not None
        return replace(self, behaviour_ids=behaviour_ids, events=events, rejections=rejections)

    def with_vectors(self, name: str, vectors: Floats) -> Dataset:
        """Return the data set with what its items mean added to it.

        Args:
            name: what to call the vectors: the encoder's name, usually.
            vectors: float ``[n_items + 1, dim]``, row i for the item with index i, row 0 zero.

        Raises:
            DataError: the array has another number of rows, a row 0 that is not zero, or values that are not finite.
        """
        if vectors.ndim != 2 or len(vectors) != self.item_ids.size:
            raise DataError(
                f"vectors {name!r} have the shape {vectors.shape}; {self.item_ids.size} rows are due: "
                "one an item and row 0 for padding"
            )
        if np.any(vectors[0]):
            raise DataError(f"row 0 of the vectors {name!r} must be zero: it is padding")
        if not np.isfinite(vectors).all():
            raise DataError(f"the vectors {name!r} hold values that are not finite (NaN or infinity): encode anew")
        return replace(self, vectors={**self.vectors, name: vectors})

    def find_items(self, words: Sequence[str]) -> list[int]:
        """Return the item that each of ``words`` means: an id, a title, or a part of exactly one title.

        See :func:`poise.data.find_items.find_items`.
        """
        return find_items(words, self.item_ids, self.titles, self.item_counts)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the events, the vocabularies, the tables and the impressions: equal for equal data, anywhere."""
        digest = hashlib.blake2b(digest_size=16)
        log = self.events
        logs = [log] if self.rejections is None else [log, self.rejections]
        arrays = [array for log in logs for array in (log.user, log.item, log.behaviour, log.value, log.timestamp)]
        vocabularies = [self.item_ids, self.user_ids, self.behaviour_ids]
        tables = [self.items, self.users, *(log.context for log in logs)]
        if (shown := self.impressions) is not None:
            arrays += [array for _, array in shown.arrays()]
            vocabularies.append(shown.sources)
            tables += [shown.requests, shown.context]
        for array in arrays:
            digest.update(np.ascontiguousarray(array).data)
        for vocabulary in vocabularies:
            digest.update(vocabulary.fingerprint.encode())
        for table in tables:
            for column in table.columns:
                digest.update(column.encode())
                for start in range(0, table.height, 65_536):  # JSON is the same in all versions of polars
                    digest.update(table.select(column).slice(start, 65_536).write_ndjson().encode())
        return digest.hexdigest()

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}: {self.n_events:,} events, {self.n_users:,} users, {self.n_items:,} items)"
