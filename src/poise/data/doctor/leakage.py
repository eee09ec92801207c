"""Columns that may tell a model what it is asked to foretell."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import polars as pl

from poise.data.dataset import Dataset
from poise.data.doctor.findings import Suspect
from poise.types import Doubles

_STRONG = 0.9  # rank correlation with the log from which a column was hardly made without it
_FEWEST_ITEMS = 30  # with fewer, a strong correlation comes about by chance
_FEWEST_EVENTS = 100  # the same for columns of the events
_STEADY_EVENTS = 5  # the mean value of an item with fewer events says little
_REUSED = 10  # events per value of a column, below which it tells everything about an event by being unique
_TELLING_NAME = re.compile(
    r"(^|_)(popularity|popular|bestseller|sales_?rank|click_?rate|ctr|conversion(_rate)?"
    r"|(num|n|nb|count|total|number_of|avg|average|mean)_?(of_)?"
    r"(ratings?|reviews?|views?|clicks?|likes?|sales|purchases|orders|plays|events|interactions|votes?|stars)"
    r"|(ratings?|reviews?|views?|clicks?|likes?|sales|purchases?|orders?|plays?|votes?|stars)_?"
    r"(count|counts|num|total|avg|average|mean))($|_)"
)


def find_suspects(data: Dataset) -> list[Suspect]:
    """Return the columns that look as if they were made from the log, or stand for its outcome.

    A column of the items that follows how often, or how well, items are rated in this very log, test events included,
    lets a model look into the future. A column of the events that settles the value, the behaviour or the item is
    written down only once the thing has happened: nobody has it when a recommendation is asked for.
    """
    return [*_made_from_log(data), *_settling(data)]


def _made_from_log(data: Dataset) -> Iterator[Suspect]:
    log = data.events
    count = data.item_counts[1:].astype(np.float64)
    valued = ~np.isnan(log.value)
    per_item = np.bincount(log.item[valued], minlength=data.item_ids.size)[1:]
    total = np.bincount(log.item[valued], weights=log.value[valued], minlength=data.item_ids.size)[1:]
    mean = np.divide(total, per_item, out=np.full(data.n_items, np.nan), where=per_item >= _STEADY_EVENTS)
    for column in data.items.iter_columns():
        if not column.dtype.is_numeric():
            continue
        numbers = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        strongest = max(
            (
                (abs(_rank_correlation(numbers, other)), what)
                for other, what in ((count, "number of events"), (mean, "mean value"))
            ),
        )
        if strongest[0] > _STRONG:
            yield Suspect(
                "items",
                column.name,
                f"it ranks items almost as their {strongest[1]} in this log does (rank correlation {strongest[0]:.2f})",
            )
        elif _TELLING_NAME.search(_snake_case(column.name)):
            yield Suspect("items", column.name, "its name says that it sums up what people did")


def _settling(data: Dataset) -> Iterator[Suspect]:
    log = data.events
    if len(log) < _FEWEST_EVENTS:
        return
    outcomes: list[tuple[str, pl.Series, int]] = []
    value = pl.Series("value", log.value).fill_nan(None)
    if 2 <= (n_values := value.drop_nulls().n_unique()) <= len(log) // _REUSED:
        outcomes.append(("value", value, n_values))
    if len(data.behaviour_ids) > 1:
        outcomes.append(("behaviour", pl.Series("behaviour", log.behaviour), len(data.behaviour_ids)))
    outcomes.append(("item", pl.Series("item", log.item), int(np.count_nonzero(data.item_counts))))
    for column in log.context.iter_columns():
        if isinstance(column.dtype, pl.List):
            continue
        both = pl.DataFrame({"column": column})
        n_given = column.drop_nulls().n_unique()
        if not 2 <= n_given <= len(log) / 2:
            continue
        for outcome, series, n_outcomes in outcomes:
            # A value of the column that says which outcome it was, and as many of them as there are outcomes.
            if n_outcomes < 2 or n_given < 0.9 * n_outcomes or (outcome != "item" and n_given > len(log) / _REUSED):
                continue
            pairs = both.with_columns(series.alias("outcome")).drop_nulls().unique().height
            if pairs == n_given:
                yield Suspect("events", column.name, f"each of its values goes with one {outcome} only: it is a copy")
                break


def _rank_correlation(left: Doubles, right: Doubles) -> float:
    """Return Spearman's rank correlation where both are known; 0 where it says nothing."""
    both = np.isfinite(left) & np.isfinite(right)
    if np.count_nonzero(both) < _FEWEST_ITEMS:
        return 0.0
    first, second = (pl.Series(values[both]).rank().to_numpy() for values in (left, right))
    if not first.std() or not second.std():
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _snake_case(name: str) -> str:
    return re.sub(r"[\W_]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)).lower()
