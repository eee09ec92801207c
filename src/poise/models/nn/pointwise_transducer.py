"""Attention without a softmax over what a person did, oldest event first, biased by how long ago each event was."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from poise.durations import SECOND
from poise.models.nn.dropout import Dropout
from poise.models.nn.event_embedding import GAPS, TimeFeatures
from poise.train.batches.sequences import EventTensors

_UNTOLD = 0.1  # the share of sequences that are learnt without the time of asking, since some requests have none


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
            one.view(batch, time, self.heads, dim // self.heads).transpose(1, 2) for one in (query, key, value)
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
    """Turns vectors of events, padded at the end, into what is expected after each.

    Args:
        dim: the length of a vector.
        blocks: the number of layers.
        heads: they divide ``dim``.
        max_length: the greatest number of events.
        dropout: the share of numbers that are dropped.
        time_features: see :class:`~poise.models.nn.event_embedding.EventEmbedding`; how long ago an event was is told
            from the time of the event that looks back on it, and with ``request`` from the time of asking what comes
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
            x = block(x, seen, gap)
        return self.norm(x)  # type: ignore[no-any-return]

    def _moments(self, events: EventTensors) -> Tensor:
        """Return from when each event looks back, int64 ``[batch, time]``; 0 where that is not known."""
        if self.time_features == "history":
            return events.times
        if self.training:
            return events.asked * (torch.rand(len(events.asked), 1, device=events.asked.device) >= _UNTOLD)
        return events.asked


def gaps(moments: Tensor, times: Tensor) -> Tensor:
    """Return which octave of seconds lies between each moment and each event, int64 ``[batch, time, time]``.

    Args:
        moments: int64 ``[batch, time]``, in milliseconds since 1970; 0 is not known, and is 0 from every event.
        times: int64 ``[batch, time]``, of the events, the same.
    """
    between = (moments[:, :, None] - times[:, None]).clamp(min=0)  # [batch, time, time]
    octave = torch.log2(1 + between / SECOND).long().clamp(max=GAPS - 1)
    return (1 + octave) * (moments > 0)[:, :, None]
