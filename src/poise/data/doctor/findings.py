"""What the data doctor finds: plain values, ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from poise.data.doctor.rebuys import Rebuys
from poise.data.doctor.rejections import Rejections
from poise.data.doctor.signal import Signal
from poise.data.schema.value_kinds import ValueKind


@dataclass(frozen=True)
class Column:
    """One column of the events, items or users.

    Attributes:
        table: "events", "items" or "users".
        name: its name.
        kind: what it holds.
        missing: share of rows without a value, in [0, 1]; an empty text or list is none.
        distinct: how many different values there are; for lists, different labels.
        example: one of the values.
    """

    table: str
    name: str
    kind: str
    missing: float
    distinct: int
    example: str


@dataclass(frozen=True)
class Activity:
    """How many events users have; shares are of the users with any event."""

    median: float
    mean: float
    p90: float
    most: int
    under_3: float
    under_5: float
    at_least_3: int
    without_events: int


@dataclass(frozen=True)
class Popularity:
    """How many events items have; ``gini`` and shares are of the whole catalogue, the median of items with any event.

    Attributes:
        top_1_percent: share of all events that fall on the most popular hundredth of the catalogue.
        top_10_percent: the same for a tenth.
    """

    median: float
    most: int
    gini: float
    top_1_percent: float
    top_10_percent: float
    under_5: float
    without_events: int


@dataclass(frozen=True)
class Clock:
    """When events happened, by the events that have a time (UTC).

    Attributes:
        start: the first moment, ISO 8601.
        end: the last moment.
        days: how long it is from the first to the last, in days.
        resolution: the coarsest of "day", "hour", "minute", "second", "millisecond" that all times are whole
            numbers of.
        longest_gap_days: the longest time in which nothing happened.
        busiest_day: the day (UTC) with the most events.
        busiest_day_share: share of the events that fall on it.
        without_time: share of events without a time.
        future_events: events after the examination.
        last_tenth_days: how long the last tenth of the events took.
        last_tenth_known_users: share of its events by users who are there before.
        last_tenth_known_items: share of its events on items that are there before.
    """

    start: str
    end: str
    days: float
    resolution: str
    longest_gap_days: float
    busiest_day: str
    busiest_day_share: float
    without_time: float
    future_events: int
    last_tenth_days: float
    last_tenth_known_users: float
    last_tenth_known_items: float


@dataclass(frozen=True)
class Order:
    """Whether a user's events stand in a trustworthy order, and how often they come again.

    Attributes:
        ties: share of consecutive events of a user with equal time; None without times.
        duplicates: share of events that repeat user, item, behaviour and time of another; None without times.
        repeats: share of events in which a user does again what the user did with the item before.
        one_moment_users: share of the users with three or more events who have all of them at one moment; None without
            a clock.
        sorted_by: ``item`` or ``value`` where a log without times has each user's rows sorted by it; None otherwise.
    """

    ties: float | None
    duplicates: float | None
    repeats: float
    one_moment_users: float | None
    sorted_by: str | None = None


@dataclass(frozen=True)
class Values:
    """The values of events: stars, amounts, seconds.

    Attributes:
        missing: share of events without one.
        frequent: the most frequent values (at most ten) with their share of the values.
        oddities: what looks wrong, a sentence each.
        kind: what they mean, see :mod:`poise.data.schema.value_kinds`; None where that is not known.
    """

    missing: float
    distinct: int
    least: float
    median: float
    mean: float
    most: float
    frequent: Sequence[tuple[float, float]]
    oddities: Sequence[str]
    kind: ValueKind | None = None


@dataclass(frozen=True)
class Text:
    """What there is to read about items.

    Attributes:
        columns: the columns that hold words, the title first, labels included.
        titled: share of items with a title; None without a column for it.
        readable: share of items with any text.
        readable_unseen: share of the items without events that have any text; None if every item has events.
        words: mean number of words, or of characters of a script without spaces, of an item that has text.
        scripts: share of the letters in each script.
        shared_titles: share of items whose title another item has too.
    """

    columns: Sequence[str]
    titled: float | None
    readable: float
    readable_unseen: float | None
    words: float
    scripts: Mapping[str, float]
    shared_titles: float


@dataclass(frozen=True)
class Suspect:
    """A column that may tell a model what it is asked to foretell."""

    table: str
    column: str
    reason: str


@dataclass(frozen=True)
class Verdict:
    """What the data is, or is not, enough for.

    Attributes:
        topic: a short key for programs; stable.
        tone: "good", "warning" or "bad".
        title: the verdict in a few words.
        reason: one sentence with the numbers it rests on.
        advice: what to do.
    """

    topic: str
    tone: Literal["good", "warning", "bad"]
    title: str
    reason: str
    advice: str


@dataclass(frozen=True)
class Examination:
    """All that :func:`poise.data.doctor.examine` found out about a data set.

    Attributes:
        density: share of all pairs of user and item that have an event.
        largest_user_share: share of all events that the most active user has.
        behaviours: the number of events of each behaviour, most frequent first.
        signal: whether the log tells more than how often each thing is chosen.
        rejections: what people said no to; None where nobody did.
        rebuys: how much of what people do when they come back they do with what they had before.
        clock: None where no event has a time.
        values: None where no event has one.
        text: None where no column of the items holds words.
        refused: reason, number and example of the rows that were refused when the data was read; None if not known.
        verdicts: problems first.
    """

    name: str
    n_events: int
    n_users: int
    n_items: int
    density: float
    largest_user_share: float
    columns: Sequence[Column]
    behaviours: Mapping[str, int]
    activity: Activity
    popularity: Popularity
    clock: Clock | None
    order: Order
    rebuys: Rebuys
    rejections: Rejections | None
    signal: Signal
    values: Values | None
    text: Text | None
    suspects: Sequence[Suspect]
    refused: Sequence[tuple[str, int, str]] | None
    verdicts: Sequence[Verdict] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Return everything as dictionaries, lists, texts and numbers."""
        return asdict(self)


def percent(share: float) -> str:
    """Return a share as people write it: no more digits than count."""
    if 0 < share < 0.001:
        return "<0.1%"
    if 0.999 < share < 1:
        return ">99.9%"
    return f"{share:.1%}" if 0 < share < 0.1 or 0.99 < share < 1 else f"{share:.0%}"
