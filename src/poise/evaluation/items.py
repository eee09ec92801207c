from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import sparse

from poise.data.dataset import Dataset
from poise.errors import UsageError, suggest
from poise.types import Doubles, Floats, Indices, Mask, Offsets

HEAD_SHARE = 0.8
"""The share of the training events that the head, the most popular items, holds."""

ITEM_GROUPS = ("head", "tail", "cold")
_MOST_LABELS = 1_000  # a column with more holds names rather than genres


@dataclass(frozen=True)
class ItemStatistics:
    """Item statistics of the training data that metrics beyond accuracy need.

    Row 0 of every array is padding.

    Attributes:
        counts: int64 ``[n_items + 1]``, the training events of each item.
        information: float64 ``[n_items + 1]``, self-information: ``-log2`` of each item's share of the training events,
            in bits. An item without events counts as if it had one.
        by_popularity: int32 ``[n_items]``, the items from the most to the least popular; ties in random order.
        popularity_rank: int64 ``[n_items + 1]``, the place of each item in that order, from 1; 0 for padding.
        group: int32 ``[n_items + 1]``: 0 for the head, the fewest most popular items that hold 80 % of the training
            events; 1 for the tail, the others; 2 for cold items, without an event. -1 for padding.
        content: ``[n_items + 1, dim]``, for the diversity of slates: vectors of an encoder, else labels; None if the
            data has neither.
        content_name: the name of these vectors or of the label column.
        labels: ``[n_items + 1, n_labels]``, 1 for each label of an item, such as a genre; None if there are none.
        labels_name: the column of the labels.
    """

    counts: Offsets
    information: Doubles
    by_popularity: Indices
    popularity_rank: Offsets
    group: Indices
    content: Floats | sparse.csr_array | None = None
    content_name: str = ""
    labels: sparse.csr_array | None = None
    labels_name: str = ""

    @classmethod
    def of(cls, train: Dataset, label_column: str | None = None, *, seed: int = 0) -> ItemStatistics:
        """Compute the statistics.

        Args:
            train: the data that models are fitted on.
            label_column: the column of its items whose labels calibration is measured on; None for the first one with
                labels, lists of them before single ones.
            seed: of the draw among equally popular items.

        Raises:
            UsageError: there is no such column, or it holds no labels.
        """
        counts = train.item_counts
        chance = np.random.default_rng(seed).random(train.n_items)
        by_popularity = (np.lexsort((chance, -counts[1:])) + 1).astype(np.int32)
        popularity_rank = np.zeros(train.item_ids.size, dtype=np.int64)
        popularity_rank[by_popularity] = np.arange(1, train.n_items + 1)
        reached = np.cumsum(counts[by_popularity])
        n_head = int(np.searchsorted(reached, HEAD_SHARE * counts.sum())) + 1
        group = np.where(counts > 0, 1, 2).astype(np.int32)
        group[by_popularity[:n_head]] = 0
        group[0] = -1
        labels_name, labels = _labels(train, label_column)
        content: Floats | sparse.csr_array | None = labels
        content_name = labels_name
        if train.vectors:
            content_name, content = next(iter(train.vectors.items()))
        return cls(
            counts=counts,
            information=-np.log2(np.maximum(counts, 1) / max(1, counts.sum())),
            by_popularity=by_popularity,
            popularity_rank=popularity_rank,
            group=group,
            content=content,
            content_name=content_name,
            labels=labels,
            labels_name=labels_name,
        )

    @property
    def long_tail(self) -> Mask:
        """Which items lie outside the head, bool ``[n_items + 1]``."""
        return self.group > 0


def slate_matrix(items: Indices, weights: Doubles) -> sparse.csr_array:
    """Return the slates, int32 ``[n, k]``, as a sparse matrix ``[n, n_items + 1]`` of their items' weights."""
    n, k = items.shape
    pointers = np.arange(0, n * k + 1, k)
    return sparse.csr_array((weights[items].ravel(), items.ravel(), pointers), shape=(n, len(weights)))


def _labels(train: Dataset, wanted: str | None) -> tuple[str, sparse.csr_array | None]:
    """Return the label column and its matrix, binary ``[n_items + 1, n_labels]``."""
    kinds = train.item_kinds
    columns = [name for kind in ("categories", "category") for name in kinds if kinds[name] == kind]
    if wanted is not None:
        if wanted not in columns:
            raise UsageError(
                f"the items have no column {wanted!r} of labels; "
                + (f"choose from {', '.join(columns)}.{suggest(wanted, columns)}" if columns else "none has labels")
            )
        columns = [wanted]
    for name in columns:
        column = train.items[name]
        listed = column if isinstance(column.dtype, pl.List) else column.cast(pl.String).reshape((-1, 1)).arr.to_list()
        table = (
            pl.DataFrame({"item": np.arange(1, train.n_items + 1, dtype=np.int32), "label": listed})
            .explode("label")
            .drop_nulls()
            .unique(maintain_order=True)
        )
        codes = table["label"].cast(pl.String).rank("dense").to_numpy().astype(np.int64) - 1
        n_labels = int(codes.max()) + 1 if len(codes) else 0
        if 1 < n_labels <= _MOST_LABELS or (wanted is not None and n_labels):
            shape = (train.item_ids.size, n_labels)
            return name, sparse.csr_array((np.ones(len(codes)), (table["item"].to_numpy(), codes)), shape=shape)
    if wanted is not None:
        raise UsageError(f"the column {wanted!r} of the items is empty: calibration needs labels")
    return "", None
