"""What the data doctor measures, one function a finding."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl

from poise.data.dataset import Dataset
from poise.data.doctor.findings import Activity, Clock, Column, Order, Popularity, Text, Values
from poise.data.schema.value_kinds import ValueKind
from poise.data.writing_systems import script_shares
from poise.durations import DAY, HOUR, MINUTE, SECOND
from poise.types import Floats, Mask, Offsets

"""Milliseconds."""

_RESOLUTIONS = {"day": DAY, "hour": HOUR, "minute": MINUTE, "second": SECOND}
_FAR_ABOVE = 100  # times the 99th percentile: not a long tail any more, but a code such as 999999 or another unit
_EXAMPLE_LENGTH = 48
_STEPS = 30  # between neighbouring rows of a user, to see that they are sorted
_SORTED = 0.98
_WORDS = ("text", "category", "categories")  # the kinds that hold words
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}"  # scripts without spaces: a character counts as a word
_WORD = rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+"


def examine_columns(data: Dataset) -> list[Column]:
    """Return what each column of the events, items and users holds."""
    log = data.events
    first_behaviour = data.behaviour_ids.id(int(log.behaviour[0]))
    columns = [
        Column("events", "user", "id", 0.0, int(np.count_nonzero(np.diff(log.offsets))), data.user_ids.id(1)),
        Column("events", "item", "id", 0.0, int(np.count_nonzero(data.item_counts)), data.item_ids.id(1)),
        Column("events", "behaviour", "category", 0.0, len(data.behaviour_ids), first_behaviour),
    ]
    if not np.isnan(log.value).all():
        columns.append(_column("events", "value", "number", pl.Series(log.value).fill_nan(None)))
    if log.has_time:
        times = pl.Series(log.timestamp).cast(pl.Datetime("ms")).set(pl.Series(log.timestamp == 0), None)
        columns.append(_column("events", "timestamp", "time (UTC)", times))
    columns += [_column("events", column.name, _kind_of(column.dtype), column) for column in log.context.iter_columns()]
    for table, frame, kinds in (("items", data.items, data.item_kinds), ("users", data.users, data.user_kinds)):
        for column in frame.iter_columns():
            columns.append(_column(table, column.name, kinds.get(column.name) or _kind_of(column.dtype), column))
    return columns


def examine_activity(per_user: Offsets) -> Activity:
    """Return how many events users have, from the number of each, int ``[n_users]``."""
    active = per_user[per_user > 0]
    return Activity(
        median=float(np.median(active)),
        mean=float(active.mean()),
        p90=float(np.quantile(active, 0.9)),
        most=int(active.max()),
        under_3=float(np.mean(active < 3)),
        under_5=float(np.mean(active < 5)),
        at_least_3=int(np.count_nonzero(active >= 3)),
        without_events=int(np.count_nonzero(per_user == 0)),
    )


def examine_popularity(per_item: Offsets) -> Popularity:
    """Return how many events items have, from the number of each, int ``[n_items]``."""
    ascending = np.sort(per_item)
    descending = ascending[::-1]
    n_items, n_events = len(per_item), int(per_item.sum())
    rank = np.arange(1, n_items + 1)
    return Popularity(
        median=float(np.median(per_item[per_item > 0])),
        most=int(descending[0]),
        gini=float((2 * rank - n_items - 1) @ ascending) / (n_items * n_events),
        top_1_percent=int(descending[: -(-n_items // 100)].sum()) / n_events,
        top_10_percent=int(descending[: -(-n_items // 10)].sum()) / n_events,
        under_5=float(np.mean(per_item < 5)),
        without_events=int(np.count_nonzero(per_item == 0)),
    )


def examine_clock(data: Dataset, now: float) -> Clock | None:
    """Return when events happened; ``now`` is in seconds since 1970. None where no event has a time."""
    log = data.events
    timed = log.timestamp != 0  # an event without a time carries a 0
    if not log.has_time or not timed.any():
        return None
    ascending = np.sort(log.timestamp[timed])
    days, per_day = np.unique(ascending // DAY, return_counts=True)
    busiest = int(per_day.argmax())
    cut = int(ascending[int(0.9 * len(ascending))])
    late = timed & (log.timestamp >= cut)
    early = timed & ~late
    known_user = np.bincount(log.user[early], minlength=data.user_ids.size) > 0
    known_item = np.bincount(log.item[early], minlength=data.item_ids.size) > 0
    return Clock(
        start=_moment(int(ascending[0])),
        end=_moment(int(ascending[-1])),
        days=int(ascending[-1] - ascending[0]) / DAY,
        resolution=next((name for name, step in _RESOLUTIONS.items() if not np.any(ascending % step)), "millisecond"),
        longest_gap_days=float(np.diff(ascending).max(initial=0)) / DAY,
        busiest_day=_moment(int(days[busiest]) * DAY)[:10],
        busiest_day_share=int(per_day[busiest]) / len(ascending),
        without_time=float(np.mean(~timed)),
        future_events=int(np.count_nonzero(ascending > now * 1000)),
        last_tenth_days=int(ascending[-1] - cut) / DAY,
        last_tenth_known_users=float(known_user[log.user[late]].mean()),
        last_tenth_known_items=float(known_item[log.item[late]].mean()),
    )


def examine_order(data: Dataset) -> Order:
    """Return how many of a user's events tie, repeat or are there twice."""
    log = data.events
    events = pl.LazyFrame({"user": log.user, "item": log.item, "behaviour": log.behaviour, "time": log.timestamp})
    repeats = 1 - n_distinct(events.drop("time")) / len(log)
    if not log.has_time:
        return Order(None, None, repeats, None, _sorted_by(data))
    duplicates = 1 - n_distinct(events) / len(log)
    follows = log.user[1:] == log.user[:-1]
    tied = follows & (log.timestamp[1:] == log.timestamp[:-1])
    several = np.flatnonzero(np.diff(log.offsets) >= 3)
    first, last = log.timestamp[log.offsets[several]], log.timestamp[log.offsets[several + 1] - 1]
    return Order(
        ties=int(tied.sum()) / max(1, int(follows.sum())),
        duplicates=duplicates,
        repeats=repeats,
        one_moment_users=float(np.mean(first == last)) if len(several) else 0.0,
    )


