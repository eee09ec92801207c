from __future__ import annotations

from torch import Tensor, nn

from poise.models.event_inputs import Clock, EventInputs
from poise.train.sequences import EventTensors


class Network(nn.Module):
    """Turns the vectors of the items of events into what is expected at each place.

    Args:
        dim: the length of a vector.
        behaviours: see :class:`~poise.models.event_inputs.EventInputs`.
        clock: the same.
        body: reads vectors of events ``[batch, time, dim]`` with the events, and gives as many vectors.
    """

    def __init__(self, dim: int, behaviours: int, clock: Clock, body: nn.Module) -> None:
        super().__init__()
        self.inputs = EventInputs(dim, behaviours, clock)
        self.body = body

    def forward(self, items: Tensor, events: EventTensors) -> Tensor:
        """Return ``[batch, time, dim]`` for the vectors of the events' items, of the same shape."""
        read: Tensor = self.body(self.inputs(items, events), events)
        return read
