from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from annotated_types import Ge, Gt, Lt
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from poise.data.dataset import Dataset
from poise.errors import UsageError
from poise.models.nn.dropout import Dropout
from poise.models.nn.single_position import SinglePositionModule
from poise.models.nn.transformer_blocks import BLOCKS, Block
from poise.models.sequential.sequence_model import SequenceModel
from poise.recommender import OPTIONS
from poise.train.batches.augmentation import Augmentation
from poise.train.batches.sequence_batches import SequenceBatch, SequenceBatches
from poise.train.batches.sequences import MASKED, EventTensors, Sequences
from poise.types import Mask

if TYPE_CHECKING:
    from poise.models.nn.item_embedding import ItemEmbedding
    from poise.train.batches.negative_sampler import NegativeSampler

UNDATED_SHARE = 0.1  # of sequences that are learnt without the times of masked events, since some requests have none


class BidirectionalTransformer(SinglePositionModule):
    """Turns vectors of events, padded at the end, into what each would be, by all others of the same row.

    Places are counted back from the newest event, where what is asked for stands.
    """

    def __init__(self, dim: int, blocks: int, heads: int, places: int, dropout: float, block: Block) -> None:
        super().__init__()
        self.masked = nn.Parameter(torch.randn(dim) * 0.02)
        self.places = nn.Parameter(torch.randn(places, dim) * 0.02)
        self.blocks = nn.ModuleList([BLOCKS[block](dim, heads, dropout) for _ in range(blocks)])
        self.norm = nn.LayerNorm(dim)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, events: EventTensors, place: Tensor | None = None) -> Tensor:
        """Return ``[batch, time, dim]`` for ``x`` of the same shape, or ``[batch, 1, dim]``, at one place of each."""
        from_first = torch.arange(x.shape[1], device=x.device)
        back = (events.real.sum(dim=1, keepdim=True) - 1 - from_first).clamp(min=0)  # [batch, time]
        x = x + self.masked * (events.items == MASKED)[:, :, None] + self.places[back]
        x = self.dropout(x)  # [batch, time, dim]
        seen = events.real[:, None, None]  # [batch, 1, 1, time]
        *first, last = self.blocks
        for block in first:
            x = block(x, seen)  # [batch, time, dim]
        return self.norm(last(x, seen, place))  # type: ignore[no-any-return]


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class BERT4Rec(SequenceModel):
    """A transformer that looks both ways: it learns to guess masked events from those before and after them.

    Asked what comes next, it guesses a masked event after the newest one. What all sequence models share, what an item
    is and how they learn, stands in :class:`~poise.models.sequential.sequence_model.SequenceModel`; of its variations
    of sequences only ``crop`` is used, since masking varies them enough.

    The sources are Sun et al., *BERT4Rec: Sequential Recommendation with Bidirectional Encoder Representations from
    Transformer*, 2019, and, for how long it has to learn, Petrov and Macdonald, *A Systematic Review and Replicability
    Study of BERT4Rec for Sequential Recommendation*, 2022.

    Args:
        guess: the share of events that are masked in a training step.
        block: how a layer is built: ``ligr`` with gates and SwiGLU, or ``classic``.
        blocks: the number of layers; None takes what suits the log.
        heads: of attention; they divide ``dim``.
        epochs: more than of other models, since an event is a target only in some of the passes.
        patience: the same; for a while it only learns what is popular.
    """

    guess: Annotated[float, Gt(0), Lt(1)] = 0.2
    block: Block = "ligr"
    blocks: Annotated[int, Ge(1)] | None = None
    heads: Annotated[int, Ge(1)] = 4
    epochs: Annotated[int, Ge(1)] = 100
    patience: Annotated[int, Ge(1)] = 10

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise UsageError(f"BERT4Rec: {self.heads} heads do not divide dim {self.dim}; choose others")

    @property
    def _places(self) -> int:
        """How many events the network reads: a history and the masked event that comes after it."""
        return self.data_defaults.max_length + 1

    def _body(self) -> BidirectionalTransformer:
        return BidirectionalTransformer(
            self.dim, self.data_defaults.blocks, self.heads, self._places, self.data_defaults.dropout, self.block
        )

    def _batches(self, data: Dataset, least_steps: int, seed: int) -> SequenceBatches:
        return SequenceBatches(
            data.events,
            batch_events=self.batch_events,
            max_length=self._places,
            augmentation=Augmentation(crop=self.crop),
            seed=seed,
            least_steps=least_steps,
            guess=self.guess,
        )

    def _loss(self, batch: SequenceBatch, table: ItemEmbedding, network: nn.Module, sampler: NegativeSampler) -> Tensor:
        is_dated = torch.rand(len(batch.targets)).numpy() >= UNDATED_SHARE
        return super()._loss(replace(batch, sequences=self._dated(batch.sequences, is_dated)), table, network, sampler)

    def _request_inputs(self, sequences: Sequences) -> Sequences:
        row = np.arange(len(sequences.items))
        length = (sequences.items != 0).sum(axis=1)
        moment = sequences.request_times[row, np.maximum(length - 1, 0)]
        items, behaviours, times = (
            np.pad(column, ((0, 0), (0, 1))) for column in (sequences.items, sequences.behaviours, sequences.times)
        )
        items[row, length] = MASKED
        times[row, length] = moment
        return self._dated(Sequences(items, behaviours, times, np.zeros_like(times)), moment > 0)

    def _dated(self, sequences: Sequences, is_dated: Mask) -> Sequences:
        """Give masked events the time of the event before, except in the rows of ``is_dated``, bool ``[batch]``.

        A masked event's own time is that of a request, which ``time_features="request"`` alone may read.
        """
        has_time = sequences.items != MASKED
        if self.time_features == "request":
            has_time |= is_dated[:, None]
        before = np.maximum.accumulate(np.where(has_time, np.arange(has_time.shape[1]), 0), axis=1)
        return replace(sequences, times=np.take_along_axis(sequences.times, before, axis=1))
