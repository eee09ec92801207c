from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from annotated_types import Ge
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from poise.errors import UsageError
from poise.models.nn.dropout import Dropout
from poise.models.nn.single_position import SinglePositionModule
from poise.models.nn.transformer_blocks import BLOCKS, Block
from poise.models.sequential.sequence_model import SequenceModel
from poise.options.search_space import Space
from poise.recommender import OPTIONS
from poise.train.batches.sequences import EventTensors


class Transformer(SinglePositionModule):
    """Turns vectors of events, padded at the end, into a query vector after each.

    No event sees a later one, so padding at the end is never seen by a real event and needs no mask.
    """

    def __init__(self, dim: int, blocks: int, heads: int, max_length: int, dropout: float, block: Block) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.randn(max_length, dim) * 0.02)
        self.blocks = nn.ModuleList([BLOCKS[block](dim, heads, dropout) for _ in range(blocks)])
        self.norm = nn.LayerNorm(dim)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, events: EventTensors, place: Tensor | None = None) -> Tensor:
        """Return ``[batch, time, dim]`` for ``x`` of the same shape, or ``[batch, 1, dim]``, at one place of each."""
        x = self.dropout(x + self.places[: x.shape[1]])  # [batch, time, dim]
        before = None  # [batch, 1, 1, time], the events that the one at ``place`` sees
        if place is not None:
            before = torch.arange(x.shape[1], device=x.device) <= place[:, None, None, None]
        *first, last = self.blocks
        for block in first:
            x = block(x)  # [batch, time, dim]
        return self.norm(last(x, before, place))  # type: ignore[no-any-return]


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class SASRec(SequenceModel):
    """Self-attentive sequential recommendation: a causal transformer that reads what people did and says what is next.

    What all sequence models share, what an item is and how they learn, stands in
    :class:`~poise.models.sequential.sequence_model.SequenceModel`.

    The source is Kang and McAuley, *Self-Attentive Sequential Recommendation*, 2018. Sampled softmax in place of its
    loss is from Klenitskiy and Vasilev, *Turning Dross Into Gold Loss: Is BERT4Rec Really Better than SASRec?*, 2023,
    and the gated blocks from Tikhonovich et al., *eSASRec: Enhancing Transformer-Based Recommendations in a Modular
    Fashion*, 2025.

    Args:
        block: how a layer is built: ``ligr`` with gates and SwiGLU, or ``classic``.
        blocks: the number of layers; None takes what suits the log.
        heads: of attention; they divide ``dim``.
    """

    block: Block = "ligr"
    blocks: Annotated[int, Ge(1)] | None = None
    heads: Annotated[int, Ge(1)] = 4

    search_space: ClassVar[Space] = {**SequenceModel.search_space, "blocks": [1, 2]}

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise UsageError(f"SASRec: {self.heads} heads do not divide dim {self.dim}; choose others")

    def _body(self) -> Transformer:
        return Transformer(
            self.dim,
            self.data_defaults.blocks,
            self.heads,
            self.data_defaults.max_length,
            self.data_defaults.dropout,
            self.block,
        )
