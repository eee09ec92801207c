from __future__ import annotations

from dataclasses import dataclass

from poise.data.dataset import Dataset
from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.types import Floats, Mask, Offsets


@dataclass(frozen=True)
class Holdout:
    """What people did after the events that a model may learn from: the questions and their true answers.

    Attributes:
        name: ``valid`` or ``test``.
        train: the training data; evaluation takes popularity and new items from it.
        queries: one request each, with the history as it was at that moment.
        targets: the items that were then chosen, in order.
        values: float32 ``[total]``, the value of each target's event (a rating, say), NaN where it has none.
        unreachable: how many targets were left out because they stand in the history, where seen items are hidden: no
            model can be right about them.
    """

    name: str
    train: Dataset
    queries: Queries
    targets: Ragged
    values: Floats
    unreachable: int = 0

    def __len__(self) -> int:
        return len(self.queries)

    def take(self, rows: Mask | Offsets) -> Holdout:
        """Return the part with the chosen requests; ``rows`` is a mask ``[n]`` or positions."""
        import numpy as np

        positions = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.int64)
        targets = self.targets.take(positions)
        values = Ragged(self.values, self.targets.offsets).take(positions).values  # type: ignore[arg-type]
        return Holdout(self.name, self.train, self.queries.take(rows), targets, values, self.unreachable)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Split:
    """A data set split into a training part, a part to select options on, and a part to report metrics on.

    Attributes:
        name: the protocol, for reports.
        train: the events to learn from.
        valid: to choose a model and its options on.
        test: to report metrics on, once.
        train_and_valid: the training and the validation events together, to refit on before serving.
    """

    name: str
    train: Dataset
    valid: Holdout
    test: Holdout
    train_and_valid: Dataset
