from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional

from poise.errors import UsageError
from poise.models.nn.dropout import Dropout
from poise.models.nn.event_embedding import GAPS, TimeFeatures
from poise.models.sequential.sequence_model import SequenceModel
from poise.recommender import OPTIONS
from poise.train.batches.sequences import EventTensors

_SECOND = 1_000  # milliseconds
_UNDATED_SHARE = 0.1  # of sequences that are learnt without request times, since some requests have none


class PointwiseAttention(nn.Module):
    """A layer of hierarchical sequential transduction units.

    The source is Zhai et al., *Actions Speak Louder than Words: Trillion-Parameter Sequential Transducers for
    Generative Recommendations*, 2024, equations 1 to 3. Sums over the past are divided by the number of events in it;
    the authors' code divides by the greatest length, which makes those of short histories vanish beside the epsilon of
    the norm that follows.

    Args:
        dim: the length of a vector.
        heads: they divide ``dim``.
        max_length: the greatest number of events.
        dropout: the share of numbers that are dropped before the last map.
        timed: whether time counts in attention, not only the order.
    """

    def __init__(self, dim: int, heads: int, max_length: int, dropout: float, *, timed: bool) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(dim)
        self.project = nn.Linear(dim, 4 * dim)
        self.distance_bias = nn.Parameter(torch.randn(max_length) * 0.02)
        self.gap_bias = nn.Parameter(torch.randn(GAPS + 1) * 0.02) if timed else None
        self.mixed_norm = nn.LayerNorm(dim, eps=1e-6)  # sums without a softmax can be small
        self.dropout = Dropout(dropout)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, seen: Tensor, gap: Tensor | None) -> Tensor:
        """Return ``[batch, time, dim]``.

        Args:
            x: of the same shape.
            seen: bool ``[batch, time, time]``, which events (last) each event sees.
            gap: int64 ``[batch, time, time]``, how long ago an event (last) was, from 0 to ``GAPS``, see :func:`gaps`.
        """
        batch, time, dim = x.shape
        gate, value, query, key = functional.silu(self.project(self.norm(x))).chunk(4, dim=-1)  # [batch, time, dim]
        query, key, value = (
            projected.view(batch, time, self.heads, dim // self.heads).transpose(1, 2)
            for projected in (query, key, value)
        )  # [batch, heads, time, dim / heads]
        place = torch.arange(time, device=x.device)
        bias = self.distance_bias[(place[:, None] - place).clamp(min=0)]  # [time, time]
        if self.gap_bias is not None:
            bias = (bias + self.gap_bias[gap])[:, None]  # [batch, 1, time, time]
        weight = functional.silu(query @ key.transpose(2, 3) + bias)  # [batch, heads, time, time]
        weight = weight * (seen / seen.sum(dim=2, keepdim=True).clamp(min=1))[:, None]
        mixed = (weight @ value).transpose(1, 2).reshape(batch, time, dim)
        added: Tensor = self.out(self.dropout(self.mixed_norm(mixed) * gate))
        return x + added


class PointwiseTransducer(nn.Module):
    """Turns vectors of events, padded at the end, into a query vector after each.

    Args:
        dim: the length of a vector.
        blocks: the number of layers.
        heads: they divide ``dim``.
        max_length: the greatest number of events.
        dropout: the share of numbers that are dropped.
        time_features: see :class:`~poise.models.nn.event_embedding.EventEmbedding`; how long ago an event was is
            measured from the time of the event that attends to it, and with ``request`` from the time of the request
            after that.
    """

    def __init__(
        self, dim: int, blocks: int, heads: int, max_length: int, dropout: float, time_features: TimeFeatures
    ) -> None:
        super().__init__()
        self.time_features = time_features
        self.blocks = nn.ModuleList(
            [PointwiseAttention(dim, heads, max_length, dropout, timed=time_features != "none") for _ in range(blocks)]
        )
        self.norm = nn.LayerNorm(dim)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, events: EventTensors) -> Tensor:
        """Return ``[batch, time, dim]`` for ``x`` of the same shape."""
        place = torch.arange(x.shape[1], device=x.device)
        seen = (place[:, None] >= place) & events.real[:, None]  # [batch, time, time]
        gap = None if self.time_features == "none" else gaps(self._moments(events), events.times)
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x, seen, gap)  # [batch, time, dim]
        return self.norm(x)  # type: ignore[no-any-return]

    def _moments(self, events: EventTensors) -> Tensor:
        """Return from when each event looks back, int64 ``[batch, time]``; 0 where that is not known."""
        if self.time_features == "history":
            return events.times
        request_times = events.request_times
        if self.training:
            is_dated = torch.rand(len(request_times), 1, device=request_times.device) >= _UNDATED_SHARE
            return request_times * is_dated
        return request_times


def gaps(moments: Tensor, times: Tensor) -> Tensor:
    """Return which octave of seconds lies between each moment and each event, int64 ``[batch, time, time]``.

    Args:
        moments: int64 ``[batch, time]``, in milliseconds since 1970; 0 is not known, and is 0 from every event.
        times: int64 ``[batch, time]``, of the events, the same.
    """
    between = (moments[:, :, None] - times[:, None]).clamp(min=0)  # [batch, time, time]
    octave = torch.log2(1 + between / _SECOND).long().clamp(max=GAPS - 1)
    return (1 + octave) * (moments > 0)[:, :, None]


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class HSTU(SequenceModel):
    """Hierarchical sequential transduction units: attention that adds up what is alike in place of averaging it.

    How strongly an event is attended to does not depend on the other events, and how far back and how long ago it was
    counts beside what it is. What all sequence models share, what an item is and how they learn, stands in
    :class:`~poise.models.sequential.sequence_model.SequenceModel`.

    The source is Zhai et al., *Actions Speak Louder than Words: Trillion-Parameter Sequential Transducers for
    Generative Recommendations*, 2024.

    Args:
        time_features: as of all sequence models; but for ``none``, how long ago an event was also counts in attention.
        blocks: the number of layers.
        heads: of attention; they divide ``dim``.
    """

    time_features: TimeFeatures = "history"
    blocks: Annotated[int, Ge(1)] = 2
    heads: Annotated[int, Ge(1)] = 4

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise UsageError(f"HSTU: {self.heads} heads do not divide dim {self.dim}; choose others")

    def _body(self) -> PointwiseTransducer:
        time_features = self.time_features if self.has_clock else "none"
        return PointwiseTransducer(
            self.dim, self.blocks, self.heads, self.data_defaults.max_length, self.data_defaults.dropout, time_features
        )