def _sorted_by(data: Dataset) -> str | None:
    """Return by which column each user's rows are sorted, up or down; None where they are by none."""
    log = data.events
    follows = log.user[1:] == log.user[:-1]
    names = data.item_ids.series
    numbers = names.cast(pl.Float64, strict=False)
    rank = (names if numbers.null_count() else numbers).rank("dense").cast(pl.Int64).to_numpy()
    for column, values in (("value", log.value), ("item", rank[log.item.astype(np.int64) - 1])):
        steps = np.diff(values)[follows]
        steps = steps[np.isfinite(steps) & (steps != 0)]
        if len(steps) >= _STEPS and max(np.mean(steps > 0), np.mean(steps < 0)) >= _SORTED:
            return column
    return None


def examine_values(value: Floats, kind: ValueKind | None) -> Values | None:
    """Return how the values of events, float ``[n_events]``, are distributed; None where there are none."""
    given = value[~np.isnan(value)].astype(np.float64)
    if not len(given):
        return None
    distinct, counts = np.unique(given, return_counts=True)
    most_frequent = np.argsort(-counts, kind="stable")[:10]
    return Values(
        missing=1 - len(given) / len(value),
        distinct=len(distinct),
        least=float(distinct[0]),
        median=float(np.median(given)),
        mean=float(given.mean()),
        most=float(distinct[-1]),
        frequent=[(float(distinct[place]), int(counts[place]) / len(given)) for place in most_frequent],
        oddities=_oddities(given, len(distinct)),
        kind=kind,
    )


def examine_text(data: Dataset) -> Text | None:
    """Return what there is to read about items; None where no column holds words."""
    title = data.title_column
    columns = [name for name in data.items.columns if name != title and data.item_kinds.get(name) in _WORDS]
    columns = columns if title is None else [title, *columns]
    if not columns:
        return None
    texts = data.items.select(_words_of(column) for column in data.items.select(columns).iter_columns())
    passage = texts.select(pl.concat_str(columns, separator=" ", ignore_nulls=True)).to_series()
    readable: Mask = texts.select(~pl.all_horizontal(pl.all().is_null())).to_series().to_numpy()
    unseen = data.item_counts[1:] == 0
    named = texts[title].drop_nulls() if title else pl.Series("none", [], dtype=pl.String)
    words = passage.str.count_matches(_WORD)
    return Text(
        columns=columns,
        titled=len(named) / data.n_items if title else None,
        readable=float(readable.mean()),
        readable_unseen=float(readable[unseen].mean()) if unseen.any() else None,
        words=float(words.to_numpy()[readable].mean()) if readable.any() else 0.0,
        scripts=script_shares(passage),
        shared_titles=int(named.is_duplicated().sum()) / data.n_items,
    )


def _words_of(column: pl.Series) -> pl.Series:
    """Return the words of a column as text, null where there are none."""
    text = column.list.join(" ") if isinstance(column.dtype, pl.List) else column.cast(pl.String)
    return text.str.strip_chars().replace("", None)


def _column(table: str, name: str, kind: str, values: pl.Series) -> Column:
    labels = values.explode() if isinstance(values.dtype, pl.List) else values
    if labels.dtype == pl.String:
        labels = labels.replace("", None)
    if isinstance(values.dtype, pl.List):
        missing = int((values.list.len().fill_null(0) == 0).sum())
    else:
        missing = labels.null_count()
    filled = labels.drop_nulls()
    first = filled[0] if len(filled) else ""
    example = f"{first:g}" if isinstance(first, float) else " ".join(str(first).split())
    return Column(
        table=table,
        name=name,
        kind=kind,
        missing=missing / max(1, len(values)),
        distinct=filled.n_unique(),
        example=example if len(example) <= _EXAMPLE_LENGTH else example[: _EXAMPLE_LENGTH - 1] + "…",
    )


def _kind_of(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.List):
        return "categories"
    return "number" if dtype.is_numeric() else "time" if dtype.is_temporal() else "category"


def _oddities(given: np.ndarray, n_distinct: int) -> list[str]:
    if n_distinct == 1:
        return [f"Every value is {given[0]:g}: it says nothing, leave the column out."]
    odd = []
    negative = float(np.mean(given < 0))
    if 0 < negative < 0.05:
        low = float(given.min())
        odd.append(f"Few values are below 0 (the least is {low:g}): do they stand for “unknown” or for returned goods?")
    high, usual = float(given.max()), float(np.quantile(given, 0.99))
    if usual > 0 and high > _FAR_ABOVE * usual:
        odd.append(f"The largest value is {high:g}, but 99% are at most {usual:g}: is it a code or another unit?")
    return odd


def n_distinct(events: pl.LazyFrame) -> int:
    """Return how many different rows there are."""
    return int(events.unique().select(pl.len()).collect().item())


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
