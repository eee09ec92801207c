"""A project at work: its store, its state, its engine and its keys; nothing of it is shared with another project."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

from poise.config import ServeTable
from poise.durations import DAY
from poise.errors import PoiseError
from poise.project.project import Project
from poise.serve.auth import KeyAuth
from poise.serve.clock import SYSTEM_CLOCK, Clock
from poise.serve.engine.bounded_executor import BoundedExecutor
from poise.serve.engine.engine import Engine
from poise.serve.state.serving_state import ServingState
from poise.serve.state.store_writes import settled
from poise.serve.telemetry.logs import log_error
from poise.serve.telemetry.metrics import ServerMetrics
from poise.store.store import Store

CAUGHT_UP_WITHIN = 2.0  # seconds that an answer to what was written waits for the next request to know it


@dataclass
class Tenant:
    """All that belongs to one project.

    Attributes:
        project: its folder.
        options: of serving.
        store: its log.
        state: its state.
        engine: that answers.
        auth: its keys.
        metrics: what it counts.
        clock: what the time is.
        searching: the threads that encode what is searched for.
    """

    project: Project
    options: ServeTable
    store: Store
    state: ServingState
    engine: Engine
    auth: KeyAuth
    metrics: ServerMetrics
    clock: Clock
    searching: BoundedExecutor = field(default_factory=lambda: BoundedExecutor("searching", 2))
    _encoding: BoundedExecutor = field(default_factory=lambda: BoundedExecutor("encoding"))
    _at_work: asyncio.Task[None] | None = None
    _encoded: int = 0

    @classmethod
    def open(
        cls,
        project: Project,
        store: Store,
        *,
        run: str | None = None,
        is_open: bool,
        shared: bool,
        clock: Clock = SYSTEM_CLOCK,
    ) -> Tenant:
        """Load a project's run and state. It is slow: call it in a thread.

        Args:
            project: to serve.
            store: its log.
            run: the name of the run to serve; None for the promoted or the latest one.
            is_open: whether no key is needed.
            shared: whether other processes write to the same store.
            clock: what the time is.

        Raises:
            PoiseError: it cannot be served.
        """
        options = project.config.serve
        state = ServingState(project, store, options, run, clock)
        metrics = ServerMetrics()
        return cls(
            project,
            options,
            store,
            state,
            Engine(state, options, metrics, shared=shared),
            KeyAuth(store, is_open=is_open, rate=options.rate, origins=options.origins, clock=clock),
            metrics,
            clock,
        )

    async def keep_up(self, every: float) -> None:
        """Follow the store for ever, for what other processes write, and encode what is new."""
        fails = False
        while True:
            try:
                await self.state.follow()
                await self.encode_new(None)
                if fails:
                    self.project.say("the store and the encoder are back")
                fails = False
            except PoiseError as error:
                if not fails:
                    self.project.say(f"the store or the encoder fails: {error}")
                fails = True
            except Exception as error:  # one failure does not end the following
                log_error(error)
            await asyncio.sleep(every)

    async def catch_up(self) -> None:
        """Take in what was just written. If the store cannot be read now, it is taken in later."""
        try:
            async with asyncio.timeout(CAUGHT_UP_WITHIN):
                await self.state.follow()
        except Exception as error:
            self.metrics.fallbacks.labels("store", type(error).__name__).inc()
            if not isinstance(error, PoiseError | TimeoutError):
                log_error(error)

    async def forget_impressions(self, every: float, look: float) -> None:
        """Delete what was shown too long ago, for ever: after each ``every`` seconds of the clock.

        Args:
            every: seconds of the clock, which may be a simulated one.
            look: real seconds after which the clock is looked at again.
        """
        done = self.clock.monotonic()
        while True:
            await asyncio.sleep(look)
            if self.clock.monotonic() - done < every:
                continue
            done = self.clock.monotonic()
            before = int(self.clock.milliseconds() - self.options.impression_retention_days * DAY)
            with contextlib.suppress(PoiseError):  # the store is away: the next time
                while await settled(self.store.forget_impressions(before)):
                    await asyncio.sleep(0.1)

    async def prepare_search(self, every: float) -> None:
        """Encode the catalogue for semantic search, and again for each run that comes to be served, for ever."""
        prepared = None
        if not self.state.counted:
            try:
                await asyncio.to_thread(self.state.count)
            except Exception as error:  # what is popular is by the run, then
                log_error(error)
        while True:
            item_search = self.state.serving_model.item_search
            if item_search is not prepared:
                prepared = item_search
                try:
                    await asyncio.to_thread(self.state.encode_all)
                except PoiseError as error:
                    self.project.say(f"searching by words alone: {error}")
                except Exception as error:
                    log_error(error)
            await asyncio.sleep(every)

    async def encode_new(self, most: float | None) -> None:
        """Encode new items; wait for it ``most`` seconds at most, and let it go on then.

        Raises:
            PoiseError: the encoder cannot be had.
        """
        if self.state.news == self._encoded:
            return
        if self._at_work is None or self._at_work.done():
            self._at_work = asyncio.ensure_future(self._encode())
        done, _ = await asyncio.wait([self._at_work], timeout=most)
        if done:
            self._at_work.result()

    async def _encode(self) -> None:
        while self._encoded != self.state.news:
            news = self.state.news
            await self._encoding.run(None, self.state.encode_new)
            self._encoded = news

    def note_state(self) -> None:
        """Bring the gauges up to date."""
        metrics, state = self.metrics, self.state
        metrics.waiting.set(len(self.engine.ranker))
        metrics.lag.set(self.store.pending)
        metrics.items.set(int(state.serving_model.catalogue.available.sum()))
        if state.newest_event:
            metrics.freshness.set(max(0.0, self.clock.time() - state.newest_event / 1000))

    async def close(self) -> None:
        """Write what waits to be written, and let go."""
        await self.engine.close()
        await self.engine.impressions.close()
        for executor in (self.searching, self._encoding):
            executor.close()
        await asyncio.to_thread(self.store.close)
