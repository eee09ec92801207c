from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic.dataclasses import dataclass

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.errors import DataError
from poise.models.history_product_model import HistoryProductModel
from poise.models.vectors import Products, unit, weighted_sums
from poise.options.fit_options import FitOptions
from poise.options.likeness import LikenessSource
from poise.recommender import OPTIONS
from poise.types import Floats, Indices


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class Content(HistoryProductModel):
    """The items whose content is nearest to a history, by an encoder's vectors: items without events are served too.

    A person is the recency-weighted sum of the vectors of what they did, and an item scores by its cosine with it. The
    mean of the catalogue is taken out of all vectors first: it says what the items have in common (that they are
    films), and hides what tells them apart.

    The source of removing the mean is Mu and Viswanath, *All-but-the-Top: Simple and Effective Postprocessing for Word
    Representations*, 2018.

    Args:
        vectors: which of the data set's vectors to use: the name that the encoder gave them.
        decay: see :class:`~poise.models.history_sum_model.HistorySumModel`.
    """

    likeness_source: ClassVar[LikenessSource] = "content"

    vectors: str = "text"

    def _fit(self, data: Dataset, valid: Holdout | None, options: FitOptions) -> None:
        vectors = np.asarray(data.vectors[self.vectors], dtype=np.float32)
        self.mean: Floats | None = _mean(vectors)
        self._set_directions(_directions(vectors, self.mean))
        self._choose_history_weights(data, valid)

    def _grow(self, data: Dataset) -> None:
        added = self._count_added(data)
        if self.vectors not in data.vectors:
            raise DataError(f"{data.name!r} has no vectors {self.vectors!r}, which this model reads: add them first")
        n_old = data.item_ids.size - added
        vectors = data.vectors[self.vectors]
        if self.mean is None:  # the version of Poise that fitted it did not keep it
            self.mean = _mean(np.asarray(vectors[:n_old], dtype=np.float32))
        new = _directions(np.asarray(vectors[n_old:], dtype=np.float32), self.mean)
        self._set_directions(np.concatenate([self.item_vectors, new]), self._products)

    def _set_directions(self, directions: Floats, before: Products | None = None) -> None:
        import torch

        self._set_item_vectors(directions)  # [n_items + 1, dim]
        self._products = Products(torch.from_numpy(directions), before)

    def unsupported_reason(self, data: Dataset) -> str | None:
        """See :meth:`Recommender.unsupported_reason`: items without vectors."""
        if self.vectors not in data.vectors:
            there = ", ".join(data.vectors) or "none"
            return (
                f"{data.name!r} has no vectors {self.vectors!r} (there are: {there}); "
                "encode the catalogue, by [encoder] in poise.toml or with TextEncoder().encode_items(data)"
            )
        return None if np.any(data.vectors[self.vectors]) else f"no item of {data.name!r} has any text to go by"

    def score(self, queries: Queries) -> Floats:
        """See :meth:`Recommender.score`: cosines."""
        import torch

        with torch.inference_mode():
            return self._products.of(torch.from_numpy(self.request_vectors(queries))).numpy()

    def request_vectors(self, queries: Queries) -> Floats:
        """Return the direction of each history's content, float32 ``[n, dim]``."""
        return unit(weighted_sums(self._history_matrix(queries), self.item_vectors))

    def attributions(self, query: Queries, items: Indices) -> Floats:
        """See :meth:`Recommender.attributions`."""
        history = query.history(0)
        weighted = self.item_vectors[history] * self._history_weights(query)[:, None]
        length = np.linalg.norm(weighted.sum(axis=0)) or 1.0
        return np.asarray(weighted / length @ self.item_vectors[items].T, dtype=np.float32)  # [n_history, k]

    def similarity(self, items: Indices) -> Floats:
        """See :meth:`Recommender.similarity`."""
        return self.item_vectors[items] @ self.item_vectors.T

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        arrays = {"directions": self.item_vectors}
        return arrays if self.mean is None else {**arrays, "mean": self.mean}

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self._set_directions(arrays["directions"])
        self.mean = arrays.get("mean")


def _mean(vectors: Floats) -> Floats:
    """Return what the items have in common, float32 ``[dim]``; a zero row has no content and does not count."""
    return np.asarray(vectors[np.any(vectors, axis=1)].mean(axis=0))


def _directions(vectors: Floats, mean: Floats) -> Floats:
    """Return what tells each item from that, at length 1; a zero row stays zero."""
    return unit(np.where(np.any(vectors, axis=1, keepdims=True), vectors - mean, 0))
