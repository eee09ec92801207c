"""The k-core of a log: the largest part in which every user and every item has at least k events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import polars as pl

from poise.data.dataset import Dataset
from poise.data.event_log import user_offsets
from poise.data.vocabulary import Vocabulary
from poise.errors import DataError
from poise.types import Indices, Mask


def outside_core(sides: Sequence[npt.NDArray[np.integer]], k: int) -> npt.NDArray[np.int8]:
    """Return for each event which side puts it outside the k-core, int8 ``[n_events]``: from 1, and 0 if it is inside.

    Args:
        sides: codes of the users, and of the items, of the events, each int ``[n_events]``.
        k: how many events each of them must have.
    """
    cause = np.zeros(len(sides[0]), dtype=np.int8)
    changed = True
    while changed:
        changed = False
        for code, side in enumerate(sides, start=1):
            is_inside = cause == 0
            few = is_inside & (np.bincount(side[is_inside], minlength=side.max(initial=-1) + 1) < k)[side]
            cause[few] = code
            changed |= bool(few.any())
    return cause


def k_core(data: Dataset, k: int) -> Dataset:
    """Return the k-core of a data set, with the users and items that are in it and no others.

    It is what published tables mean by "5-core". A live catalogue should keep its new items: use
    ``Cleaning(k_core=...)``, which leaves out events only.

    Raises:
        DataError: nothing is left.
    """
    log = data.events
    core = data.select(outside_core([log.user, log.item], k) == 0)
    inside, impressions = core.events, core.impressions
    if not len(inside):
        raise DataError(f"no event of {data.name!r} is in the {k}-core: take a smaller k")
    user_ids, users, new_user = _keep(data.user_ids, data.users, inside.user)
    item_ids, items, new_item = _keep(data.item_ids, data.items, inside.item)
    kept_items = np.concatenate([[True], new_item[1:] > 0])
    user = new_user[inside.user]
    return replace(
        data,
        impressions=None if impressions is None else impressions.with_items(new_item).with_users(new_user),
        events=replace(inside, user=user, item=new_item[inside.item], offsets=user_offsets(user, len(user_ids))),
        user_ids=user_ids,
        users=users,
        item_ids=item_ids,
        items=items,
        vectors={name: vectors[kept_items] for name, vectors in data.vectors.items()},
    )


def _keep(ids: Vocabulary, table: pl.DataFrame, used: Indices) -> tuple[Vocabulary, pl.DataFrame, Indices]:
    """Return the vocabulary and the rows of what is used, and the new index of each old one, 0 for what is not."""
    keep: Mask = np.bincount(used, minlength=ids.size)[1:] > 0
    new = np.concatenate([[0], np.where(keep, np.cumsum(keep), 0)]).astype(np.int32)
    return Vocabulary(ids.series.filter(pl.Series(keep))), table.filter(pl.Series(keep)) if table.width else table, new
