from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge
from pydantic.dataclasses import dataclass

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.options.fit_options import FitOptions
from poise.recommender import OPTIONS, Recommender
from poise.slates import Reason
from poise.types import Floats, Indices


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class Random(Recommender):
    """Draws items by chance: the baseline of every metric.

    Args:
        seed: of the draw; a user gets the same items each time, and all who are unknown get the same ones.
    """

    seed: Annotated[int, Ge(0)] = 0

    def _fit(self, data: Dataset, valid: Holdout | None, options: FitOptions) -> None:
        pass

    def _grow(self, data: Dataset) -> None:
        self._count_added(data)  # a draw goes on where that for the old items ended

    def score(self, queries: Queries) -> Floats:
        """See :meth:`Recommender.score`: uniform draws from 0 to 1."""
        rows = [np.random.default_rng([self.seed, user]) for user in queries.user.tolist()]
        return np.stack([row.random(queries.item_ids.size, dtype=np.float32) for row in rows])

    def explain(self, queries: Queries, items: Indices) -> list[list[list[Reason]]]:
        """See :meth:`Recommender.explain`."""
        return [[[Reason("random")] for _ in row] for row in items]
