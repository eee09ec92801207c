"""The data doctor: what is in a data set, what is wrong with it, and what it is enough for."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import polars as pl

from poise.data.dataset import Dataset
from poise.data.doctor.findings import Examination, Verdict
from poise.data.doctor.leakage import find_suspects
from poise.data.doctor.measures import (
    examine_activity,
    examine_clock,
    examine_columns,
    examine_order,
    examine_popularity,
    examine_text,
    examine_values,
    n_distinct,
)
from poise.data.doctor.rebuys import Rebuys, find_rebuys
from poise.data.doctor.rejections import find_rejections
from poise.data.doctor.signal import Signal, find_signal
from poise.data.doctor.verdicts import judge

__all__ = ["Examination", "Rebuys", "Signal", "Verdict", "examine", "find_rebuys", "find_signal"]


def examine(data: Dataset, *, now: float | None = None) -> Examination:
    """Look a data set over: its columns, its distributions, its clock, what leaks, and what all that allows.

    Args:
        data: what to look at.
        now: seconds since 1970, after which events are in the future; None for the present.
    """
    log = data.events
    per_user = np.diff(log.offsets)[1:]
    behaviours = np.bincount(log.behaviour, minlength=data.behaviour_ids.size)[1:]
    counted = zip(data.behaviour_ids.series.to_list(), behaviours.tolist(), strict=True)
    pairs = n_distinct(pl.LazyFrame({"user": log.user, "item": log.item}))
    examination = Examination(
        name=data.name,
        n_events=data.n_events,
        n_users=data.n_users,
        n_items=data.n_items,
        density=pairs / (data.n_users * data.n_items),
        largest_user_share=int(per_user.max()) / data.n_events,
        columns=examine_columns(data),
        behaviours=dict(sorted(counted, key=lambda count: -count[1])),
        activity=examine_activity(per_user),
        popularity=examine_popularity(data.item_counts[1:]),
        clock=examine_clock(data, time.time() if now is None else now),
        order=examine_order(data),
        rebuys=find_rebuys(data),
        rejections=find_rejections(data),
        signal=find_signal(data),
        values=examine_values(log.value, data.value_kind),
        text=examine_text(data),
        suspects=find_suspects(data),
        refused=None
        if data.quarantine is None
        else [(str(reason), int(count), str(example)) for reason, count, example in data.quarantine.summary()],
    )
    return replace(examination, verdicts=judge(examination))
