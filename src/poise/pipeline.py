from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Sequence
from dataclasses import field, replace
from typing import Annotated, Any, Self, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl
from annotated_types import Ge
from pydantic.dataclasses import dataclass

from poise.candidates import Candidates, hide_unwanted
from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.errors import UsageError
from poise.models.blend.standardise import mean_similarity
from poise.options.fit_options import FitOptions
from poise.options.likeness import Likeness, SimilarBy, choose_by
from poise.policy.cold_start_boost import ColdStartBoost
from poise.policy.hide_seen import HideSeen
from poise.policy.step import PolicyRequest, PolicyStep
from poise.recommender import OPTIONS, Recommender
from poise.slates import Reason, Slates
from poise.types import Codes, Floats, Indices, Mask, Offsets

Step = TypeVar("Step", bound=PolicyStep)


NAMED = "request"
"""The source of items that the request itself named."""


def default_policy() -> list[PolicyStep]:
    """Return the steps of a pipeline for which none are named: nothing that was seen, and room for new items."""
    return [HideSeen(), ColdStartBoost()]


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class Pipeline(Recommender):
    """Retrieve, rank, decide: what is fitted, saved and served as one thing.

    Each retriever brings its best items to a request, the ranker scores what they brought and nothing else, and the
    steps of the policy make slates of them. Without retrievers the ranker scores the whole catalogue, which is right as
    long as it is quick enough.

    Args:
        ranker: the model that scores.
        retrievers: the models that bring candidates.
        candidates: how many items each retriever brings.
        policy: the steps, in the order in which they decide.
    """

    ranker: Recommender
    retrievers: list[Recommender] = field(default_factory=list)
    candidates: Annotated[int, Ge(1)] = 200
    policy: list[PolicyStep] = field(default_factory=default_policy)

    @property
    def reads_users(self) -> bool:
        """See :attr:`Recommender.reads_users`."""
        return any(part.reads_users for part in self.parts)

    @property
    def name(self) -> str:
        """The name of the ranker, and of what retrieves for it."""
        retrievers = f" over {' + '.join(retriever.name for retriever in self.retrievers)}" if self.retrievers else ""
        return f"{self.ranker.name}{retrievers}"

    @property
    def parts(self) -> list[Recommender]:
        """See :attr:`Recommender.parts`: the retrievers and the ranker."""
        return [*self.retrievers, self.ranker]

    @property
    def policy_version(self) -> str:
        """A short hash of the steps and their options: equal for policies that decide alike."""
        description = json.dumps([[step.name, step.options] for step in self.policy], sort_keys=True, default=str)
        return hashlib.blake2b(description.encode(), digest_size=6).hexdigest()

    @property
    def fast_fallback(self) -> Pipeline | None:
        """See :attr:`Recommender.fast_fallback`: the same policy over the quickest part, scored over the catalogue."""
        part = self.retrievers[0] if self.retrievers else self.ranker.fast_fallback
        if part is None or part is self.ranker:
            return None
        quick = copy.copy(self)
        quick.ranker, quick.retrievers = part, []
        return quick

    def step(self, kind: type[Step]) -> Step | None:
        """Return the step of a kind; None if the policy has none."""
        return next((step for step in self.policy if isinstance(step, kind)), None)

    def with_policy(self, policy: Sequence[PolicyStep]) -> Self:
        """Return the same fitted pipeline with other steps; of steps of the same kind, what was learnt goes over.

        Raises:
            UsageError: a step that learns from data is of a kind that this pipeline does not have.
        """
        changed = copy.copy(self)
        changed.policy = list(policy)
        for step in changed.policy:
            fitted = self.step(type(step))
            if fitted is not None:
                step._restore(fitted._arrays())
            elif type(step).fit is not PolicyStep.fit:
                raise UsageError(f"the policy step {step.name} learns from data, and the run has none: fit it again")
        return changed

    def __post_init__(self) -> None:
        self.item_events: Offsets | None = None  # int64 [n_items + 1], how many events of each item were learnt from

    def _fit(self, data: Dataset, valid: Holdout | None, options: FitOptions) -> None:
        for part in self.parts:
            part.fit_once(data, valid, options)
        self._ready_to_serve(data)
        for step in self.policy:
            step.fit(self.ranker, data, valid)

    def _refit(self, data: Dataset, options: FitOptions) -> None:
        for part in self.parts:
            part.refit(data, options)
        self._ready_to_serve(data)
        for step in self.policy:
            step.refit(data)

    def _update(self, data: Dataset, valid: Holdout | None, options: FitOptions) -> None:
        for part in self.parts:
            part.update(data, valid, options)
        self._ready_to_serve(data)
        for step in self.policy:
            step.refit(data)

    def _ready_to_serve(self, data: Dataset) -> None:
        self.item_events = data.item_counts
        for retriever in self.retrievers:
            retriever.index_items()

    def _grow(self, data: Dataset) -> None:
        n_added = self._count_added(data)
        if self.item_events is not None:
            self.item_events = np.append(self.item_events, np.zeros(n_added, dtype=np.int64))
        self.policy = [step.extend_catalogue(data, n_added) for step in self.policy]
        self.ranker = self.ranker.extend_catalogue(data)
        self.retrievers = [retriever.extend_catalogue(data) for retriever in self.retrievers]

    def touched(self, items: Indices) -> Self:
        """Return the same pipeline, in which ``items`` are no longer new: somebody has chosen them."""
        changed = copy.copy(self)
        changed.policy = [step.without(items) if isinstance(step, ColdStartBoost) else step for step in self.policy]
        return changed

    def score(self, queries: Queries) -> Floats:
        """See :meth:`Recommender.score`: minus infinity for items that no retriever brought.

        Of the policy, the boost of new items is in the scores; what other steps hide or draw is not.
        """
        candidates = self._scored(queries)
        boost = self.step(ColdStartBoost)
        if boost is not None:
            candidates = boost.apply(candidates, PolicyRequest(queries, 1, self._is_personalized(queries)))
        return candidates.dense(queries.item_ids.size)

    def score_candidates(self, queries: Queries, candidates: Ragged) -> Floats:
        """See :meth:`Recommender.score_candidates`: the ranker's scores, whatever the source of the candidates."""
        return self.ranker.score_candidates(queries, candidates)

    def predict(self, queries: Queries, items: Ragged) -> Floats | None:
        """See :meth:`Recommender.predict`."""
        return self.ranker.predict(queries, items)

    def similarity(self, items: Indices) -> Floats | None:
        """See :meth:`Recommender.similarity`: by what is known of each item."""
        return self.similarity_by(items, None)

    def similarity_by(self, items: Indices, by: SimilarBy | None) -> Floats | None:
        """See :meth:`Recommender.similarity_by`: without ``by`` each item by what is known of it, see :meth:`likeness`.

        Minus infinity for items of which nothing is known.
        """
        if by is None and len(items) > 1:
            rows = [self.similarity_by(items[row : row + 1], None) for row in range(len(items))]
            return None if any(row is None for row in rows) else np.vstack([row for row in rows if row is not None])
        scores = self._compared(items, by or (self._known_by(int(items[0])) if len(items) else None))
        if scores is not None:
            scores[np.ptp(scores[:, 1:], axis=1) == 0] = -np.inf
            if by == "behaviour" and self.item_events is not None:
                scores[self.item_events[items] == 0] = -np.inf
        return scores

    def likeness(self, item: str, by: SimilarBy | None = None) -> Likeness:
        """Return what :meth:`similar` compares an item by, and how far that can be trusted.

        Args:
            item: the outer id.
            by: what it is asked to compare by; None for what is known of the item: its content if it has few events,
                what people did if it has many, both between.
        """
        index = int(self.item_ids.index([item])[0])
        events = None if self.item_events is None else int(self.item_events[index])
        return Likeness(by or self._known_by(index), events)

    def _known_by(self, item: int) -> SimilarBy | None:
        """Return what an item is best compared by; None where nothing is known, of it or of how many events it has."""
        if self.item_events is None:
            return None
        one = np.array([item], dtype=np.int32)
        content, behaviour = self._compared(one, "content"), self._compared(one, "behaviour")
        return choose_by(
            int(self.item_events[item]),
            has_content=content is not None and bool(np.ptp(content[:, 1:])),
            has_behaviour=behaviour is not None,
        )

    def _compared(self, items: Indices, by: SimilarBy | None) -> Floats | None:
        """Return the similarity of the ranker, else of the first retriever that knows it."""
        parts = (self.ranker, *self.retrievers)
        known = next((found for part in parts if (found := part.similarity_by(items, by)) is not None), None)
        if known is None and by == "both":  # one part knows what items are, another what people do
            content, behaviour = self._compared(items, "content"), self._compared(items, "behaviour")
            return None if content is None or behaviour is None else mean_similarity(content, behaviour)
        return known

    def rank(
        self, queries: Queries, k: int, *, explain: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[Slates, Candidates]:
        """See :meth:`Recommender.rank`; ``rng`` is the source of chance for steps that draw, None for none."""
        slates, candidates = self.arrange(queries, self._scored(queries), k, self._is_personalized(queries), rng=rng)
        return replace(slates, reasons=self.explain_slates(queries, slates)) if explain else slates, candidates

    def arrange(
        self,
        queries: Queries,
        candidates: Candidates,
        k: int,
        personalized: Mask,
        *,
        rng: np.random.Generator | None = None,
    ) -> tuple[Slates, Candidates]:
        """Let the policy make slates of scored candidates, and return what they were chosen from.

        What a request rules out, its excluded items and what its filters leave out, is hidden before any step decides.

        Args:
            queries: ``n`` requests.
            candidates: what is to be arranged, such as what is popular where no model answered. It may be changed.
            k: how many items a slate has, at most.
            personalized: bool ``[n]``, whether the scores are each person's own.
            rng: the source of chance for steps that draw; None for none.
        """
        hide_unwanted(candidates, queries, seen=False)
        request = PolicyRequest(queries, k, personalized, rng)
        for step in self.policy:
            candidates = step.apply(candidates, request)
        return Slates.of(candidates.top(k), queries.item_ids), candidates

    def explain(self, queries: Queries, items: Indices) -> list[list[list[Reason]]]:
        """See :meth:`Recommender.explain`: the ranker's reasons, and those of the steps."""
        scores = np.take_along_axis(self.score(queries), items.astype(np.int64), axis=1)
        return self.explain_slates(queries, Slates(items, scores, np.ones_like(scores), self.item_ids))

    def explain_slates(
        self, queries: Queries, slates: Slates, *, personalized: bool = True
    ) -> list[list[list[Reason]]]:
        """Return for each request, for each item of its slate, why it is there.

        Args:
            queries: the requests.
            slates: what was shown.
            personalized: whether the ranker scored them; where it did not they are there because they are popular.
        """
        if personalized:
            reasons = self.ranker.explain(queries, slates.items)
        else:
            reasons = [[[Reason("popular")] for _ in row] for row in slates.items]
        for step in self.policy:
            reasons = step.explain(reasons, slates, queries, self.ranker)
        return reasons

    def _answer(self, queries: Queries, k: int, *, explain: bool) -> Slates:
        return self.rank(queries, k, explain=explain)[0]

    def _is_personalized(self, queries: Queries) -> Mask:
        """Tell which requests have something that the models go by, bool ``[n]``."""
        personalized = queries.lengths > 0
        if self.reads_users and queries.users is not None and queries.users.width:
            personalized |= queries.users.select(pl.any_horizontal(pl.all().is_not_null())).to_series().to_numpy()
        return personalized

    def _scored(self, queries: Queries) -> Candidates:
        """Return the ranker's scores of what was retrieved, of what the request names, or of the whole catalogue."""
        if queries.candidates is not None:
            named = queries.candidates.without_repeats()
            scores, mean, _ = self.ranker.score_with_moments(queries, named)
            return Candidates.of_lists(named, scores, mean, source_names=[NAMED])
        if not self.retrievers:
            return Candidates.of_catalogue(self.ranker.score(queries))
        retrieved, sources = self._retrieve(queries)
        scores, mean, _ = self.ranker.score_with_moments(queries, retrieved)
        names = [retriever.name for retriever in self.retrievers]
        return Candidates.of_lists(retrieved, scores, mean, sources=sources, source_names=names)

    def _retrieve(self, queries: Queries) -> tuple[Ragged, Codes]:
        """Return what the retrievers bring, each item once, and which of them brought it first, uint8 ``[total]``."""
        if queries.hide_seen and self.step(HideSeen) is None:
            queries = replace(queries, hide_seen=False)
        depth = min(self.candidates, queries.n_items)
        retrieved = np.hstack([retriever.retrieve(queries, depth).items for retriever in self.retrievers])
        if len(self.retrievers) == 1:  # which brings each item once
            real = retrieved > 0
            offsets = np.concatenate([[0], np.cumsum(real.sum(axis=1))])
            return Ragged(retrieved[real], offsets), np.zeros(offsets[-1], dtype=np.uint8)
        rows, codes = [], []
        for row in retrieved:
            items, first = np.unique(row, return_index=True)
            rows.append(items[items > 0])
            codes.append((first[items > 0] // depth).astype(np.uint8))
        return Ragged.from_rows(rows), np.concatenate(codes)

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {} if self.item_events is None else {"item_events": self.item_events}

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self.item_events = arrays.get("item_events")  # None of a version that did not keep it
