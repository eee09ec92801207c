"""A recurrent network over what a person did, oldest event first."""

from __future__ import annotations

from torch import Tensor, nn

from poise.models.nn.dropout import Dropout
from poise.train.batches.sequences import EventTensors


class Recurrent(nn.Module):
    """Turns vectors of events, padded at the end, into what is expected after each.

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
        states, _ = self.units(self.dropout(x))
        return self.out(self.dropout(states))  # type: ignore[no-any-return]
