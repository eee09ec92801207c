"""What models share that sum up a history to a vector and score each item by its product with it."""

from __future__ import annotations

from abc import abstractmethod

from pydantic.dataclasses import dataclass

from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.models.history_sum_model import HistorySumModel
from poise.models.product_moments import ProductMoments, products_of
from poise.recommender import OPTIONS
from poise.types import Floats


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class HistoryProductModel(HistorySumModel):
    """A model whose requests and items have vectors, and whose scores are their products.

    Args:
        decay: see :class:`~poise.models.history_sum_model.HistorySumModel`.

    Attributes:
        item_vectors: float32 ``[n_items + 1, dim]``.
    """

    @abstractmethod
    def request_vectors(self, queries: Queries) -> Floats:
        """Return the vector of each history, float32 ``[n, dim]``."""

    def _set_item_vectors(self, vectors: Floats) -> None:
        self.item_vectors = vectors
        self._moments = ProductMoments(vectors)

    def score(self, queries: Queries) -> Floats:
        """See :meth:`Recommender.score`."""
        scores: Floats = self.request_vectors(queries) @ self.item_vectors.T
        return scores

    def score_candidates(self, queries: Queries, candidates: Ragged) -> Floats:
        """See :meth:`Recommender.score_candidates`."""
        return products_of(self.request_vectors(queries), self.item_vectors, candidates)

    def score_with_moments(
        self, queries: Queries, candidates: Ragged, n_items: int | None = None
    ) -> tuple[Floats, Floats, Floats]:
        """See :meth:`Recommender.score_with_moments`."""
        requests = self.request_vectors(queries)
        scores = products_of(requests, self.item_vectors, candidates)
        return scores, *self._moments.of(requests, n_items or queries.n_items)
