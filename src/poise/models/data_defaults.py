"""Options of sequence models that are not given: they follow from the size of the log.

The rules were set on validation parts of Amazon Beauty (198,502 events, 16 an item), MovieLens 100K (99,287, 74) and
MovieLens 1M (1,000,209, 258) together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from poise.data.dataset import Dataset

_SHORTEST, _LONGEST = 50, 200
_FEWEST, _MOST = 8, 16  # passes
_EVENTS_READ = 16_000_000  # in all passes together, which takes two cores 19 minutes
_FURTHER_EVENTS_READ = 6_000_000  # in all passes of a log that still improves then: some minutes
_MOST_FURTHER = 40  # passes
_DEEP_FROM = 500_000  # events, that can teach a second layer, and longer histories, something


@dataclass(frozen=True)
class DataDefaults:
    """Options that suit a log.

    Attributes:
        max_length: how many events back to look: 50, and from half a million events on as far as nine of ten histories
            go, up to 200.
        dropout: an item with few events is overfitted easily: .5 up to 128 events an item, down to
            .2 from 256 on.
        blocks: the number of layers: 2 from half a million events on, else 1.
        epochs: passes over the events: 16, and from a million events on fewer, down to 8.
        most_epochs: passes that there may be where validation still improves at the end of those: 40, and from 150,000
            events on fewer, down to ``epochs``.
    """

    max_length: int
    dropout: float
    blocks: int
    epochs: int
    most_epochs: int = 0  # versions of Poise before knew none

    @classmethod
    def to(cls, data: Dataset) -> DataDefaults:
        """Return the options that suit a log."""
        lengths = np.diff(data.events.offsets)
        lengths = lengths[lengths > 0]
        far = float(np.quantile(lengths, 0.9)) if len(lengths) else 0.0
        touched = max(int((data.item_counts > 0).sum()), 1)
        octaves = np.log2(max(data.n_events / touched, 1)) - 7  # above 128 events an item
        deep = data.n_events >= _DEEP_FROM
        epochs = int(np.clip(_EVENTS_READ // max(data.n_events, 1), _FEWEST, _MOST))
        return cls(
            max_length=int(np.clip(np.ceil(far), _SHORTEST, _LONGEST)) if deep else _SHORTEST,
            dropout=round(float(np.clip(0.5 - 0.3 * octaves, 0.2, 0.5)), 2),
            blocks=2 if deep else 1,
            epochs=epochs,
            most_epochs=int(np.clip(_FURTHER_EVENTS_READ // max(data.n_events, 1), epochs, _MOST_FURTHER)),
        )
