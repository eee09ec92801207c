"""Metrics by group: requests grouped by activity and user columns, targets by the popularity of the item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from poise.data.holdout import Holdout
from poise.data.schema.column_types import Kind
from poise.errors import UsageError, suggest
from poise.evaluation.items import ITEM_GROUPS, ItemStatistics
from poise.evaluation.significance import Measured
from poise.types import Doubles, Indices, Mask

_MOST_GROUPS = 8


@dataclass(frozen=True)
class Groups:
    """One grouping of the requests.

    Attributes:
        name: of the grouping.
        labels: the names of the groups, in order.
        of_request: int32 ``[n]``, the position in ``labels``; -1 for requests in none.
    """

    name: str
    labels: tuple[str, ...]
    of_request: Indices


def user_groups(holdout: Holdout, columns: Sequence[str] | None = None) -> list[Groups]:
    """Group the requests by the number of events in the history, and by columns of the users.

    Args:
        holdout: the requests.
        columns: columns of the users; None for all that hold a number, or labels of which a few cover most people.

    Raises:
        UsageError: there is no such column.
    """
    users = holdout.train.users
    if columns is None:
        columns = [name for name in users.columns if _parts_well(users[name], holdout.train.user_kinds.get(name))]
    groups = [_by_activity(holdout)]
    for name in columns:
        if name not in users.columns:
            raise UsageError(f"the users have no column {name!r}.{suggest(name, users.columns)}")
        row = holdout.queries.user.astype(np.int64) - 1
        groups.append(_by_column(name, users[name].gather(pl.Series(np.where(row >= 0, row, 0))), row < 0))
    return [group for group in groups if len(group.labels) > 1]


def recall_by_item_group(
    hits: Mask, items: Indices, target_groups: Indices, statistics: ItemStatistics, k: int
) -> dict[str, tuple[Doubles, Doubles]]:
    """Return by item group the share of a request's targets that are among the first k, and their number.

    Args:
        hits: bool ``[n, at least k]``.
        items: int32 ``[n, at least k]``, the slates.
        target_groups: int32 ``[n, n_groups]``, the number of targets of each group.
        statistics: of the items.
        k: the cut-off.
    """
    group_of_hit = np.where(hits[:, :k], statistics.group[items[:, :k]], -1)
    recalls = {}
    with np.errstate(invalid="ignore"):
        for group, name in enumerate(ITEM_GROUPS):
            number = target_groups[:, group].astype(np.float64)
            recalls[name] = ((group_of_hit == group).sum(axis=1) / number, number)
    return recalls


def by_group(measured: Measured, groups: Groups) -> list[Measured]:
    """Return the metric of each group."""
    return [measured.where(groups.of_request == group) for group in range(len(groups.labels))]


def _parts_well(column: pl.Series, kind: Kind | None) -> bool:
    """Return whether a few values of a column cover most users; those of a postcode would not."""
    if kind != "category":
        return kind == "number"
    counts = column.drop_nulls().value_counts(sort=True)["count"]
    return bool(2 * counts.head(_MOST_GROUPS).sum() >= counts.sum())


def _by_activity(holdout: Holdout) -> Groups:
    lengths = holdout.queries.lengths
    names, of_request = _thirds(lengths.astype(np.float64), lengths == 0)
    if (lengths == 0).any():
        names, of_request = ["none", *names], of_request + 1
    return Groups("events in the history", tuple(names), of_request.astype(np.int32))


def _by_column(name: str, column: pl.Series, unknown: Mask) -> Groups:
    unknown = unknown | column.is_null().to_numpy()
    if column.dtype.is_numeric() and column.n_unique() > _MOST_GROUPS:
        labels, of_request = _thirds(column.cast(pl.Float64).fill_null(0).to_numpy(), unknown)
    else:
        text = column.cast(pl.String).fill_null("")
        by_count = (
            text.filter(pl.Series(~unknown)).value_counts(sort=True).sort("count", text.name, descending=[True, False])
        )
        labels = by_count[text.name].head(_MOST_GROUPS).sort().to_list()
        position = {label: index for index, label in enumerate(labels)}
        of_request = np.array([position.get(label, len(labels)) for label in text], dtype=np.int32)
        if by_count.height > _MOST_GROUPS:
            labels.append("all the rest")  # "other" is often a label of its own
    if unknown.any():
        if "unknown" not in labels:
            labels.append("unknown")
        of_request = np.where(unknown, labels.index("unknown"), of_request)
    return Groups(name, tuple(labels), of_request.astype(np.int32))


def _thirds(values: Doubles, leave_out: Mask) -> tuple[list[str], Indices]:
    """Split values into three groups of similar size, labelled with their smallest and largest value."""
    part = np.full(len(values), -1, dtype=np.int32)
    if leave_out.all():
        return [], part
    included = values[~leave_out]
    borders = np.unique(np.quantile(included, [1 / 3, 2 / 3], method="lower"))
    third = np.searchsorted(borders, included)
    present, third = np.unique(third, return_inverse=True)
    part[~leave_out] = third
    labels = []
    for index in range(len(present)):
        low, high = included[third == index].min(), included[third == index].max()
        labels.append(f"{low:g}" if low == high else f"{low:g}–{high:g}")
    return labels, part
