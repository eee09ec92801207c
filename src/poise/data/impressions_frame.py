"""Impressions with what followed them, as a frame to look at."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from poise.data.dataset import Dataset
from poise.data.vocabulary import Vocabulary
from poise.errors import DataError

_MOMENT = pl.Datetime("ms", "UTC")


class HasDataset(Protocol):
    """What gives a data set: a store."""

    def dataset(self) -> Dataset:
        """Return everything as a data set."""


def impressions_frame(source: Dataset | HasDataset) -> pl.DataFrame:
    """Return what was shown, by outer ids, one row a shown item, in order of time and position.

    The columns are ``request_id``, ``time``, ``user_id`` (null where it is not known), ``position``, ``item_id``,
    ``score``, ``probability``, ``source``, ``run``, ``policy_version``, ``arm``, ``surface``, ``n_eligible``,
    ``filters`` and ``features`` (JSON); ``behaviour``, ``value`` and ``event_time``: lists of the events that followed,
    in order of time, null where none did; then the columns of the context, as ``context_NAME`` where the name is taken.

    Args:
        source: a data set, or a store.

    Raises:
        DataError: there are no impressions.
    """
    data = source if isinstance(source, Dataset) else source.dataset()
    log = data.impressions
    if log is None:
        raise DataError(f"{data.name!r} has no impressions: 'poise serve' writes them down as it answers")
    requests = log.requests[log.request]
    frame = pl.DataFrame(
        {
            "request_id": requests["request_id"],
            "time": pl.Series(log.time[log.request]).cast(_MOMENT),
            "user_id": _outer(data.user_ids, log.user[log.request]),
            "position": log.position,
            "item_id": _outer(data.item_ids, log.item),
            "score": log.score,
            "probability": log.probability,
            "source": _outer(log.sources, log.source),
            **{name: requests[name] for name in requests.columns if name != "request_id"},
        }
    )
    frame = frame.with_row_index("row").join(_outcomes(data), on="row", how="left", maintain_order="left").drop("row")
    if not log.context.width:
        return frame
    context = log.context[log.request]
    taken = {name: f"context_{name}" for name in context.columns if name in frame.columns}
    return pl.concat([frame, context.rename(taken)], how="horizontal")


def _outcomes(data: Dataset) -> pl.DataFrame:
    """Return the events that followed each shown item, by its row."""
    log = data.impressions
    assert log is not None
    events, event = data.events, log.outcome_event
    followed = pl.DataFrame(
        {
            "row": pl.Series(log.outcome_shown).cast(pl.UInt32),
            "behaviour": _outer(data.behaviour_ids, events.behaviour[event]),
            "value": pl.Series(events.value[event]).fill_nan(None),
            "event_time": pl.Series(events.timestamp[event]).cast(_MOMENT),
        }
    )
    return followed.group_by("row", maintain_order=True).agg("behaviour", "value", "event_time")


def _outer(vocabulary: Vocabulary, indices: npt.NDArray[np.integer[Any]]) -> pl.Series:
    """Return the outer id of each index, null for 0."""
    codes = pl.Series(indices.astype(np.int64))
    return vocabulary.series.gather(codes.set(codes == 0, None) - 1)
