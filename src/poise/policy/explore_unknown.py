from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le
from pydantic.dataclasses import dataclass

from poise.candidates import Candidates
from poise.data.queries import Queries
from poise.policy.step import PolicyRequest, PolicyStep
from poise.recommender import OPTIONS, Recommender
from poise.slates import Reason, Slates
from poise.types import Floats, Indices

DRAWN = "drawn"
"""The source of items that chance brought."""


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class ExploreUnknown(PolicyStep):
    """Gives the last places of a slate that is not personal to items drawn evenly from all others.

    What is popular stays popular because it is shown. Where nothing is known of the user there is little to lose, and
    what is drawn gets a chance to be liked.

    Args:
        rate: the share of the places that are drawn, rounded; at least one place if it is above 0 and a slate has more
            than one. Nothing is drawn where the request brings no source of chance.
    """

    rate: Annotated[float, Ge(0), Le(1)] = 0.2

    def apply(self, candidates: Candidates, request: PolicyRequest) -> Candidates:
        """See :meth:`PolicyStep.apply`."""
        unknown = np.flatnonzero(~request.personalized)
        if not self.rate or request.rng is None or not len(unknown):
            return candidates
        codes = (*candidates.source_names, DRAWN)
        slates = candidates.top(request.k, seed=int(request.rng.integers(2**32)))
        assert slates.items is not None
        items, scores = slates.items.copy(), slates.scores.copy()
        sources = np.zeros(items.shape, dtype=np.uint8) if slates.sources is None else slates.sources.copy()
        probabilities = np.ones(items.shape, dtype=np.float32)
        if slates.probabilities is not None:
            probabilities[:] = slates.probabilities
        for row in unknown.tolist():
            drawn = self._draw(candidates, row, items[row], request.rng)
            places = slice(int((items[row] > 0).sum()) - len(drawn[0]), int((items[row] > 0).sum()))
            items[row, places], scores[row, places], probabilities[row, places] = drawn
            sources[row, places] = len(codes) - 1
        return replace(
            slates, items=items, scores=scores, sources=sources, source_names=codes, probabilities=probabilities
        )

    def _draw(
        self, candidates: Candidates, row: int, slate: Indices, rng: np.random.Generator
    ) -> tuple[Indices, Floats, float]:
        """Return the items that take the last places of a slate, their scores, and the probability of each."""
        shown = slate[slate > 0]
        n_drawn = min(max(round(self.rate * len(slate)), 1 if len(slate) > 1 else 0), len(slate))
        n_drawn = max(n_drawn - (len(slate) - len(shown)), 0)
        scores = candidates.scores[row]
        columns = np.flatnonzero(scores > -np.inf)
        of_columns = columns.astype(np.int32) if candidates.items is None else candidates.items[row, columns]
        is_kept = np.isin(of_columns, shown[: len(shown) - n_drawn])
        pool, of_pool = of_columns[~is_kept], scores[columns][~is_kept]
        picked = rng.choice(len(pool), n_drawn, replace=False) if n_drawn else np.empty(0, dtype=np.int64)
        return pool[picked], of_pool[picked], n_drawn / max(len(pool), 1)

    def explain(
        self, reasons: list[list[list[Reason]]], slates: Slates, queries: Queries, ranker: Recommender
    ) -> list[list[list[Reason]]]:
        """See :meth:`PolicyStep.explain`: that an item was drawn."""
        if DRAWN in slates.source_names:
            code = slates.source_names.index(DRAWN)
            for row, place in zip(*np.nonzero(slates.source_codes == code), strict=True):
                reasons[row][place] = [Reason("random")]
        return reasons
