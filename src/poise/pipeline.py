from __future__ import annotations

import copy
from dataclasses import field, replace
from typing import Annotated, Any, Self

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Le
from pydantic.dataclasses import dataclass

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.policy.new_items import boosted, choose_boost, measure_boosts
from poise.recommender import OPTIONS, Recommender
from poise.slates import Reason
from poise.types import Floats, Indices, Offsets


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class Pipeline(Recommender):
    """Retrieve, rank, arrange: what is fitted, saved and served as one thing.

    Each retriever brings its best items to a request, and the ranker orders what they brought. Without retrievers the
    ranker orders the whole catalogue, which is right as long as it is quick enough. Then items without events are given
    room, see :mod:`poise.policy.new_items`.

    Args:
        ranker: the model that decides the order.
        retrievers: the models that bring candidates.
        candidates: how many items each retriever brings.
        new_items: how far items without events are lifted: which share of the distance between the mean score and the
            best one is added to theirs. None takes the most that costs at most 1 % of NDCG@10 on validation, and 0
            without a validation part.
    """

    ranker: Recommender
    retrievers: list[Recommender] = field(default_factory=list)
    candidates: Annotated[int, Ge(1)] = 200
    new_items: Annotated[float, Ge(0), Le(1)] | None = None

    @property
    def cold_start_boost(self) -> float:
        """How far new items are lifted: the option, else what was chosen on validation."""
        return float(self.selected.get("new_items", 0.0)) if self.new_items is None else self.new_items

    @property
    def reads_users(self) -> bool:
        """See :attr:`Recommender.reads_users`."""
        return any(part.reads_users for part in (*self.retrievers, self.ranker))

    @property
    def name(self) -> str:
        """The name of the ranker, and of what retrieves for it."""
        brought = f" over {' + '.join(retriever.name for retriever in self.retrievers)}" if self.retrievers else ""
        return f"{self.ranker.name}{brought}"

    def _fit(self, data: Dataset, valid: Holdout | None) -> None:
        for part in (*self.retrievers, self.ranker):
            part.fit_once(data, valid)
        self.new = _new_items(data)
        if self.new_items is None and valid is not None and len(self.new):
            metrics = measure_boosts(self.ranker, valid, self.new)
            self.selected["new_items"] = choose_boost(metrics)
            self.selected["NDCG@10 by new_items"] = {
                str(cold_start_boost): round(metric, 5) for cold_start_boost, metric in metrics.items()
            }

    def _refit(self, data: Dataset) -> None:
        for part in (*self.retrievers, self.ranker):
            part.refit(data)
        self.new = _new_items(data)

    def _update(self, data: Dataset, valid: Holdout | None) -> None:
        for part in (*self.retrievers, self.ranker):
            part.update(data, valid)
        self.new = _new_items(data)

    def _grow(self, data: Dataset) -> None:
        added = self._count_added(data)
        self.new = np.append(self.new, _told(data, np.arange(data.item_ids.size - added, data.item_ids.size)))
        self.ranker = self.ranker.extend_catalogue(data)
        self.retrievers = [retriever.extend_catalogue(data) for retriever in self.retrievers]

    def touched(self, items: Indices) -> Self:
        """Return the same pipeline, in which ``items`` are no longer new: somebody has chosen them."""
        changed = copy.copy(self)
        changed.new = np.setdiff1d(self.new, items).astype(np.int32)
        return changed

    def score(self, queries: Queries) -> Floats:
        """See :meth:`Recommender.score`: minus infinity for items that no retriever brought."""
        retrieved = self._retrieve(queries)
        scores = self.ranker.score(retrieved)
        if self.cold_start_boost:
            scores[:, self.new] += boosted(scores, self.new, self.cold_start_boost)
        if self.retrievers and retrieved.candidates is not None:
            brought = np.zeros(scores.shape, dtype=np.bool_)
            brought[retrieved.candidates.rows, retrieved.candidates.values] = True
            scores[~brought] = -np.inf
        return scores

    def predict(self, queries: Queries, items: Ragged) -> Floats | None:
        """See :meth:`Recommender.predict`."""
        return self.ranker.predict(queries, items)

    def explain(self, queries: Queries, items: Indices) -> list[list[list[Reason]]]:
        """See :meth:`Recommender.explain`: the ranker's reasons, and that an item is new where that lifts it."""
        explained = self.ranker.explain(queries, items)
        is_new = np.isin(items, self.new)  # [n, k]
        if not self.cold_start_boost or not is_new.any():
            return explained
        scores = self.ranker.score(queries)
        added = boosted(scores, self.new, self.cold_start_boost)[:, 0]  # [n]
        own = np.maximum(np.take_along_axis(scores, items.astype(np.int64), axis=1), 0)
        for row, at in zip(*np.nonzero(is_new & (added > 0)[:, None]), strict=True):
            share = float(added[row] / (added[row] + own[row, at]))
            rest = [replace(reason, share=reason.share * (1 - share)) for reason in explained[row][at]]
            explained[row][at] = sorted([Reason("new", share=share), *rest], key=lambda reason: -reason.share)
        return explained

    def _similarity(self, items: Indices) -> Floats:
        return self.ranker._similarity(items)

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"new": self.new}

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self.new = arrays["new"]

    def _retrieve(self, queries: Queries) -> Queries:
        if not self.retrievers:
            return queries
        depth = min(self.candidates, queries.n_items)
        brought = np.concatenate([part.retrieve(queries, depth).items for part in self.retrievers], axis=1)
        return replace(queries, candidates=Ragged.from_rows([np.unique(row[row > 0]) for row in brought]))


def _new_items(data: Dataset) -> Indices:
    """Return the items without events of which something is known: those with a vector."""
    return _told(data, np.flatnonzero(data.item_counts == 0))


def _told(data: Dataset, items: Offsets) -> Indices:
    """Return those of ``items`` that have a vector."""
    told = np.zeros(len(items), dtype=np.bool_)
    for vectors in data.vectors.values():
        told |= np.any(vectors[items], axis=1)
    return items[told].astype(np.int32)
