"""The live engine: it always has an answer, and knows what happened a second ago."""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

from poise.config import ServeTable
from poise.data.vocabulary import Vocabulary
from poise.errors import PoiseError
from poise.policy.exploration import popular_and_drawn
from poise.recommender import Recommender
from poise.serve.engine.batcher import Batcher, TooSlowError
from poise.serve.engine.bounded_executor import BoundedExecutor
from poise.serve.engine.circuit_breaker import CircuitBreaker
from poise.serve.engine.impression_log import EVERY, Impressions, count_eligible, make_impression
from poise.serve.engine.slate_cache import CachedSlate
from poise.serve.errors import InvalidRequestError, NotFoundError, OverloadedError
from poise.serve.schema.messages import HistoryEvent, ItemOut, ReasonOut, RecommendationIn, SlateOut, Stage
from poise.serve.schema.timestamps import milliseconds
from poise.serve.state.serving_model import RankedItems, RankingRequest, ServingModel, rank_batch
from poise.serve.state.serving_state import ServingState
from poise.serve.state.user_histories import History
from poise.serve.telemetry.metrics import ServerMetrics
from poise.slates import Reason
from poise.store.errors import StoreError
from poise.store.records import Event, Impression
from poise.types import Mask
from poise.wording import verb

Given = ParamSpec("Given")
Found = TypeVar("Found")

CACHED = 50_000  # people whose last slate is kept
READERS = 4  # threads that ask the store
READ_WITHIN = 5.0  # seconds, for what has no simpler answer
EXPLAINED_WITHIN = 2.0  # seconds
NOBODY = History.of([], Vocabulary([]), {})
_NO_ITEMS = np.empty(0, dtype=np.int32)


def _request_ids() -> Iterator[str]:
    """Yield ids that nobody can guess; the system is asked for many at once, as each question takes long."""
    while True:
        drawn = os.urandom(12 * 256).hex()
        yield from (drawn[at : at + 24] for at in range(0, len(drawn), 24))


_REQUEST_IDS = _request_ids()


