"""What somebody had said no to by the time of a request."""

from __future__ import annotations

import numpy as np

from poise.data.event_log import EventLog
from poise.data.ragged import Ragged, gather_slices
from poise.types import Indices, Mask, Offsets


def rejected_items(
    rejections: EventLog | None,
    events: EventLog,
    user: Indices | Offsets,
    start: Offsets,
    stop: Offsets,
    time: Offsets | None = None,
    *,
    zero_is_nothing: bool = False,
) -> Ragged | None:
    """Return the items that the person of each request had said no to and not chosen since, each once.

    A label of 0 says that the item was shown and not chosen. That is nothing that the person did, so it is left out; a
    rating of 0 is the strongest no.

    Args:
        rejections: all that anybody said no to; None if nobody did.
        events: the log that the histories are slices of.
        user: int32 ``[n]``, who asks.
        start: int64 ``[n]``, where each history starts in ``events``.
        stop: int64 ``[n]``, where it ends.
        time: int64 ``[n]``, when each request is made; None for now, after all that was said.
        zero_is_nothing: whether a value of 0 says that the person did nothing.

    Returns:
        ``n`` rows of item indices; None if nobody said no.
    """
    if rejections is None:
        return None
    positions, offsets = gather_slices(rejections.offsets[user], rejections.offsets[user + 1])
    row = np.repeat(np.arange(len(user)), np.diff(offsets))
    counts = (rejections.value[positions] != 0) | (not zero_is_nothing)  # NaN, where there is no value, is not 0 either
    if time is not None and rejections.has_time:
        counts &= rejections.timestamp[positions] < time[row]
    row, positions = row[counts], positions[counts]
    width = int(max(rejections.item.max(initial=0), events.item.max(initial=0))) + 1
    cell = row * width + rejections.item[positions]
    chosen, chosen_offsets = gather_slices(start, stop)
    chosen_cell = np.repeat(np.arange(len(user)), np.diff(chosen_offsets)) * width + events.item[chosen]
    stands = ~_is_chosen_since(cell, rejections.timestamp[positions], chosen_cell, events.timestamp[chosen])
    rejected = np.unique(cell[stands])
    lengths = np.bincount(rejected // width, minlength=len(user))
    return Ragged((rejected % width).astype(np.int32), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))


def _is_chosen_since(cell: Offsets, time: Offsets, chosen_cell: Offsets, chosen_time: Offsets) -> Mask:
    """Tell for each no whether the same person chose the same item later, or at the same time."""
    if not len(chosen_cell):
        return np.zeros(len(cell), dtype=np.bool_)
    order = np.lexsort((chosen_time, chosen_cell))
    newest = np.maximum(np.searchsorted(chosen_cell[order], cell, side="right") - 1, 0)
    since: Mask = (chosen_cell[order][newest] == cell) & (chosen_time[order][newest] >= time)
    return since
