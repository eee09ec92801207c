"""What suits a log, where nothing is said: options of sequence models that follow from how much there is to learn.

The rules were set on validation parts of Amazon Beauty (9 events a person, 16 an item), MovieLens 100K (105, 74) and
MovieLens 1M (166, 258) together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from poise.data.dataset import Dataset

_SHORTEST, _LONGEST = 50, 200
_FEWEST, _MOST = 8, 16  # passes
_EVENTS_READ = 8_000_000  # in all passes together, from where on a further one teaches little
_DEEP_FROM = 500_000  # events, that can teach a second layer something


@dataclass(frozen=True)
class Suited:
    """What suits a log.

    Attributes:
        max_length: how many events back to look: as far as nine of ten histories go, from 50 to 200.
        dropout: the less an item has been met, the easier it is learnt by heart: from .5, at 32 events an item, down to
            .2, at 256.
        blocks: the number of layers: 2 from half a million events on, else 1.
        epochs: passes over the events, at most: fewer over a large log, from 16 down to 8.
    """

    max_length: int
    dropout: float
    blocks: int
    epochs: int

    @classmethod
    def to(cls, data: Dataset) -> Suited:
        """Look at a log."""
        lengths = np.diff(data.events.offsets)
        lengths = lengths[lengths > 0]
        far = float(np.quantile(lengths, 0.9)) if len(lengths) else 0.0
        touched = max(int((data.item_counts > 0).sum()), 1)
        octaves = np.log2(max(data.n_events / touched, 1)) - 5  # above 32 events an item
        length = int(np.clip(np.ceil(far), _SHORTEST, _LONGEST))
        return cls(
            max_length=length,
            dropout=round(float(np.clip(0.5 - 0.1 * octaves, 0.2, 0.5)), 2),
            blocks=2 if data.n_events >= _DEEP_FROM else 1,
            epochs=int(np.clip(_EVENTS_READ // max(data.n_events, 1), _FEWEST, _MOST)),
        )