class Engine:
    """Answers requests for one project, by the best stage that is up to it: ranker, retrieval, popular, cached.

    Args:
        live: the state that follows the store.
        options: of serving.
        measures: where to count.
        shared: whether other processes write to the same store, so that each request has to look.
    """

    def __init__(self, live: ServingState, options: ServeTable, measures: ServerMetrics, *, shared: bool) -> None:
        self.state, self.options, self.metrics, self.shared = live, options, measures, shared
        self.ranker: Batcher[RankingRequest, RankedItems] = Batcher(
            self._rank, most=options.batch, queue=options.queue, budget=options.budget, threads=options.threads
        )
        self._retrieving, self._explaining = BoundedExecutor("retrieval"), BoundedExecutor("explaining")
        self._reading = BoundedExecutor("reading", READERS)
        self.impressions = Impressions(live.store, measures)
        self._slates: OrderedDict[str, CachedSlate] = OrderedDict()
        self.breaker = CircuitBreaker(live.clock.monotonic)
        self._rng = np.random.default_rng()
        live.when_erased.append(self._slates.clear)
        self._warm_up()

    async def recommend(
        self, asked: RecommendationIn, served: ServingModel | None = None, seconds: dict[str, float] | None = None
    ) -> SlateOut:
        """Return what to show.

        Args:
            asked: who asks, and of what.
            served: the run to ask; None for the one that is served.
            seconds: is told how long the ``answer`` took, and then its ``reasons``.

        Raises:
            InvalidRequestError: it names both a user and a history, or a column that is not there.
            NotFoundError: there is no such first page.
            OverloadedError: too many requests wait.
        """
        if asked.user_id is not None and asked.history is not None:
            raise InvalidRequestError("give either user_id or history, not both")
        start = time.perf_counter()
        if self.shared:
            await self._try_to_follow()
        served = served or self.state.serving_model
        now = self.state.clock.milliseconds()
        allowed = self._allowed(served, asked)
        history = await self._history(served, asked, now)
        pages = await self._shown_before(asked)
        again = pages.pop() if pages and pages[-1].offset == asked.offset else None
        shown = [item for page in pages for item in page.items][: asked.offset]
        index = served.catalogue.item_ids.index
        exclude = index([*asked.exclude, *shown]) if asked.exclude or shown else np.empty(0, dtype=np.int32)
        context = dict(asked.context or {})
        if asked.scenario is not None:
            context.setdefault("scenario", asked.scenario)
        one = RankingRequest(history, asked.k, now, allowed, exclude[exclude > 0], served, context)
        if again is None:
            stage, ranked, probabilities = await self._answer(one, asked.user_id)
        else:
            stage, ranked, probabilities = _as_before(one, again)
        answered = time.perf_counter()
        reasons = await self._explain(one, stage, ranked, probabilities) if asked.explain else None
        if seconds is not None:
            seconds.update(answer=answered - start, reasons=time.perf_counter() - answered)
        request_id = asked.request_id if asked.offset and asked.request_id else next(_REQUEST_IDS)
        items = self._items(one, ranked, probabilities, reasons)
        slate = SlateOut(request_id, served.name, served.model, stage, items)
        self.metrics.slates_by[stage].inc()
        if again is None:
            self._log(slate, asked, one)
        return slate

    async def _answer(self, one: RankingRequest, user_id: str | None) -> tuple[Stage, RankedItems, Sequence[float]]:
        if not len(one.history.items) and not one.history.user:  # nothing is known that a model goes by
            return self._simple(one, user_id)
        kept = self._slates.get(user_id) if user_id is not None else None
        if kept is not None and kept.answers(one, self.state.clock.monotonic()):
            self.metrics.slate_cache_hits.inc()
            return "ranker", kept.ranked, [1.0] * len(kept.ranked.items)
        stages: tuple[tuple[Stage, Any], ...] = (("ranker", self._ask_ranker), ("retrieval", self._ask_retriever))
        for stage, ask in stages:
            if self.breaker.is_open(stage):
                self.metrics.fallbacks.labels(stage, "resting").inc()
                continue
            start = time.perf_counter()
            try:
                ranked = await ask(one)
            except OverloadedError:
                raise
            except (TooSlowError, TimeoutError):
                self._note_failure(stage, "slow")
            except Exception as error:  # whatever a model does, there is an answer
                self._note_failure(stage, type(error).__name__)
            else:
                self.metrics.seconds_of(stage, start)
                self.breaker.note_success(stage)
                if len(ranked.items):
                    self._remember(user_id, one, stage, ranked)
                    return stage, ranked, [1.0] * len(ranked.items)
                break  # nothing is left that may be shown
        return self._simple(one, user_id)

    async def _ask_ranker(self, one: RankingRequest) -> RankedItems:
        return await self.ranker.ask(one)

    async def _ask_retriever(self, one: RankingRequest) -> RankedItems:
        model = one.serving_model.retriever
        if model is None:
            raise TooSlowError
        return await self._retrieving.run(self.options.budget, _first, one, model)

    def _simple(self, one: RankingRequest, user_id: str | None) -> tuple[Stage, RankedItems, Sequence[float]]:
        """Return what is popular, or, where even that cannot be told, what was last shown."""
        try:
            return self._popular(one)
        except Exception as error:
            self._note_failure("popular", type(error).__name__)
        last = self._slates.get(user_id or "") or self._slates.get("")
        if last is None or last.run != one.serving_model.name:  # whose items have other indices
            return "cached", RankedItems(_NO_ITEMS, _NO_ITEMS.astype(np.float32)), []
        kept = last.ranked
        real = one.allowed[kept.items] & ~np.isin(kept.items, one.exclude)
        items, scores = kept.items[real][: one.k], kept.scores[real][: one.k]
        return "cached", RankedItems(items, scores), [1.0] * len(items)

    def _remember(self, user_id: str | None, one: RankingRequest, stage: Stage, ranked: RankedItems) -> None:
        """Keep the last slate of a person, and under no name the last one of all."""
        for name in {user_id or "", ""}:
            self._slates[name] = CachedSlate.of(one, stage, ranked, self.state.clock.monotonic())
            self._slates.move_to_end(name)
        while len(self._slates) > CACHED:
            self._slates.popitem(last=False)

    def _popular(self, one: RankingRequest) -> tuple[Stage, RankedItems, Sequence[float]]:
        start = time.perf_counter()
        allowed = one.allowed.copy()
        allowed[one.exclude] = False
        if one.serving_model.hide_seen:
            allowed[one.history.items] = False
        scores = self.state.popularity.scores(one.serving_model.catalogue.item_ids)
        items, values, chances = popular_and_drawn(scores, allowed, one.k, self.options.exploration_rate, self._rng)
        self.metrics.seconds_of("popular", start)
        return "popular", RankedItems(items, values), chances.tolist()

    def _rank(self, asked: Sequence[RankingRequest]) -> Sequence[RankedItems]:
        self.metrics.batch.observe(len(asked))
        return rank_batch(asked)

    async def _explain(
        self, one: RankingRequest, stage: Stage, ranked: RankedItems, probabilities: Sequence[float]
    ) -> list[list[Reason]]:
        """Return why each item is there, or nothing where that takes too long."""
        if stage in ("popular", "cached"):
            return [_why_popular(chance) if stage == "popular" else [] for chance in probabilities]
        served = one.serving_model
        model = served.pipeline if stage == "ranker" else served.retriever
        assert model is not None
        start = time.perf_counter()
        try:
            return await self._explaining.run(EXPLAINED_WITHIN, served.explain, one, ranked.items, model)
        except Exception as error:
            self.metrics.fallbacks.labels("explanation", type(error).__name__).inc()
            return [[] for _ in probabilities]
        finally:
            self.metrics.seconds_of("explanation", start)

    def _items(
        self, one: RankingRequest, ranked: RankedItems, probabilities: Sequence[float], why: list[list[Reason]] | None
    ) -> list[ItemOut]:
        catalogue = one.serving_model.catalogue
        titles, shown = catalogue.titles, ranked.items.tolist()
        ids = [catalogue.ids[item] for item in shown]
        if why is None:
            return [
                ItemOut(item_id, titles[item], round(score, 6), probability)
                for item_id, item, score, probability in zip(
                    ids, shown, ranked.scores.tolist(), probabilities, strict=True
                )
            ]
        said = self._verbs(one)
        return [
            ItemOut(
                item_id,
                titles[item],
                round(score, 6),
                probability,
                [ReasonOut(reason.kind, round(reason.share, 4), reason.text(titles, said)) for reason in reasons],
            )
            for item_id, item, score, probability, reasons in zip(
                ids, shown, ranked.scores.tolist(), probabilities, why, strict=True
            )
        ]

    def _verbs(self, one: RankingRequest) -> dict[int, str]:
        history = one.history
        return {
            item: verb(name, value, one.serving_model.liked_from)
            for item, name, value in zip(history.items.tolist(), history.names, history.values.tolist(), strict=True)
        }

    def _allowed(self, served: ServingModel, asked: RecommendationIn) -> Mask:
        allowed = served.catalogue.select(asked.filters)
        if asked.candidates is None:
            return allowed
        wanted = np.zeros(len(allowed), dtype=np.bool_)
        wanted[served.catalogue.item_ids.index(asked.candidates)] = True
        return allowed & wanted

    async def _history(self, served: ServingModel, asked: RecommendationIn, now: int) -> History:
        if asked.history is not None:
            events = [_event(one, now) for one in asked.history]
            return History.of(events, served.catalogue.item_ids, served.behaviours)
        if asked.user_id is None:
            return NOBODY
        people, item_ids = self.state.user_histories, served.catalogue.item_ids
        known = people.known(asked.user_id, item_ids)
        if known is not None:
            return known
        try:
            return await self._reading.run(
                self.options.budget,
                people.history,
                asked.user_id,
                item_ids,
                served.behaviours,
                reads_users=served.pipeline.reads_users,
            )
        except (PoiseError, TimeoutError) as error:
            self.metrics.fallbacks.labels("store", type(error).__name__).inc()
            return NOBODY

    async def read(self, question: Callable[Given, Found], *arguments: Given.args, **options: Given.kwargs) -> Found:
        """Ask the store something, in a thread, but not for ever.

        Raises:
            StoreError: it cannot be read, or takes too long.
        """
        try:
            return await self._reading.run(READ_WITHIN, question, *arguments, **options)
        except TimeoutError:
            raise StoreError("the store takes too long to answer: try again") from None

    async def pages(self, request_id: str) -> list[Impression]:
        """Return what was answered to a request; another process may have answered it, and not have written it yet."""
        await self.impressions.flush()
        for wait in (0.0, 2 * EVERY):
            await asyncio.sleep(wait)
            if found := await self.read(self.state.store.impressions, request_id):
                return found
        return []

    async def _shown_before(self, asked: RecommendationIn) -> list[Impression]:
        """Return the pages before, and the page itself if it was asked for before."""
        if not asked.offset:
            return []
        if asked.request_id is None:
            raise InvalidRequestError(
                "offset goes with the request_id of the first page, so that no item is shown twice"
            )
        pages = await self.pages(asked.request_id)
        if not pages or pages[0].user_id != asked.user_id:
            raise NotFoundError(f"there is no request {asked.request_id!r} of this user: ask for the first page first")
        return [page for page in pages if page.offset <= asked.offset]

    def _log(self, slate: SlateOut, asked: RecommendationIn, one: RankingRequest) -> None:
        seen = one.history.items if one.served.hide_seen else _NO_ITEMS
        self.impressions.add(
            make_impression(
                slate,
                asked,
                time=one.time,
                sources=[slate.stage] * len(slate.items),
                n_eligible=count_eligible(one.allowed, one.exclude, seen),
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
        served = self.state.serving_model
        n = min(len(served.base.item_ids), 50)
        items = np.arange(1, n + 1, dtype=np.int32)
        zeros = np.zeros(n)
        history = History(items, np.ones(n, np.uint8), zeros.astype(np.float32), zeros.astype(np.int64), ["view"] * n)
        one = RankingRequest(history, 1, 0, served.catalogue.available, _NO_ITEMS, served)
        rank_batch([one])
        if served.retriever is not None:
            served.rank([one], served.retriever)

    async def close(self) -> None:
        """Stop the threads."""
        await self.ranker.close()
        for aside in (self._retrieving, self._explaining, self._reading):
            aside.close()


def _as_before(one: RankingRequest, page: Impression) -> tuple[Stage, RankedItems, Sequence[float]]:
    """Return a page that was asked for before, whose answer may have been lost, as far as it may still be shown."""
    items = one.serving_model.catalogue.item_ids.index(page.items)
    real = one.allowed[items] & ~np.isin(items, one.exclude)
    ranked = RankedItems(items[real], np.asarray(page.scores, dtype=np.float32)[real])
    return cast(Stage, page.stage), ranked, np.asarray(page.probabilities)[real].tolist()


def _why_popular(chance: float) -> list[Reason]:
    return [Reason("popular" if chance == 1 else "random")]


def _first(one: RankingRequest, model: Recommender) -> RankedItems:
    return one.serving_model.rank([one], model)[0]


def _event(one: str | HistoryEvent, now: int) -> Event:
    if isinstance(one, str):
        return Event(user_id="", item_id=one, behaviour="view", value=None, time=now)
    moment = milliseconds(one.timestamp, now)
    return Event(user_id="", item_id=one.item_id, behaviour=one.behaviour, value=one.value, time=moment)
