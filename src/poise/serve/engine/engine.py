"""The live engine: it always has an answer, and knows what happened a second ago."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
from cachetools import LRUCache

from poise.config import ServeTable
from poise.errors import PoiseError
from poise.serve.engine.batcher import Batcher, TooSlowError
from poise.serve.engine.bounded_executor import BoundedExecutor
from poise.serve.engine.circuit_breaker import CircuitBreaker
from poise.serve.engine.impression_log import EVERY, Impressions, count_eligible, make_impression
from poise.serve.engine.slate_cache import CachedSlate
from poise.serve.engine.slate_items import slate_items
from poise.serve.errors import InvalidRequestError, NotFoundError, OverloadedError
from poise.serve.schema.timestamps import milliseconds
from poise.serve.state.history import NO_ITEMS, NOBODY, History
from poise.serve.state.ranking_request import RankedItems, RankingRequest
from poise.serve.state.serving_model import ServingModel, rank_batch
from poise.serve.state.serving_state import ServingState
from poise.serve.telemetry.metrics import ServerMetrics
from poise.slates import Reason
from poise.store.errors import StoreError
from poise.store.records import Event, Impression
from poise.types import Indices, Mask
from poise_client.schema.events import HistoryEvent
from poise_client.schema.recommendations import RecommendationRequest, Slate, Stage

Given = ParamSpec("Given")
Result = TypeVar("Result")

CACHED = 50_000  # people whose last slate is kept
READERS = 4  # threads that read from the store
READ_HISTORY_WITHIN = 2.0  # seconds; without it, what somebody did long ago is not hidden from them
READ_WITHIN = 5.0  # seconds, for what has no simpler answer
EXPLAINED_WITHIN = 2.0  # seconds


def _request_ids() -> Iterator[str]:
    """Yield ids that nobody can guess; the system gives many at once, as each call takes long."""
    while True:
        drawn = os.urandom(12 * 256).hex()
        yield from (drawn[start : start + 24] for start in range(0, len(drawn), 24))


_REQUEST_IDS = _request_ids()


class Engine:
    """Answers requests for one project, by the best stage that works: ranker, retrieval, popular, cached.

    Args:
        state: follows the store.
        options: of serving.
        metrics: where to count.
        shared: whether other processes write to the same store, so that each request has to look.
    """

    def __init__(self, state: ServingState, options: ServeTable, metrics: ServerMetrics, *, shared: bool) -> None:
        self.state, self.options, self.metrics, self.shared = state, options, metrics, shared
        self.ranker: Batcher[tuple[ServingModel, RankingRequest], RankedItems] = Batcher(
            self._rank, most=options.batch, queue=options.queue, budget=options.budget, threads=options.threads
        )
        self._retrieving, self._explaining = BoundedExecutor("retrieval"), BoundedExecutor("explaining")
        self._reading = BoundedExecutor("reading", READERS)
        self.impressions = Impressions(state.store, metrics)
        self._slates: LRUCache[str, CachedSlate] = LRUCache(CACHED)
        self.breaker = CircuitBreaker(state.clock.monotonic)
        self._rng = np.random.default_rng()
        state.when_erased.append(self._slates.clear)
        self._warm_up()

    async def recommend(
        self, body: RecommendationRequest, model: ServingModel | None = None, seconds: dict[str, float] | None = None
    ) -> Slate:
        """Return what to show.

        Args:
            body: the request as it came.
            model: the run that answers; None for the one that is served.
            seconds: takes how long the ``answer`` took, and then its ``reasons``.

        Raises:
            InvalidRequestError: it names both a user and a history, or a column that is not there.
            NotFoundError: there is no such first page.
            OverloadedError: too many requests wait.
        """
        if body.user_id is not None and body.history is not None:
            raise InvalidRequestError("give either user_id or history, not both")
        start = time.perf_counter()
        if self.shared:
            await self._try_to_follow()
        model = model or self.state.serving_model
        request, again = await self._read_request(body, model)
        if again is None:
            stage, ranked = await self._answer(model, request, body.user_id)
        else:
            stage, ranked = _as_before(model, request, again)
        answered = time.perf_counter()
        reasons = await self._explain(model, request, stage, ranked) if body.explain else None
        if seconds is not None:
            seconds.update(answer=answered - start, reasons=time.perf_counter() - answered)
        request_id = body.request_id if body.offset and body.request_id else next(_REQUEST_IDS)
        slate = Slate(request_id, model.name, model.model, stage, slate_items(model, request, ranked, reasons))
        self.metrics.slates_by[stage].inc()
        if again is None:
            self._log(slate, body, model, request, ranked)
        return slate

    async def _read_request(
        self, body: RecommendationRequest, model: ServingModel
    ) -> tuple[RankingRequest, Impression | None]:
        """Return a request in the terms of a run, and the page that answered it already, if one did."""
        now = self.state.clock.milliseconds()
        history = await self._history(model, body, now)
        pages = await self._shown_before(body)
        again = pages.pop() if pages and pages[-1].offset == body.offset else None
        shown = [item for page in pages for item in page.items][: body.offset]
        index = model.catalogue.item_ids.index
        exclude = index([*body.exclude, *shown]) if body.exclude or shown else NO_ITEMS
        context = dict(body.context or {})
        if body.scenario is not None:
            context.setdefault("scenario", body.scenario)
        candidates = None if body.candidates is None else index(body.candidates)
        request = RankingRequest(
            history,
            body.k,
            now,
            model.catalogue.select(body.filters),
            exclude[exclude > 0],
            context,
            None if candidates is None else np.unique(candidates[candidates > 0]),
        )
        return request, again

    async def _answer(
        self, model: ServingModel, request: RankingRequest, user_id: str | None
    ) -> tuple[Stage, RankedItems]:
        if not request.is_of_somebody_known:
            return self._simple(model, request, user_id)
        cached = self._slates.get(user_id) if user_id is not None else None
        if cached is not None and cached.answers(model, request, self.state.clock.monotonic()):
            self.metrics.slate_cache_hits.inc()
            return "ranker", cached.ranked
        stages: tuple[tuple[Stage, Any], ...] = (("ranker", self._ask_ranker), ("retrieval", self._ask_fallback))
        for stage, ask in stages:
            if self.breaker.is_open(stage):
                self.metrics.fallbacks.labels(stage, "resting").inc()
                continue
            start = time.perf_counter()
            try:
                ranked = await ask(model, request)
            except OverloadedError:
                raise
            except (TooSlowError, TimeoutError):
                self._note_failure(stage, "slow")
            except Exception as error:  # whatever a model raises, there is an answer
                self._note_failure(stage, type(error).__name__)
            else:
                self.metrics.seconds_of(stage, start)
                self.breaker.note_success(stage)
                if len(ranked.items):
                    self._remember(user_id, model, request, stage, ranked)
                    return stage, ranked
                break  # nothing is left that may be shown
        return self._simple(model, request, user_id)

    async def _ask_ranker(self, model: ServingModel, request: RankingRequest) -> RankedItems:
        return await self.ranker.ask((model, request))

    async def _ask_fallback(self, model: ServingModel, request: RankingRequest) -> RankedItems:
        if model.fallback is None:
            raise TooSlowError
        (ranked,) = await self._retrieving.run(self.options.budget, model.rank, [request], model.fallback)
        return ranked

    def _simple(self, model: ServingModel, request: RankingRequest, user_id: str | None) -> tuple[Stage, RankedItems]:
        """Return what is popular, or, where even that fails, what was last shown."""
        start = time.perf_counter()
        try:
            popularity = self.state.popularity.scores(model.catalogue.item_ids)
            ranked = model.rank_popular(request, popularity, self._rng)
            self.metrics.seconds_of("popular", start)
            return "popular", ranked
        except Exception as error:
            self._note_failure("popular", type(error).__name__)
        last = self._slates.get(user_id or "") or self._slates.get("")
        if last is None or last.run != model.name:  # whose items have other indices
            return "cached", RankedItems(NO_ITEMS, NO_ITEMS.astype(np.float32))
        shown = _may_be_shown(last.ranked.items, request)
        if model.hides_seen:
            shown &= ~np.isin(last.ranked.items, request.history.done)
        return "cached", last.ranked.where(shown).first(request.k)

    def _remember(
        self, user_id: str | None, model: ServingModel, request: RankingRequest, stage: Stage, ranked: RankedItems
    ) -> None:
        """Keep the last slate of a person, and under no name the last one of all."""
        for name in {user_id or "", ""}:
            self._slates[name] = CachedSlate.of(model, request, stage, ranked, self.state.clock.monotonic())

    def _rank(self, requests: Sequence[tuple[ServingModel, RankingRequest]]) -> Sequence[RankedItems]:
        self.metrics.batch.observe(len(requests))
        return rank_batch(requests)

    async def _explain(
        self, model: ServingModel, request: RankingRequest, stage: Stage, ranked: RankedItems
    ) -> list[list[Reason]]:
        """Return why each item is there, or nothing where that takes too long."""
        if stage == "cached":
            return [[] for _ in ranked.items]
        pipeline = (model.fallback if stage == "retrieval" else None) or model.pipeline
        start = time.perf_counter()
        try:
            explain = partial(model.explain, request, ranked, pipeline, personalized=stage != "popular")
            return await self._explaining.run(EXPLAINED_WITHIN, explain)
        except Exception as error:
            self.metrics.fallbacks.labels("explanation", type(error).__name__).inc()
            return [[] for _ in ranked.items]
        finally:
            self.metrics.seconds_of("explanation", start)

    async def _history(self, model: ServingModel, body: RecommendationRequest, now: int) -> History:
        if body.history is not None:
            events = sorted((_event(event, now) for event in body.history), key=lambda event: event.time)
            return self.state.user_histories.of_events(events, model.catalogue.item_ids, model.behaviours)
        if body.user_id is None:
            return NOBODY
        histories, item_ids = self.state.user_histories, model.catalogue.item_ids
        cached = histories.cached(body.user_id, item_ids)
        if cached is not None:
            return cached
        try:
            return await self._reading.run(
                max(self.options.budget, READ_HISTORY_WITHIN),
                histories.history,
                body.user_id,
                item_ids,
                model.behaviours,
                reads_users=model.pipeline.reads_users,
            )
        except (PoiseError, TimeoutError) as error:
            self.metrics.fallbacks.labels("store", type(error).__name__).inc()
            return NOBODY

    async def read(self, query: Callable[Given, Result], *arguments: Given.args, **options: Given.kwargs) -> Result:
        """Read from the store, in a thread, with a time limit.

        Raises:
            StoreError: it cannot be read, or takes too long.
        """
        try:
            return await self._reading.run(READ_WITHIN, query, *arguments, **options)
        except TimeoutError:
            raise StoreError("the store takes too long to answer: try again") from None

    async def pages(self, request_id: str) -> list[Impression]:
        """Return what was answered to a request; another process may have answered it, and not have written it yet."""
        await self.impressions.flush()
        for wait in (0.0, 2 * EVERY):
            await asyncio.sleep(wait)
            if pages := await self.read(self.state.store.impressions, request_id):
                return pages
        return []

    async def _shown_before(self, body: RecommendationRequest) -> list[Impression]:
        """Return the pages before, and the page itself if it was asked for before."""
        if not body.offset:
            return []
        if body.request_id is None:
            raise InvalidRequestError(
                "offset goes with the request_id of the first page, so that no item is shown twice"
            )
        pages = await self.pages(body.request_id)
        if not pages or pages[0].user_id != body.user_id:
            raise NotFoundError(f"there is no request {body.request_id!r} of this user: ask for the first page first")
        return [page for page in pages if page.offset <= body.offset]

    def _log(
        self,
        slate: Slate,
        body: RecommendationRequest,
        model: ServingModel,
        request: RankingRequest,
        ranked: RankedItems,
    ) -> None:
        hidden = request.history.done if model.hides_seen else NO_ITEMS
        self.impressions.add(
            make_impression(
                slate,
                body,
                time=request.time,
                sources=ranked.brought_by,
                n_eligible=count_eligible(request.allowed, request.exclude, hidden),
                policy_version=model.policy_version,
            )
        )

    async def _try_to_follow(self) -> None:
        try:
            async with asyncio.timeout(self.options.budget):
                await self.state.follow()
        except (PoiseError, TimeoutError) as error:
            self.metrics.fallbacks.labels("store", type(error).__name__).inc()

    def _note_failure(self, stage: str, why: str) -> None:
        self.metrics.fallbacks.labels(stage, why).inc()
        self.breaker.note_failure(stage)

    def forget(self, user_id: str) -> None:
        """Keep nothing of a user."""
        self._slates.pop(user_id, None)
        self._slates.pop("", None)

    def _warm_up(self) -> None:
        """Score something, so that the first request does not pay for what is set up on first use."""
        model = self.state.serving_model
        n = min(len(model.base.item_ids), 50)
        items = np.arange(1, n + 1, dtype=np.int32)
        zeros = np.zeros(n)
        history = History(items, np.ones(n, np.uint8), zeros.astype(np.float32), zeros.astype(np.int64), ["view"] * n)
        request = RankingRequest(history, 1, 0, model.catalogue.available, NO_ITEMS)
        for pipeline in (model.pipeline, model.fallback):
            if pipeline is not None:
                model.rank([request], pipeline)

    async def close(self) -> None:
        """Stop the threads."""
        await self.ranker.close()
        for executor in (self._retrieving, self._explaining, self._reading):
            executor.close()


def _as_before(model: ServingModel, request: RankingRequest, page: Impression) -> tuple[Stage, RankedItems]:
    """Return a page that was asked for before, whose answer may have been lost, as far as it may still be shown."""
    items = model.catalogue.item_ids.index(page.items)
    scores, probabilities = (np.asarray(part, dtype=np.float32) for part in (page.scores, page.probabilities))
    codes = {name: code for code, name in enumerate(dict.fromkeys(page.sources))}
    sources = np.array([codes[name] for name in page.sources], dtype=np.uint8)
    shown = RankedItems(items, scores, probabilities, sources, tuple(codes))
    return cast(Stage, page.stage), shown.where(_may_be_shown(items, request))


def _may_be_shown(items: Indices, request: RankingRequest) -> Mask:
    """Tell which of some items a request does not rule out, bool ``[m]``."""
    shown = request.allowed[items] & ~np.isin(items, request.exclude)
    return shown if request.candidates is None else shown & np.isin(items, request.candidates)


def _event(event: str | HistoryEvent, now: int) -> Event:
    if isinstance(event, str):
        return Event(user_id="", item_id=event, behaviour="view", value=None, time=now)
    moment = milliseconds(event.timestamp, now)
    return Event(user_id="", item_id=event.item_id, behaviour=event.behaviour, value=event.value, time=moment)
