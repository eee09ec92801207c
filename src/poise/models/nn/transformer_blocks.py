"""The blocks of transformers over what a person did, oldest event first."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from poise.models.nn.dropout import Dropout
from poise.models.nn.single_position import select_position

Block = Literal["ligr", "classic"]


class Attention(nn.Module):
    """Multi-head attention.

    The source is Vaswani et al., *Attention Is All You Need*, 2017.
    """

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, seen: Tensor | None = None, asking: Tensor | None = None) -> Tensor:
        """Return what events make of those that they see, ``[batch, n_asking, dim]``.

        Args:
            x: the events, ``[batch, time, dim]``.
            seen: bool ``[batch, 1, 1, time]``, the events that all see; None for itself and those before it.
            asking: the events that look at them, ``[batch, n_asking, dim]``; None for all of them.
        """
        batch, time, dim = x.shape
        if asking is None:
            query, key, value = self._heads(self.project(x), 3)
        else:  # only these events need a query
            weight, bias = self.project.weight, self.project.bias
            (query,) = self._heads(functional.linear(asking, weight[:dim], bias[:dim]), 1)
            key, value = self._heads(functional.linear(x, weight[dim:], bias[dim:]), 2)
        if self.training and self.dropout.dropped:  # the library drops weights by a slow draw on a processor
            if seen is None:
                seen = torch.ones(time, time, dtype=torch.bool, device=x.device).tril()
            logits = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)  # [batch, heads, time, time]
            mixed = self.dropout(logits.masked_fill(~seen, -torch.inf).softmax(dim=-1)) @ value
        else:
            mixed = functional.scaled_dot_product_attention(query, key, value, seen, is_causal=seen is None)
        return self.out(mixed.transpose(1, 2).reshape(batch, -1, dim))  # type: ignore[no-any-return]

    def _heads(self, x: Tensor, parts: int) -> Tensor:
        """Return ``[batch, time, parts * dim]`` as ``[parts, batch, heads, time, dim / heads]``."""
        batch, time, width = x.shape
        return x.view(batch, time, parts, self.heads, width // parts // self.heads).permute(2, 0, 3, 1, 4)


class ClassicBlock(nn.Module):
    """Attention, then two layers on each event alone, each added to what was there after being normalised.

    The source is Kang and McAuley, *Self-Attentive Sequential Recommendation*, 2018.
    """

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = Attention(dim, heads, dropout)
        self.feed_norm = nn.LayerNorm(dim)
        self.feed = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), Dropout(dropout), nn.Linear(dim, dim))
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, seen: Tensor | None = None, place: Tensor | None = None) -> Tensor:
        """Return ``[batch, time, dim]``, or ``[batch, 1, dim]``, at one place of each row.

        Args:
            x: ``[batch, time, dim]``.
            seen: as of :class:`Attention`; to be given with ``place``.
            place: as of :func:`~poise.models.nn.single_position.select_position`.
        """
        normed = self.attention_norm(x)
        asking = None if place is None else select_position(normed, place)
        x = select_position(x, place) + self.dropout(self.attention(normed, seen, asking))
        fed: Tensor = self.dropout(self.feed(self.feed_norm(x)))
        return x + fed


class LigrBlock(nn.Module):
    """A block with gates that decide how much of each layer is added, and a SwiGLU in place of the two layers.

    The sources are Borisyuk et al., *LiGR: From Features to Transformers*, 2025, and Shazeer, *GLU Variants Improve
    Transformer*, 2020; its use in SASRec is from Tikhonovich et al., *eSASRec*, 2025.
    """

    def __init__(self, dim: int, heads: int, dropout: float, widening: int = 4) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = Attention(dim, heads, dropout)
        self.attention_gate = nn.Linear(dim, dim)
        self.feed_norm = nn.LayerNorm(dim)
        self.feed_in = nn.Linear(dim, 2 * widening * dim)
        self.feed_out = nn.Linear(widening * dim, dim)
        self.feed_gate = nn.Linear(dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, seen: Tensor | None = None, place: Tensor | None = None) -> Tensor:
        """Return ``[batch, time, dim]``, or ``[batch, 1, dim]``; see :meth:`ClassicBlock.forward`."""
        normed = self.attention_norm(x)
        asking = None if place is None else select_position(normed, place)
        x = select_position(x, place)
        x = x + torch.sigmoid(self.attention_gate(x)) * self.dropout(self.attention(normed, seen, asking))
        gate, value = self.feed_in(self.feed_norm(x)).chunk(2, dim=-1)
        fed = self.feed_out(self.dropout(functional.silu(gate) * value))
        added: Tensor = torch.sigmoid(self.feed_gate(x)) * self.dropout(fed)
        return x + added


BLOCKS: dict[Block, type[ClassicBlock] | type[LigrBlock]] = {"ligr": LigrBlock, "classic": ClassicBlock}
