"""The part of a data set that is not held out, and a data set whose order is forgotten."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from poise.data.dataset import Dataset
from poise.types import Mask, Offsets


def training_part(
    data: Dataset,
    keep: Mask,
    *,
    until: Offsets | None = None,
    users: Mask | None = None,
    items: Mask | None = None,
) -> Dataset:
    """Return the data set with the events that are not held out, and the impressions that tell nothing of the others.

    The same goes for what people said no to. A request that a held-out event followed is left out whole: it would say
    that nobody wanted the target.

    Args:
        data: the data to part.
        keep: bool ``[n_events]``.
        until: int64 ``[n_users + 1]``, the moment by user from which on impressions and rejections are held out too.
        users: bool ``[n_users + 1]``, whose impressions and rejections are held out.
        items: bool ``[n_items + 1]``, of which impressions and rejections are held out.
    """
    left, log = _without_later_rejections(data.select(keep), until, users, items), data.impressions
    if log is None or left.impressions is None:
        return left
    held_out = np.zeros(len(log), dtype=np.bool_)
    held_out[log.outcome_shown[~keep[log.outcome_event]]] = True
    shown = ~log.in_same_request(held_out)
    if until is not None:
        shown &= (log.time < until[log.user])[log.request]
    if users is not None:
        shown &= ~users[log.user][log.request]
    if items is not None:
        shown &= ~items[log.item]
    return replace(left, impressions=left.impressions.select(shown))


def _without_later_rejections(data: Dataset, until: Offsets | None, users: Mask | None, items: Mask | None) -> Dataset:
    log = data.rejections
    if log is None:
        return data
    keep = np.ones(len(log), dtype=np.bool_)
    if until is not None and log.has_time:
        keep &= log.timestamp < until[log.user]
    if users is not None:
        keep &= ~users[log.user]
    if items is not None:
        keep &= ~items[log.item]
    return replace(data, rejections=log.select(keep))


def shuffled(data: Dataset, seed: int) -> Dataset:
    """Return the data with each user's events in random order and without times."""
    log = data.events
    order = np.lexsort((np.random.default_rng(seed).random(len(log)), log.user))
    shuffled = replace(
        log,
        item=log.item[order],
        behaviour=log.behaviour[order],
        value=log.value[order],
        timestamp=np.zeros(len(log), dtype=np.int64),
        context=log.context[order] if log.context.width else log.context,
        has_time=False,
    )
    impressions = data.impressions
    if impressions is not None:
        place = np.argsort(order)
        impressions = replace(impressions, outcome_event=place[impressions.outcome_event])
    return replace(data, events=shuffled, impressions=impressions)
