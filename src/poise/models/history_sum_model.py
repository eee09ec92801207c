"""What models share whose score is a sum over the events of a history."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt, Le
from pydantic.dataclasses import dataclass
from scipy import sparse

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries, newest_entries
from poise.data.schema.value_kinds import ValueKind
from poise.models.validation import choose, ndcg
from poise.models.value_scale import ValueScale, ValueWeight
from poise.options.selection import Selection
from poise.recommender import OPTIONS, Recommender
from poise.types import Doubles, Floats, Indices

DECAYS = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
WAYS: tuple[ValueWeight, ...] = ("log", "quantile")
WEIGHED: tuple[ValueKind, ...] = ("count", "quantity", "amount", "duration", "rating")
DEFAULT_DECAY = 0.8  # near what validation selects most often, on films and on a shop


@dataclasses.dataclass(frozen=True)
class DecaySelection(Selection):
    """What a sum over histories selected.

    Attributes:
        decay: how much an event counts in comparison with the one after it.
        values: how much an event counts by its value; None where all count alike.
    """

    decay: float | None = None
    values: ValueScale | None = None


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class HistorySumModel(Recommender):
    """A model that sums over the events of a history, the newest weighing most.

    Args:
        decay: how much an event counts in comparison with the one after it, when scoring; 1 forgets the order. None
            chooses it on the validation part; without one it is 0.8.
        value_weight: how much an event of the history counts by its value, when scoring: ``log``, ``quantile``, see
            :class:`~poise.models.value_scale.ValueScale`, or ``none``. None takes what is clearly better on the
            validation part, for counts, quantities, amounts, durations and ratings.
    """

    decay: Annotated[float, Gt(0), Le(1)] | None = None
    value_weight: ValueWeight | None = None

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

    @property
    def selection(self) -> dict[str, Any]:
        """See :attr:`Recommender.selection`: the decay, and how events are weighed by their values if they are."""
        chosen: dict[str, Any] = {} if self.selected.decay is None else {"decay": self.selected.decay}
        return chosen if self.selected.values is None else {**chosen, "value_weight": self.selected.values.by}

    def _choose_history_weights(self, data: Dataset, valid: Holdout | None) -> None:
        """Keep the decay and the scale of values that rank best on validation. To be called when arrays are fitted."""
        if self.value_weight is not None:
            self.selected = replace(self.selected, values=ValueScale.of(data.events.value, self.value_weight))
        if valid is None:
            return
        self.metrics = {}
        if self.decay is None:
            self.selected = self._choose("decay", [replace(self.selected, decay=decay) for decay in DECAYS], valid)
        if self.value_weight is None and data.value_kind in WEIGHED:
            scales = [ValueScale.of(data.events.value, by) for by in WAYS]
            self.selected = self._choose(
                "value weight", [replace(self.selected, values=scale) for scale in (None, *filter(None, scales))], valid
            )

    def _choose(self, what: str, options: Sequence[DecaySelection], valid: Holdout) -> DecaySelection:
        """Return the best of several selections; of ways to weigh values the first, none, unless one is better."""

        def measure(option: DecaySelection, part: Holdout) -> Doubles:
            self.selected = option
            return ndcg(self, part)

        choice = choose(options, measure, valid, default=None if what == "decay" else options[0])
        for option, mean in zip(options, choice.ndcg, strict=True):
            called = f"{option.decay:g}" if what == "decay" else "none" if option.values is None else option.values.by
            self.metrics[f"NDCG@10 with {what} {called}"] = mean
        return choice.best

    def _history_matrix(self, queries: Queries) -> sparse.csr_array:
        """Return what the events of each history weigh, float32 ``[n, n_items + 1]``, not to be changed."""
        matrix = queries.matrix(self.recency)
        if self.selected.values is None:
            return matrix
        positions, history = queries.histories()
        weights = self.selected.values.weights(queries.events.value[positions])
        by_value = newest_entries(history, weights, queries.item_ids.size)  # the same cells
        return sparse.csr_array((matrix.data * by_value.data, matrix.indices, matrix.indptr), shape=matrix.shape)

    def _history_weights(self, query: Queries) -> Floats:
        """Return what each event of one history weighs, float32 ``[n_history]``, as in the matrix of histories."""
        weights = history_weights(query.history(0), self.recency)
        if self.selected.values is not None:
            weights *= self.selected.values.weights(query.events.value[query.start[0] : query.stop[0]])
        return weights


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
