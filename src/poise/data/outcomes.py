"""Which events followed what was shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from poise.data.event_log import EventLog
from poise.data.impressions import ImpressionLog
from poise.types import Mask, Offsets

WINDOW = 30 * 60_000  # milliseconds


def join_outcomes(
    impressions: ImpressionLog, events: EventLog, request_ids: pl.Series | None = None, *, window: int = WINDOW
) -> ImpressionLog:
    """Credit each event to the shown item that it followed, if there is one, in place of what was credited before.

    An event that names a request is credited to its item in this request: of several such to the latest that is not
    after the event, else to the earliest, as clocks of clients go wrong. Any other event is credited to the latest
    showing of the same item to the same user, at most ``window`` before it. Each event is credited once.

    Args:
        impressions: what was shown.
        events: what was done, with the same users and items.
        request_ids: ``[n_events]``, the request that each event names, null where it names none; None if none does.
        window: how long after an item was shown an event may have come of it, in milliseconds.
    """
    event_keys = events.item.astype(np.int64)
    item_span = max(int(event_keys.max(initial=0)), int(impressions.item.max(initial=0))) + 1
    credited = np.full(len(events), -1, dtype=np.int64)
    if request_ids is not None:
        number_of_request, number_of_event = _numbered(impressions.requests["request_id"], request_ids)
        row_keys = number_of_request[impressions.request] * item_span + impressions.item
        keys = number_of_event * item_span + event_keys
        for strategy in ("backward", "forward"):
            open_events = (credited < 0) & (number_of_event >= 0)
            _credit(credited, open_events, keys, row_keys, impressions, events, strategy)
    if events.has_time:
        row_keys = impressions.user[impressions.request].astype(np.int64) * item_span + impressions.item
        row_keys[impressions.user[impressions.request] == 0] = -1
        keys = events.user * np.int64(item_span) + event_keys
        _credit(credited, credited < 0, keys, row_keys, impressions, events, "backward", window)
    event = np.flatnonzero(credited >= 0)
    order = np.lexsort((event, events.timestamp[event], credited[event]))
    return replace(impressions, outcome_shown=credited[event][order], outcome_event=event[order])


def _numbered(of_requests: pl.Series, of_events: pl.Series) -> tuple[Offsets, Offsets]:
    """Return a number for each request id, and that of the request which each event names, -1 where it is unknown."""
    numbers = of_requests.rename("id").unique().to_frame().with_row_index("number")

    def look_up(ids: pl.Series) -> Offsets:
        joined = ids.rename("id").to_frame().join(numbers, on="id", how="left", maintain_order="left")["number"]
        return joined.cast(pl.Int64).fill_null(-1).to_numpy()

    return look_up(of_requests), look_up(of_events)


def _credit(
    credited: Offsets,
    open_events: Mask,
    keys: Offsets,
    row_keys: Offsets,
    impressions: ImpressionLog,
    events: EventLog,
    strategy: str,
    window: int | None = None,
) -> None:
    """Write into ``credited`` the row of the same key that is nearest in time, for the events that are open."""
    event = np.flatnonzero(open_events)
    open_rows = pl.DataFrame({"key": keys[event], "time": events.timestamp[event], "event": event}).sort("time")
    rows = pl.DataFrame({"key": row_keys, "row": np.arange(len(row_keys))})
    rows = rows.join(open_rows.select("key").unique(), on="key", how="semi", maintain_order="left")
    rows = rows.with_columns(time=pl.Series(impressions.time[impressions.request[rows["row"].to_numpy()]]))
    nearest = open_rows.join_asof(
        rows,
        on="time",
        by="key",
        strategy=strategy,  # type: ignore[arg-type]
        tolerance=window,
        check_sortedness=False,  # polars cannot tell within groups: rows and events are in order of time
    ).drop_nulls("row")
    credited[nearest["event"].to_numpy()] = nearest["row"].to_numpy()
