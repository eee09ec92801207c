from __future__ import annotations

import numpy as np
from pydantic.dataclasses import dataclass

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.recommender import OPTIONS, Recommender
from poise.slates import Reason
from poise.types import Floats, Indices


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class Random(Recommender):
    """Draws items by chance: the floor that every figure stands on.

    Args:
        seed: of the draw; the same requests get the same items.
    """

    seed: int = 0

    def _fit(self, data: Dataset, valid: Holdout | None) -> None:
        pass

    def score(self, queries: Queries) -> Floats:
        """See :meth:`Recommender.score`: uniform draws from 0 to 1."""
        rng = np.random.default_rng([self.seed, *queries.user[:1].tolist(), len(queries)])
        return rng.random((len(queries), queries.item_ids.size), dtype=np.float32)

    def explain(self, queries: Queries, items: Indices) -> list[list[list[Reason]]]:
        """See :meth:`Recommender.explain`."""
        return [[[Reason("random")] for _ in row] for row in items]
