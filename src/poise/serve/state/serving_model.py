"""A run at work: its pipeline, grown by the items that came after it, and what it needs to answer requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import polars as pl

from poise.candidates import Candidates
from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.data.schema import json_columns
from poise.data.vocabulary import Vocabulary
from poise.errors import DataError
from poise.options.likeness import SimilarBy
from poise.pipeline import Pipeline
from poise.policy import ColdStartBoost, HideSeen, PolicyStep
from poise.project.run import Run
from poise.serve.catalogue.catalogue import Catalogue
from poise.serve.catalogue.item_search import ItemSearch
from poise.serve.state.history import queries_of
from poise.serve.state.ranking_request import RankedItems, RankingRequest
from poise.slates import Reason, Slates
from poise.store.records import Item
from poise.types import Doubles, Indices, Mask

POPULAR = "popular"
"""The source of items that are shown because they are popular."""


@dataclass(frozen=True)
class ServingModel:
    """A fitted pipeline and the catalogue as it is now. Immutable: what changes is a new one.

    Attributes:
        name: of the run.
        base: the pipeline as it was fitted.
        pipeline: the same, grown to the whole catalogue.
        catalogue: whose first items are those of the run.
        item_search: of items by words and vectors.
        behaviours: the codes that the pipeline knows behaviours by.
        user_columns: the types of the columns of users, by name.
        liked_from: the value from which a rating says that somebody liked it.
        touched_items: int32, items that were new and have events now.
        vectors_version: the version of the item vectors that the pipeline has.
    """

    name: str
    base: Pipeline
    pipeline: Pipeline
    catalogue: Catalogue
    item_search: ItemSearch
    behaviours: Mapping[str, int]
    user_columns: Mapping[str, str]
    liked_from: float = float("nan")
    touched_items: Indices = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    vectors_version: int = 0

    @classmethod
    def of(
        cls,
        run: Run,
        like: Catalogue,
        deleted: Sequence[str],
        behaviours: Sequence[str],
        user_columns: Mapping[str, str],
        policy: Sequence[PolicyStep],
    ) -> ServingModel:
        """Put a run to work on a catalogue, whose items may stand in another order than the run's.

        Args:
            run: to load.
            like: the catalogue as it is now.
            deleted: items that were taken out of it.
            behaviours: what behaviours are called, in the order of their codes, if the run does not say.
            user_columns: the types of what is known of users, by name.
            policy: the steps that make slates.

        Raises:
            PoiseError: the run is damaged.
        """
        names: Sequence[str] = run.metadata.get("behaviours") or behaviours or ["view"]
        pipeline = run.pipeline.with_policy(policy)
        model = cls(
            run.name,
            pipeline,
            pipeline,
            like.of_other_ids(run.pipeline.item_ids),
            ItemSearch(run.encoder),
            {name: code for code, name in enumerate(names, 1)},
            user_columns,
            liked_from=run.metadata.get("liked_from") or float("nan"),
        )
        return model.changed(like.items(), deleted)

    @cached_property
    def fallback(self) -> Pipeline | None:
        """The quickest part of the pipeline that goes by what somebody did; None if the ranker is all there is."""
        return self.pipeline.fast_fallback

    @cached_property
    def hides_seen(self) -> bool:
        """Whether the policy leaves out what somebody did something with."""
        return self.pipeline.step(HideSeen) is not None

    @cached_property
    def policy_version(self) -> str:
        """See :attr:`Pipeline.policy_version`."""
        return self.pipeline.policy_version

    @property
    def model(self) -> str:
        """What the pipeline is called."""
        return self.pipeline.name

    @property
    def is_grown(self) -> bool:
        """Whether there are items that the run does not have."""
        return self.catalogue.item_ids.size > self.base.item_ids.size

    def changed(self, items: Sequence[Item], deleted: Sequence[str]) -> ServingModel:
        """Return the same run with items put in or replaced, and others taken out.

        What is new can be found by its words and recommended at once; its vectors count after :meth:`encoded`.
        """
        catalogue = self.catalogue.changed(items, deleted)
        self.item_search.put(catalogue, catalogue.item_ids.index([item.item_id for item in items]).tolist())
        return self._grown(catalogue)

    def encode(self) -> None:
        """Encode items that the run does not have, and changed texts. It is slow, and changes nothing by itself.

        Raises:
            PoiseError: the encoder cannot be had.
        """
        new = range(self.base.item_ids.size, self.catalogue.item_ids.size)
        self.item_search.item_vectors.encode(self.catalogue, sorted({*new, *self.item_search.item_vectors.encoded}))

    def encoded(self) -> ServingModel:
        """Return the same run, in which what was encoded meanwhile counts."""
        return self if self.vectors_version == self.item_search.item_vectors.version else self._grown(self.catalogue)

    def touched(self, item_ids: Sequence[str]) -> ServingModel:
        """Return the same run, in which items that somebody did something with are no longer new."""
        boost = self.base.step(ColdStartBoost)
        if boost is None:
            return self
        touched = self.catalogue.item_ids.index(item_ids)
        was_new = (touched >= self.base.item_ids.size) | np.isin(touched, boost.new_items)
        newly_touched = np.setdiff1d(touched[was_new], self.touched_items).astype(np.int32)
        if not len(newly_touched):
            return self
        return replace(
            self,
            touched_items=np.union1d(self.touched_items, newly_touched).astype(np.int32),
            pipeline=self.pipeline.touched(newly_touched),
        )

    def _grown(self, catalogue: Catalogue) -> ServingModel:
        pipeline, vectors_version = self.base, self.item_search.item_vectors.version
        if catalogue.item_ids is not pipeline.item_ids:
            data = catalogue.dataset()
            for name, vectors in self.item_search.item_vectors.vectors(catalogue.item_ids.size).items():
                data = data.with_vectors(name, vectors)
            try:
                pipeline = pipeline.extend_catalogue(data)
            except DataError:  # the models read vectors, and none is encoded yet: new items wait for :meth:`encoded`
                pipeline = self.base
        pipeline = pipeline.touched(self.touched_items[self.touched_items < pipeline.item_ids.size])
        return replace(self, catalogue=catalogue, pipeline=pipeline, vectors_version=vectors_version)

    def rank(self, requests: Sequence[RankingRequest], pipeline: Pipeline) -> list[RankedItems]:
        """Return the slates that a pipeline, this run's or its fallback, makes for a batch of requests."""
        queries = self._queries(requests, pipeline)
        k = min(max(request.k for request in requests), len(pipeline.item_ids))
        slates, candidates = pipeline.rank(queries, k, rng=np.random.default_rng())
        is_drawn = candidates.probabilities is not None
        return [RankedItems.of(slates, row, request.k, is_drawn=is_drawn) for row, request in enumerate(requests)]

    def rank_popular(self, request: RankingRequest, popularity: Doubles, rng: np.random.Generator) -> RankedItems:
        """Return the slate that the policy makes of what is popular.

        Args:
            request: to answer.
            popularity: float64 ``[n_items + 1]``, of the items of the catalogue.
            rng: the source of chance.
        """
        queries = self._queries([request], self.pipeline, self.catalogue.item_ids)
        everything = Candidates.of_catalogue(popularity.astype(np.float32)[None], source=POPULAR)
        if queries.candidates is not None:
            everything.keep_only([_mask_of(queries.candidates[0], self.catalogue.item_ids.size)])
        personalized = np.zeros(1, dtype=np.bool_)
        slates, candidates = self.pipeline.arrange(queries, everything, request.k, personalized, rng=rng)
        return RankedItems.of(slates, 0, request.k, is_drawn=candidates.probabilities is not None)

    def most_popular(self, popularity: Doubles, k: int, without: Sequence[int] = ()) -> RankedItems:
        """Return the ``k`` most popular items that are available; those without events come last.

        Args:
            popularity: float64 ``[n_items + 1]``, of the items of the catalogue.
            k: how many.
            without: items that are left out.
        """
        candidates = Candidates.of_catalogue(popularity.astype(np.float32)[None], source=POPULAR)
        candidates.keep_only([self.catalogue.available])
        candidates.hide(Ragged.from_rows([without]))
        return RankedItems.of(Slates.of(candidates.top(k), self.catalogue.item_ids), 0, k, is_drawn=False)

    def similar(self, item_id: str, k: int, by: SimilarBy | None = None) -> RankedItems:
        """Return the available items that are most like one.

        Raises:
            UsageError: the pipeline has no notion of such a similarity.
        """
        k = min(k, len(self.pipeline.item_ids) - 1)
        slates = self.pipeline.similar([item_id], k, by=by, allowed=self.catalogue.available)
        return RankedItems.of(slates, 0, k, is_drawn=False)

    def explain(
        self, request: RankingRequest, ranked: RankedItems, pipeline: Pipeline, *, personalized: bool
    ) -> list[list[Reason]]:
        """Return why each item stands in the slate of a request.

        Args:
            request: that was answered.
            ranked: what was shown.
            pipeline: that scored it.
            personalized: whether it did; where not, the items are there because they are popular.
        """
        slates = Slates(
            ranked.items[None],
            ranked.scores[None],
            np.array([ranked.chances], dtype=np.float32),
            pipeline.item_ids,
            None if ranked.sources is None else ranked.sources[None],
            ranked.source_names,
        )
        return pipeline.explain_slates(self._queries([request], pipeline), slates, personalized=personalized)[0]

    def _queries(
        self, requests: Sequence[RankingRequest], pipeline: Pipeline, item_ids: Vocabulary | None = None
    ) -> Queries:
        """Return requests in the terms of a pipeline's items, fewer than the catalogue's while new ones are encoded."""
        item_ids = item_ids or pipeline.item_ids
        size = item_ids.size
        histories = [request.history.below(size) for request in requests]
        queries = queries_of(histories, item_ids, [request.time for request in requests])
        queries = replace(queries, allowed=[request.allowed for request in requests])
        if any(len(request.exclude) for request in requests):
            exclude = Ragged.from_rows([request.exclude[request.exclude < size] for request in requests])
            queries = replace(queries, exclude=exclude)
        named = [request.candidates for request in requests if request.candidates is not None]
        if named:
            queries = replace(queries, candidates=Ragged.from_rows([items[items < size] for items in named]))
        if pipeline.reads_users:
            users = [request.history.user for request in requests]
            queries = replace(queries, users=json_columns.frame(users, self.user_columns))
        if any(request.context for request in requests):
            names = sorted({name for request in requests for name in request.context})
            rows = {name: [request.context.get(name) for request in requests] for name in names}
            context = pl.DataFrame([pl.Series(name, values, strict=False) for name, values in rows.items()])
            queries = replace(queries, context=context)
        return queries


def rank_batch(requests: Sequence[tuple[ServingModel, RankingRequest]]) -> list[RankedItems]:
    """Return the slate for each request of a run; those that can be are scored together.

    They can be where they are of one run, and all name their candidates or none does.
    """
    answers: dict[int, RankedItems] = {}
    parts: dict[tuple[int, bool], list[int]] = {}
    for place, (model, request) in enumerate(requests):
        parts.setdefault((id(model), request.candidates is None), []).append(place)
    for places in parts.values():
        model = requests[places[0]][0]
        ranked = model.rank([requests[place][1] for place in places], model.pipeline)
        answers |= dict(zip(places, ranked, strict=True))
    return [answers[place] for place in range(len(requests))]


def _mask_of(items: Indices, size: int) -> Mask:
    mask = np.zeros(size, dtype=np.bool_)
    mask[items] = True
    return mask
