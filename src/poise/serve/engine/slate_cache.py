"""The last slate of somebody, to be given again while nothing happens."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import ref

from poise.serve.state.history import History
from poise.serve.state.ranking_request import RankedItems, RankingRequest
from poise.serve.state.serving_model import ServingModel
from poise.types import Mask
from poise_client.schema.recommendations import Stage

KEPT_FOR = 60.0  # seconds that it answers the same request again


@dataclass(frozen=True, slots=True)
class CachedSlate:
    """The last slate of a person, and what it answered. It keeps no old catalogue and no old model in memory."""

    history: History
    serving_model: ref[ServingModel]
    allowed: ref[Mask]
    run: str
    k: int | None  # None if it answered a request that does not come again
    ranked: RankedItems
    made: float

    @classmethod
    def of(
        cls, model: ServingModel, request: RankingRequest, stage: Stage, ranked: RankedItems, now: float
    ) -> CachedSlate:
        """Keep the answer to a request, given at ``now`` in seconds of a clock that never goes back."""
        comes_again = stage == "ranker" and ranked.probabilities is None and _is_plain(request)
        k = request.k if comes_again else None
        return cls(request.history, ref(model), ref(request.allowed), model.name, k, ranked, now)

    def answers(self, model: ServingModel, request: RankingRequest, now: float) -> bool:
        """Tell whether the ranker would answer the same: nothing happened since, and the request is the same."""
        return (
            self.history is request.history
            and self.serving_model() is model
            and self.allowed() is request.allowed
            and self.k == request.k
            and _is_plain(request)
            and now - self.made < KEPT_FOR
        )


def _is_plain(request: RankingRequest) -> bool:
    """Tell whether a request asks for nothing in particular."""
    return not len(request.exclude) and not request.context and request.candidates is None
