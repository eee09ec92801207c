from __future__ import annotations

from typing import Annotated

from annotated_types import Ge
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from poise.models.nn.dropout import Dropout
from poise.models.sequential.sequence_model import SequenceModel
from poise.recommender import OPTIONS
from poise.train.batches.sequences import EventTensors


class Recurrent(nn.Module):
    """Turns vectors of events, padded at the end, into a query vector after each.

    Gated recurrent units are from Cho et al., *Learning Phrase Representations using RNN Encoder-Decoder for
    Statistical Machine Translation*, 2014. They only read forwards, so no real event sees padding at the end.
    """

    def __init__(self, dim: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.units = nn.GRU(dim, dim, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, events: EventTensors) -> Tensor:
        """Return ``[batch, time, dim]`` for ``x`` of the same shape."""
        states, _ = self.units(self.dropout(x))  # [batch, time, dim]
        return self.out(self.dropout(states))  # type: ignore[no-any-return]


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class GRU4Rec(SequenceModel):
    """A recurrent network that carries what it has read of a person from event to event, and says what is next.

    What all sequence models share, what an item is and how they learn, stands in
    :class:`~poise.models.sequential.sequence_model.SequenceModel`.

    The sources are Hidasi, Karatzoglou, Baltrunas and Tikk, *Session-based Recommendations with Recurrent Neural
    Networks*, 2016, and Hidasi and Karatzoglou, *Recurrent Neural Networks with Top-k Gains for Session-based
    Recommendations*, 2018, which shares vectors between what is read and what is scored, and draws more negatives.

    Args:
        layers: of gated recurrent units, one upon the other.
    """

    layers: Annotated[int, Ge(1)] = 1

    def _body(self) -> Recurrent:
        return Recurrent(self.dim, self.layers, self.data_defaults.dropout)
