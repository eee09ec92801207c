"""Which events are fit to learn from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import polars as pl

from poise.data.ingest.k_core import outside_core
from poise.data.ingest.staging import Staging
from poise.data.schema.timestamps import moment
from poise.durations import DAY, MINUTE
from poise.errors import UsageError


@dataclass(frozen=True)
class Cleaning:
    """Rules for events. Those that are refused go to quarantine with the reason.

    The limits on rates tell scripts from people, and leave people who are only busy alone. MovieLens shows films by
    the page to be rated in bulk, and still nobody there rates more than 33 in a minute or 1,442 in a day.

    Attributes:
        duplicates: refuse an event that repeats an earlier one in user, item, behaviour, time and value. Applies only
            to logs with times: without them, doing a thing twice looks the same.
        min_value: refuse events with a smaller value, such as bad ratings; events without a value are kept.
        earliest: refuse events before this time; None for no limit.
        latest: refuse events after this time; ``tomorrow`` is a day after now; None for no limit.
        unknown_items: whether to ``keep`` or ``drop`` events of items that the items table does not list.
        bots: refuse all the events of users who act at an inhuman rate, as the next three say.
        max_per_minute: more events than this within a minute are inhuman if they are sustained ...
        sustained_minutes: ... in at least so many minutes.
        max_per_day: more events than this within a day (UTC) are inhuman: one every 17 seconds, around the clock.
        k_core: keep only users and items with so many events among those kept; 0 to keep all.
    """

    duplicates: bool = True
    min_value: float | None = None
    earliest: str | int | datetime | None = "1990-01-01"
    latest: str | int | datetime | None = "tomorrow"
    unknown_items: Literal["keep", "drop"] = "keep"
    bots: bool = True
    max_per_minute: int = 100
    sustained_minutes: int = 10
    max_per_day: int = 5_000
    k_core: int = 0

    def __post_init__(self) -> None:
        if self.unknown_items not in ("keep", "drop"):
            raise UsageError(f"unknown_items is {self.unknown_items!r}; choose 'keep' or 'drop'")
        for name, least in (("max_per_minute", 1), ("sustained_minutes", 1), ("max_per_day", 1), ("k_core", 0)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be {least} or more")
        earliest, latest = moment(self.earliest), moment(self.latest)
        if earliest is not None and latest is not None and earliest >= latest:
            raise UsageError(f"earliest ({self.earliest}) must come before latest ({self.latest})")

    def apply(self, events: Staging, known_items: pl.Series | None) -> None:
        """Refuse the events that are not fit, by all rules but the k-core.

        Args:
            events: with ids, times and values already in canonical types.
            known_items: the ids that the items table lists; None if there is none.
        """
        if "timestamp" in events:
            _time_limits(events, moment(self.earliest), moment(self.latest))
        if "value" in events and self.min_value is not None:
            events.refuse(pl.col("value") < self.min_value, f"value below {self.min_value:g} (min_value)")
        if self.duplicates and "timestamp" in events:
            _duplicates(events)
        if self.unknown_items == "drop" and known_items is not None:
            events.refuse(~pl.col("item_id").is_in(known_items.implode()), "item is not in the items table")
        if self.bots and "timestamp" in events:
            self._bots(events)

    def apply_k_core(self, events: Staging) -> None:
        """Refuse the events of users and items with too few of them; it counts what is learnt from alone."""
        if self.k_core > 1:
            _k_core(events, self.k_core)

    def _bots(self, events: Staging) -> None:
        suspects = _with_many_events(events.frame, min(self.max_per_day, self.max_per_minute * self.sustained_minutes))
        if not suspects.height:
            return
        log = suspects.lazy().filter(pl.col("timestamp").is_not_null())
        a_day = log.group_by("user_id", pl.col("timestamp") // DAY).len().filter(pl.col("len") > self.max_per_day)
        _refuse_users(
            events, a_day.collect()["user_id"], f"bot: a user with more than {self.max_per_day:,} events in a day"
        )
        if not (events.frame["timestamp"] % MINUTE != 0).any():
            return  # times are whole minutes or days: a day's events would look like one minute's
        minutes = (
            log.group_by("user_id", pl.col("timestamp") // MINUTE).len().filter(pl.col("len") > self.max_per_minute)
        )
        sustained = minutes.group_by("user_id").len().filter(pl.col("len") >= self.sustained_minutes)
        _refuse_users(
            events,
            sustained.collect()["user_id"],
            f"bot: a user with more than {self.max_per_minute} events a minute in {self.sustained_minutes} minutes",
        )


def _with_many_events(frame: pl.DataFrame, limit: int) -> pl.DataFrame:
    """Return user and time of the events of all users with more than ``limit`` events, and of few others.

    Users are counted in buckets of their hash, which hold at least as many events as each user in them.
    """
    bucket = (frame["user_id"].hash() % 2**20).to_numpy()
    return frame.select("user_id", "timestamp").filter(pl.Series((np.bincount(bucket) > limit)[bucket]))


def _refuse_users(events: Staging, users: pl.Series, reason: str) -> None:
    if len(users):
        events.refuse(pl.col("user_id").is_in(users.unique().implode()), reason)


def _time_limits(events: Staging, earliest: int | None, latest: int | None) -> None:
    if earliest is not None:
        events.refuse(pl.col("timestamp") < earliest, f"impossible time: before {_day(earliest)} (earliest)")
    if latest is not None:
        events.refuse(pl.col("timestamp") > latest, f"impossible time: after {_day(latest)} (latest)")


def _day(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M").removesuffix(" 00:00")


def _duplicates(events: Staging) -> None:
    keys = [column for column in ("user_id", "item_id", "behaviour", "timestamp", "value") if column in events]
    timed = events.frame["timestamp"].is_not_null()
    frame = events.frame if timed.all() else events.frame.filter(timed)
    hashed = frame.select(pl.struct(keys).hash()).to_series()
    ordered = np.sort(hashed.to_numpy())
    if not (ordered[1:] == ordered[:-1]).any():  # a tenth of the memory and time of asking for the distinct ones
        return
    suspects = frame.filter(hashed.is_duplicated()).select("_row", *keys)
    repeated = suspects.filter(~suspects.select(pl.struct(keys).is_first_distinct()).to_series())["_row"]
    refused = np.zeros(events.raw.height, dtype=np.bool_)
    refused[repeated.to_numpy()] = True
    events.refuse(pl.Series(refused[events.frame["_row"].to_numpy()]), "duplicate: the same event stands there before")


def _k_core(events: Staging, k: int) -> None:
    """Refuse users and items with fewer than ``k`` events, and again, until all have as many."""
    sides = {
        side: events.frame.select(pl.col(f"{side}_id").rank("dense") - 1).to_series().to_numpy().astype(np.int64)
        for side in ("user", "item")
    }
    cause = outside_core(list(sides.values()), k)
    for code, name in enumerate(sides, start=1):
        events.refuse(
            pl.Series(cause == code), f"k-core: {'a' if name == 'user' else 'an'} {name} with fewer than {k} events"
        )
        cause = cause[cause != code]
