"""The last slate of somebody, to be given again while nothing happens."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import ref

from poise.serve.schema.messages import Stage
from poise.serve.state.serving_model import RankedItems, RankingRequest, ServingModel
from poise.serve.state.user_histories import History
from poise.types import Mask

KEPT_FOR = 60.0  # seconds that it answers the same question again


@dataclass(frozen=True, slots=True)
class CachedSlate:
    """The last slate of a person, and what it answered. It keeps no catalogue and no model in memory that are past."""

    history: History
    serving_model: ref[ServingModel]
    allowed: ref[Mask]
    run: str
    k: int | None  # None if it answered a question that does not come again
    ranked: RankedItems
    at: float

    @classmethod
    def of(cls, one: RankingRequest, stage: Stage, ranked: RankedItems, now: float) -> CachedSlate:
        """Keep the answer to a question, given at ``now`` in seconds of a clock that never goes back."""
        k = one.k if stage == "ranker" and not len(one.exclude) and not one.context else None
        return cls(
            one.history, ref(one.serving_model), ref(one.allowed), one.serving_model.name, k, ranked, now
        )

    def answers(self, one: RankingRequest, now: float) -> bool:
        """Tell whether the ranker would answer the same: nothing happened since, and nothing else is asked."""
        return (
            self.history is one.history
            and self.serving_model() is one.serving_model
            and self.allowed() is one.allowed
            and self.k == one.k
            and not len(one.exclude)
            and not one.context
            and now - self.at < KEPT_FOR
        )
