"""A few events as they were understood."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from poise.data.dataset import Dataset


def sample_rows(data: Dataset, n: int = 3) -> list[dict[str, str]]:
    """Return events of different users as they were understood: who, which item, what, when.

    Args:
        data: the log.
        n: how many.

    Returns:
        rows with ``user``, ``item``, and where the log has them ``behaviour``, ``value`` and ``time``.
    """
    log = data.events
    places = [int(place) for place in log.offsets[1:-1] if place < len(log)]
    rows = []
    for place in dict.fromkeys([*places[:n], *range(min(n, len(log)))]):
        item = int(log.item[place])
        row = {"user": data.user_ids.ids([int(log.user[place])])[0], "item": _called(data, item)}
        if len(data.behaviour_ids) > 1 or data.behaviour_ids.series[0] != "interaction":
            row["behaviour"] = data.behaviour_ids.ids([int(log.behaviour[place])])[0]
        if not np.isnan(log.value).all():
            means = "" if data.value_kind is None else f" ({data.value_kind})"
            row["value"] = f"{log.value[place]:g}{means}"
        if log.has_time:
            row["time"] = f"{datetime.fromtimestamp(int(log.timestamp[place]) / 1000, UTC):%d %b %Y %H:%M}"
        rows.append(row)
    return rows[:n]


def _called(data: Dataset, item: int) -> str:
    key = data.item_ids.ids([item])[0]
    title = data.titles[item]
    return f"{title} ({key})" if title and title != key else key
