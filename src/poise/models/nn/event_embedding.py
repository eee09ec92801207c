"""What an event is besides its item: what was done, how long after the one before, at what time of day and week."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from poise.durations import DAY, HOUR, SECOND
from poise.train.batches.sequences import EventTensors

TimeFeatures = Literal["none", "history", "request"]

DEVIATION = 0.02  # of the first vectors, as of items
GAPS = 24  # lengths of intervals that are distinguished: each twice the one before, from a second to half a year
_UNDATED_SHARE = 0.1  # of sequences that are learnt without request times, since some requests have none


class EventEmbedding(nn.Module):
    """Adds to the vectors of items what else is known of the events.

    Intervals as inputs are from Li, Wang and McAuley, *Time Interval Aware Self-Attention for Sequential
    Recommendation*, 2020, there between all pairs of events; here to the event before.

    Args:
        dim: the length of a vector.
        behaviours: how many behaviours there are; a single one has no vector.
        time_features: ``none``; ``history``, when the events happened; ``request``, also when the request is
            made.
    """

    def __init__(self, dim: int, behaviours: int, time_features: TimeFeatures) -> None:
        super().__init__()
        self.time_features = time_features
        self.behaviour = _table(behaviours + 1, dim) if behaviours > 1 else None
        self.moments = nn.ModuleList([Moment(dim) for _ in range(["none", "history", "request"].index(time_features))])

    def forward(self, x: Tensor, events: EventTensors) -> Tensor:
        """Return ``[batch, time, dim]`` for the vectors ``x`` of the same shape."""
        if self.behaviour is not None:
            x = x + self.behaviour(events.behaviours.clamp(max=self.behaviour.num_embeddings - 1))
        if self.time_features != "none":
            before = torch.cat([events.times[:, :1], events.times[:, :-1]], dim=1)
            x = x + self.moments[0](events.times, events.times - before)
        if self.time_features == "request":
            request_times = events.request_times
            if self.training:
                is_dated = torch.rand(len(request_times), 1, device=request_times.device) >= _UNDATED_SHARE
                request_times = request_times * is_dated
            x = x + self.moments[1](request_times, request_times - events.times)
        return x


class Moment(nn.Module):
    """A vector for a moment: the time since another one, the hour and the day of the week, by universal time."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gap, self.hour, self.day = _table(GAPS + 1, dim), _table(25, dim), _table(8, dim)

    def forward(self, moment: Tensor, gap: Tensor) -> Tensor:
        """Return ``[..., dim]``.

        Args:
            moment: int64 ``[...]``, milliseconds since 1970; 0 where it is not known.
            gap: int64 ``[...]``, milliseconds since the other moment; a negative one counts as none.
        """
        is_known = (moment > 0).long()
        octave = torch.log2(1 + gap.clamp(min=0) / SECOND).long().clamp(max=GAPS - 1)
        hour = moment // HOUR % 24
        day = (moment // DAY + 3) % 7  # the first of January 1970 was a Thursday
        embedding: Tensor = (
            self.gap(is_known * (1 + octave)) + self.hour(is_known * (1 + hour)) + self.day(is_known * (1 + day))
        )
        return embedding


def _table(size: int, dim: int) -> nn.Embedding:
    table = nn.Embedding(size, dim)
    nn.init.normal_(table.weight, std=DEVIATION)
    return table
