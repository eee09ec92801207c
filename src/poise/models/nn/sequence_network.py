from __future__ import annotations

from torch import Tensor, nn

from poise.models.nn.event_embedding import EventEmbedding, TimeFeatures
from poise.models.nn.single_position import SinglePositionModule, select_position
from poise.train.batches.sequences import EventTensors


class SequenceNetwork(nn.Module):
    """Turns the vectors of the events' items into a query vector at each place.

    Args:
        dim: the length of a vector.
        behaviours: see :class:`~poise.models.nn.event_embedding.EventEmbedding`.
        time_features: the same.
        body: reads vectors of events ``[batch, time, dim]`` with the events, and gives as many vectors; see also
            :class:`~poise.models.nn.single_position.SinglePositionModule`.
    """

    def __init__(self, dim: int, behaviours: int, time_features: TimeFeatures, body: nn.Module) -> None:
        super().__init__()
        self.inputs = EventEmbedding(dim, behaviours, time_features)
        self.body = body
        self.placed = isinstance(body, SinglePositionModule)

    def forward(self, items: Tensor, events: EventTensors, place: Tensor | None = None) -> Tensor:
        """Return query vectors, ``[batch, time, dim]``, or ``[batch, 1, dim]`` where one place of each is asked for.

        Args:
            items: the vectors of the events' items, ``[batch, time, dim]``.
            events: the events.
            place: int64 ``[batch]``, the place of each row that alone is asked for; None for all.
        """
        x = self.inputs(items, events)
        read: Tensor = self.body(x, events, place) if self.placed else select_position(self.body(x, events), place)
        return read
