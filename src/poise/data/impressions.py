"""What was shown, in columns, and which events followed it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from poise.data.event_log import EventLog
from poise.data.vocabulary import Vocabulary
from poise.types import Floats, Indices, Mask, Offsets

LABELS = ("run", "policy_version", "arm", "surface")
"""The columns of ``requests`` that hold one label of a few."""


@dataclass(frozen=True)
class ImpressionLog:
    """Impressions in columns: one row for each item that was shown, and one for each request, in order of time.

    A request is here one page of an answer; further pages of it are requests of the same ``request_id``. What is known
    by request is had by shown item as ``user[request]``.

    Attributes:
        request: int32 ``[n_shown]``, ascending: the request that each item was shown for.
        item: int32 ``[n_shown]``, never 0: what the vocabulary does not know is left out.
        position: int32 ``[n_shown]``, the place in the whole answer, from 0.
        score: float32 ``[n_shown]``.
        probability: float32 ``[n_shown]``, with which each was shown.
        source: int32 ``[n_shown]``, index in ``sources`` of the retriever or stage that brought each.
        sources: their names.
        user: int32 ``[n_requests]``; 0 where the user has no name or is not in the vocabulary.
        time: int64 ``[n_requests]``, milliseconds since 1970 in UTC, ascending.
        requests: one row a request: ``request_id``; ``run``, ``policy_version``, ``arm`` and ``surface`` (each an Enum,
            whose physical values are its codes; null where there is none); ``n_eligible``, how many items could have
            been shown; ``filters`` and ``features`` that the ranker saw (both JSON).
        context: one row a request, where and how it was asked; without columns if nothing is known.
        outcome_shown: int64 ``[n_outcomes]``, ascending: the shown item that an event is credited to.
        outcome_event: int64 ``[n_outcomes]``, the event, by its place in the log. An event stands here once at most, an
            item as often as events followed it.
    """

    request: Indices
    item: Indices
    position: Indices
    score: Floats
    probability: Floats
    source: Indices
    sources: Vocabulary
    user: Indices
    time: Offsets
    requests: pl.DataFrame
    context: pl.DataFrame
    outcome_shown: Offsets
    outcome_event: Offsets

    def __post_init__(self) -> None:
        for _, column in self.arrays():
            column.flags.writeable = False  # as those of a saved log are

    @classmethod
    def from_arrival(
        cls, requests: pl.DataFrame, context: pl.DataFrame, shown: pl.DataFrame, sources: Sequence[str]
    ) -> ImpressionLog:
        """Make a log, without outcomes, of requests in any order.

        Args:
            requests: one row a request: ``user`` (Int32), ``time`` and the columns of ``requests``.
            context: one row a request, or without columns.
            shown: one row a shown item, in order of requests and positions: ``request`` (the row of ``requests``),
                ``item`` (0 where it is not known), ``position``, ``score``, ``probability``, ``source``.
            sources: what the codes of ``source``, from 1, are called.
        """
        order = np.argsort(requests["time"].to_numpy(), kind="stable")
        new_row = np.empty(len(order), dtype=np.int32)
        new_row[order] = np.arange(len(order), dtype=np.int32)
        shown = shown.with_columns(request=pl.Series(new_row[shown["request"].to_numpy()]))
        if not shown["request"].is_sorted():
            shown = shown.sort("request", maintain_order=True)
        requests = requests[order]
        labels = [requests[name].cast(pl.Enum(requests[name].drop_nulls().unique().sort())) for name in LABELS]
        nothing = np.empty(0, dtype=np.int64)
        log = cls(
            **{name: shown[name].to_numpy() for name in ("request", "item", "position", "score", "probability")},
            source=shown["source"].to_numpy(),
            sources=Vocabulary(sources),
            user=requests["user"].to_numpy(),
            time=requests["time"].to_numpy(),
            requests=requests.drop("user", "time").with_columns(labels),
            context=context[order] if context.width else pl.DataFrame(),
            outcome_shown=nothing,
            outcome_event=nothing.copy(),
        )
        return log.select(log.item > 0)

    def __len__(self) -> int:
        """Return the number of items that were shown."""
        return len(self.item)

    @property
    def n_requests(self) -> int:
        """The number of requests."""
        return len(self.time)

    def arrays(self) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        """Yield the name and the values of each array."""
        for field in fields(self):
            if isinstance(value := getattr(self, field.name), np.ndarray):
                yield field.name, value

    def select(self, keep: Mask) -> ImpressionLog:
        """Return the log with the shown items for which ``keep``, bool ``[n_shown]``, is true, and their requests."""
        used = np.zeros(self.n_requests, dtype=np.bool_)
        used[self.request[keep]] = True
        credited = keep[self.outcome_shown]
        return replace(
            self,
            request=_renumbered(used)[self.request[keep]].astype(np.int32),
            **{name: getattr(self, name)[keep] for name in ("item", "position", "score", "probability", "source")},
            user=self.user[used],
            time=self.time[used],
            requests=self.requests.filter(pl.Series(used)),
            context=self.context.filter(pl.Series(used)) if self.context.width else self.context,
            outcome_shown=_renumbered(keep)[self.outcome_shown[credited]],
            outcome_event=self.outcome_event[credited],
        )

    def before(self, moment: int) -> ImpressionLog:
        """Return the log of the requests before a moment, in milliseconds since 1970; outcomes stay."""
        return self.select(self.time[self.request] < moment)

    def select_events(self, keep: Mask) -> ImpressionLog:
        """Return the log without outcomes but the events for which ``keep``, bool ``[n_events]``, is true."""
        is_kept = keep[self.outcome_event]
        return replace(
            self,
            outcome_shown=self.outcome_shown[is_kept],
            outcome_event=_renumbered(keep)[self.outcome_event[is_kept]],
        )

    def with_items(self, new_index: Indices) -> ImpressionLog:
        """Return the log with other indices of items.

        Args:
            new_index: int32 ``[n_items + 1]``, by old index; 0 for an item that is no longer there: what was shown of
                it is left out.
        """
        log = replace(self, item=new_index[self.item])
        return log if log.item.all() else log.select(log.item > 0)

    def with_users(self, new_index: Indices) -> ImpressionLog:
        """Return the log with other indices of users, int32 ``[n_users + 1]`` by old index; 0 for who is not known."""
        return replace(self, user=new_index[self.user])

    def followed_by(self, events: EventLog, behaviours: Indices | None = None) -> Mask:
        """Return which shown items an event followed, bool ``[n_shown]``.

        Args:
            events: that the outcomes speak of.
            behaviours: codes of the behaviours that count; None for all.
        """
        outcome = self.outcome_shown
        if behaviours is not None:
            outcome = outcome[np.isin(events.behaviour[self.outcome_event], behaviours)]
        followed = np.zeros(len(self), dtype=np.bool_)
        followed[outcome] = True
        return followed

    def in_same_request(self, shown: Mask) -> Mask:
        """Return which items were shown together with any of ``shown``, bool ``[n_shown]``, and those themselves."""
        requests = np.zeros(self.n_requests, dtype=np.bool_)
        requests[self.request[shown]] = True
        return requests[self.request]


def _renumbered(keep: Mask) -> Offsets:
    """Return by old position the new one of what is kept, int64 ``[n]``."""
    return np.cumsum(keep, dtype=np.int64) - 1
