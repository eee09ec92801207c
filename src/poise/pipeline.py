from __future__ import annotations

from dataclasses import field, replace
from typing import Annotated

import numpy as np
from annotated_types import Ge
from pydantic.dataclasses import dataclass

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.recommender import OPTIONS, Recommender
from poise.slates import Reason
from poise.types import Floats, Indices


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class Pipeline(Recommender):
    """Retrieve, then rank: what is fitted, saved and served as one thing.

    Each retriever brings its best items to a request, and the ranker orders what they brought. Without retrievers the
    ranker orders the whole catalogue, which is right as long as it is quick enough.

    Args:
        ranker: the model that decides the order.
        retrievers: the models that bring candidates.
        candidates: how many items each retriever brings.
    """

    ranker: Recommender
    retrievers: list[Recommender] = field(default_factory=list)
    candidates: Annotated[int, Ge(1)] = 200

    @property
    def name(self) -> str:
        """The name of the ranker, and of what retrieves for it."""
        brought = f" over {' + '.join(retriever.name for retriever in self.retrievers)}" if self.retrievers else ""
        return f"{self.ranker.name}{brought}"

    def _fit(self, data: Dataset, valid: Holdout | None) -> None:
        for part in (*self.retrievers, self.ranker):
            part.fit(data, valid)

    def _refit(self, data: Dataset) -> None:
        for part in (*self.retrievers, self.ranker):
            part.refit(data)

    def score(self, queries: Queries) -> Floats:
        """See :meth:`Recommender.score`: minus infinity for items that no retriever brought."""
        retrieved = self._retrieve(queries)
        scores = self.ranker.score(retrieved)
        if self.retrievers and retrieved.candidates is not None:
            brought = np.zeros(scores.shape, dtype=np.bool_)
            brought[retrieved.candidates.rows, retrieved.candidates.values] = True
            scores[~brought] = -np.inf
        return scores

    def predict(self, queries: Queries, items: Ragged) -> Floats | None:
        """See :meth:`Recommender.predict`."""
        return self.ranker.predict(queries, items)

    def explain(self, queries: Queries, items: Indices) -> list[list[list[Reason]]]:
        """See :meth:`Recommender.explain`: the ranker's reasons."""
        return self.ranker.explain(queries, items)

    def _similarity(self, items: Indices) -> Floats:
        return self.ranker._similarity(items)

    def _retrieve(self, queries: Queries) -> Queries:
        if not self.retrievers:
            return queries
        depth = min(self.candidates, queries.n_items)
        brought = np.concatenate([part.rank(queries, depth)[0].items for part in self.retrievers], axis=1)
        return replace(queries, candidates=Ragged.from_rows([np.unique(row[row > 0]) for row in brought]))
