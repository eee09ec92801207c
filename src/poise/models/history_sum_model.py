"""What models share whose score is a sum over the events of a history."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import numpy as np
from annotated_types import Gt, Le
from pydantic.dataclasses import dataclass

from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.models.validation import choose, ndcg
from poise.options.selection import Selection
from poise.recommender import OPTIONS, Recommender
from poise.types import Doubles, Floats, Indices

DECAYS = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)
DEFAULT_DECAY = 0.8  # near what validation selects most often, on films and on a shop


@dataclasses.dataclass(frozen=True)
class DecaySelection(Selection):
    """What a sum over histories selected.

    Attributes:
        decay: how much an event counts in comparison with the one after it.
    """

    decay: float | None = None


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class HistorySumModel(Recommender):
    """A model that sums over the events of a history, the newest weighing most.

    Args:
        decay: how much an event counts in comparison with the one after it, when scoring; 1 forgets the order. None
            chooses it on the validation part; without one it is 0.8.
    """

    decay: Annotated[float, Gt(0), Le(1)] | None = None

    selected = DecaySelection()

    @property
    def recency(self) -> float:
        """The decay in use: the option, else what was selected on validation."""
        if self.decay is not None:
            return self.decay
        return DEFAULT_DECAY if self.selected.decay is None else self.selected.decay

    @property
    def fast_fallback(self) -> Recommender:
        """See :attr:`Recommender.fast_fallback`: itself, as it only adds up."""
        return self

    def _choose_decay(self, valid: Holdout | None) -> None:
        """Keep the decay that ranks best on validation. To be called when the arrays are fitted."""
        if self.decay is not None or valid is None:
            return

        def measure(decay: float, part: Holdout) -> Doubles:
            self.selected = DecaySelection(decay)
            return ndcg(self, part)

        choice = choose(DECAYS, measure, valid)
        self.selected = DecaySelection(choice.best)
        self.metrics = {f"NDCG@10 with decay {decay:g}": mean for decay, mean in zip(DECAYS, choice.ndcg, strict=True)}

    def _history_weights(self, query: Queries) -> Floats:
        """Return what each event of one history weighs, float32 ``[n_history]``, as in :meth:`Queries.matrix`."""
        return history_weights(query.history(0), self.recency)


def history_weights(history: Indices, decay: float) -> Floats:
    """Return what each event of a history weighs, float32 ``[n_history]``, as in :meth:`Queries.matrix`.

    The newest event weighs 1, each before it ``decay`` times the next; of several events on one item only the newest
    counts.
    """
    age = np.arange(len(history) - 1, -1, -1, dtype=np.float32)
    newest = np.zeros(len(history), dtype=np.float32)
    _, from_end = np.unique(history[::-1], return_index=True)
    newest[len(history) - 1 - from_end] = 1
    return np.power(np.float32(decay), age) * newest
