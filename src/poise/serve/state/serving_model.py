"""A run at work: its pipeline, grown by the items that came after it, and what it needs to be asked and to answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.errors import DataError
from poise.models.blend.blend import Blend
from poise.models.history_sum_model import HistorySumModel
from poise.pipeline import Pipeline
from poise.project.run import Run
from poise.recommender import Recommender, hide
from poise.serve.catalogue.catalogue import Catalogue
from poise.serve.catalogue.item_search import ItemSearch
from poise.serve.state.user_histories import History, queries_of
from poise.slates import Reason
from poise.store import coerce
from poise.store.records import Item
from poise.top_k import top_k
from poise.types import Floats, Indices, Mask


@dataclass(frozen=True, slots=True)
class RankingRequest:
    """One request, as a run sees it.

    Attributes:
        history: what the person did.
        k: how many items.
        time: when it is asked, in milliseconds since 1970.
        allowed: bool ``[n_items + 1]``, what may be shown.
        exclude: items that may not, besides.
        serving_model: which run is asked.
        context: where and how, by name; the scenario is one of them. Empty if nothing is known.
    """

    history: History
    k: int
    time: int
    allowed: Mask
    exclude: Indices
    serving_model: ServingModel
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RankedItems:
    """The items for one request, best first: int32 ``[m]``, and their scores, float32 ``[m]``."""

    items: Indices
    scores: Floats


@dataclass(frozen=True)
class ServingModel:
    """A fitted pipeline and the catalogue as it is now. Immutable: what changes is a new one.

    Attributes:
        name: of the run.
        base: the pipeline as it was fitted.
        pipeline: the same, grown to the whole catalogue.
        catalogue: whose first items are those of the run.
        item_search: of items by words and meaning.
        behaviours: the codes that the pipeline knows behaviours by.
        user_columns: the types of what is known of users, by name.
        liked_from: the value from which a rating says that somebody liked it.
        hide_seen: whether what somebody did something with is left out.
        met: int32, items that were new and are no longer.
        meant: the version of the meanings that the pipeline knows.
    """

    name: str
    base: Recommender
    pipeline: Recommender
    catalogue: Catalogue
    item_search: ItemSearch
    behaviours: Mapping[str, int]
    user_columns: Mapping[str, str]
    liked_from: float = float("nan")
    hide_seen: bool = True
    met: Indices = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    meant: int = 0

    @classmethod
    def of(
        cls,
        run: Run,
        like: Catalogue,
        deleted: Sequence[str],
        behaviours: Sequence[str],
        user_columns: Mapping[str, str],
        *,
        hide_seen: bool,
    ) -> ServingModel:
        """Put a run to work on a catalogue, whose items may stand in another order than the run's.

        Args:
            run: to load.
            like: the catalogue as it is now.
            deleted: items that were taken out of it.
            behaviours: what behaviours are called, in the order of their codes, if the run does not say.
            user_columns: the types of what is known of users, by name.
            hide_seen: whether what somebody did something with is left out.

        Raises:
            PoiseError: the run is damaged.
        """
        names: Sequence[str] = run.metadata.get("behaviours") or behaviours or ["view"]
        served = cls(
            run.name,
            run.pipeline,
            run.pipeline,
            Catalogue.known(run.pipeline.item_ids, like.kinds, like.title_column),
            ItemSearch(run.encoder),
            {name: code for code, name in enumerate(names, 1)},
            user_columns,
            liked_from=run.metadata.get("liked_from") or float("nan"),
            hide_seen=hide_seen,
        )
        return served.changed(like.items(), deleted)

    @cached_property
    def retriever(self) -> Recommender | None:
        """The quickest part of the pipeline that goes by what somebody did; None if the ranker is all there is."""
        if not isinstance(self.pipeline, Pipeline):
            return None
        if self.pipeline.retrievers:
            return self.pipeline.retrievers[0]
        ranker = self.pipeline.ranker
        members = ranker.members if isinstance(ranker, Blend) else []
        return next((member for member in members if isinstance(member, HistorySumModel)), None)

    @property
    def model(self) -> str:
        """What the pipeline is called."""
        return self.pipeline.name

    @property
    def is_grown(self) -> bool:
        """Whether there are items that the run has not met."""
        return self.catalogue.item_ids.size > self.base.item_ids.size

    def changed(self, items: Sequence[Item], deleted: Sequence[str]) -> ServingModel:
        """Return the same run with items put in or replaced, and others taken out.

        What is new can be found by its words and recommended at once; what it means counts after :meth:`encoded`.
        """
        catalogue = self.catalogue.changed(items, deleted)
        self.item_search.put(catalogue, catalogue.item_ids.index([item.item_id for item in items]).tolist())
        return self._grown(catalogue)

    def encode(self) -> None:
        """Encode what the run has not met, and what says something new. Takes its time, and changes nothing by itself.

        Raises:
            PoiseError: the encoder cannot be had.
        """
        new = range(self.base.item_ids.size, self.catalogue.item_ids.size)
        self.item_search.item_vectors.encode(self.catalogue, sorted({*new, *self.item_search.item_vectors.encoded}))

    def encoded(self) -> ServingModel:
        """Return the same run, in which what was encoded meanwhile, by whomever, counts."""
        return self if self.meant == self.item_search.item_vectors.version else self._grown(self.catalogue)

    def touched(self, item_ids: Sequence[str]) -> ServingModel:
        """Return the same run, in which items that somebody did something with are no longer new."""
        if not isinstance(self.pipeline, Pipeline) or not isinstance(self.base, Pipeline):
            return self
        touched = self.catalogue.item_ids.index(item_ids)
        was_new = (touched >= self.base.item_ids.size) | np.isin(touched, self.base.new)
        found = np.setdiff1d(touched[was_new], self.met).astype(np.int32)
        if not len(found):
            return self
        return replace(self, met=np.union1d(self.met, found).astype(np.int32), pipeline=self.pipeline.touched(found))

    def _grown(self, catalogue: Catalogue) -> ServingModel:
        pipeline, meant = self.base, self.item_search.item_vectors.version
        if catalogue.item_ids is not pipeline.item_ids:
            data = catalogue.dataset()
            for name, vectors in self.item_search.item_vectors.vectors(catalogue.item_ids.size).items():
                data = data.with_vectors(name, vectors)
            try:
                pipeline = pipeline.extend_catalogue(data)
            except DataError:  # the models read vectors, and none is encoded yet: new items wait for :meth:`encoded`
                pipeline = self.base
        if isinstance(pipeline, Pipeline):
            pipeline = pipeline.touched(self.met[self.met < pipeline.item_ids.size])
        return replace(self, catalogue=catalogue, pipeline=pipeline, meant=meant)

    def rank(self, asked: Sequence[RankingRequest], model: Recommender) -> list[RankedItems]:
        """Return the best items for each request by the pipeline or a part of it."""
        size = model.item_ids.size  # less than the catalogue's where new items are not encoded yet
        queries = self._queries(asked, model)
        scores = model.score(queries)
        hide(scores, queries)
        for allowed in {id(one.allowed): one.allowed for one in asked}.values():
            rows = [row for row, one in enumerate(asked) if one.allowed is allowed]
            scores[np.array(rows)[:, None], np.flatnonzero(~allowed[:size])] = -np.inf
        items, values = top_k(scores, min(max(one.k for one in asked), size))
        slates = []
        for row, one in enumerate(asked):
            real = items[row, : one.k] > 0
            slates.append(RankedItems(items[row, : one.k][real], values[row, : one.k][real]))
        return slates

    def explain(self, asked: RankingRequest, items: Indices, model: Recommender) -> list[list[Reason]]:
        """Return why a model put each of ``items``, int32 ``[m]``, into the slate of a request."""
        return model.explain(self._queries([asked], model), items[None])[0]

    def _queries(self, asked: Sequence[RankingRequest], model: Recommender) -> Queries:
        size = model.item_ids.size
        queries = queries_of(
            [one.history.below(size) for one in asked],
            model.item_ids,
            [one.time for one in asked],
            hide_seen=self.hide_seen,
        )
        if any(len(one.exclude) for one in asked):
            queries = replace(queries, exclude=Ragged.from_rows([one.exclude[one.exclude < size] for one in asked]))
        if model.reads_users:
            known = [one.history.user for one in asked]
            queries = replace(queries, users=coerce.frame(known, self.user_columns))
        if any(one.context for one in asked):
            names = sorted({name for one in asked for name in one.context})
            rows = {name: [one.context.get(name) for one in asked] for name in names}
            context = pl.DataFrame([pl.Series(name, values, strict=False) for name, values in rows.items()])
            queries = replace(queries, context=context)
        return queries


def rank_batch(asked: Sequence[RankingRequest]) -> list[RankedItems]:
    """Return the best items for each request; those of one run are scored together."""
    answers: list[RankedItems | None] = [None] * len(asked)
    for served in {id(one.serving_model): one.serving_model for one in asked}.values():
        rows = [row for row, one in enumerate(asked) if one.serving_model is served]
        for row, ranked in zip(rows, served.rank([asked[row] for row in rows], served.pipeline), strict=True):
            answers[row] = ranked
    return [one for one in answers if one is not None]
