"""A project at work: its store, its state, its engine and its keys; nothing of it is shared with another project."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from poise.config import ServeTable
from poise.errors import PoiseError
from poise.project.project import Project
from poise.serve.access import Access
from poise.serve.engine import Engine
from poise.serve.live import Live
from poise.serve.measures import Measures
from poise.store.store import Store


@dataclass
class Tenant:
    """All that belongs to one project.

    Attributes:
        project: its folder.
        options: of serving.
        store: its log.
        live: its state.
        engine: that answers.
        access: its keys.
        measures: what it counts.
    """

    project: Project
    options: ServeTable
    store: Store
    live: Live
    engine: Engine
    access: Access
    measures: Measures
    _encoded: int = 0

    @classmethod
    def open(cls, project: Project, store: Store, *, run: str | None = None, is_open: bool, shared: bool) -> Tenant:
        """Load a project's run and state. Takes its time: call it in a thread.

        Raises:
            PoiseError: it cannot be served.
        """
        options = project.config.serve
        live = Live(project, store, options, run)
        measures = Measures()
        return cls(
            project,
            options,
            store,
            live,
            Engine(live, options, measures, shared=shared),
            Access(store, is_open=is_open, rate=options.rate),
            measures,
        )

    async def keep_up(self, every: float) -> None:
        """Follow the store for ever, for what other processes write, and encode what is new."""
        while True:
            try:
                await self.live.follow()
                await self.encode_new(None)
            except PoiseError as error:
                self.project.say(f"the store or the encoder fails: {error}")
            await asyncio.sleep(every)

    async def encode_new(self, most: float | None) -> None:
        """Encode new items; wait for it ``most`` seconds at most, and let it go on then.

        Raises:
            PoiseError: the encoder cannot be had.
        """
        if self.live.news == self._encoded:
            return
        news = self.live.news
        at_work = asyncio.ensure_future(asyncio.to_thread(self.live.encode_new))
        done, _ = await asyncio.wait([at_work], timeout=most)
        if done:
            at_work.result()
            self._encoded = max(self._encoded, news)

    def note_state(self) -> None:
        """Bring the gauges up to date."""
        measures, live = self.measures, self.live
        measures.waiting.set(len(self.engine.ranker))
        measures.lag.set(self.store.pending)
        measures.items.set(int(live.served.catalogue.available.sum()))
        if live.newest_event:
            measures.freshness.set(max(0.0, time.time() - live.newest_event / 1000))

    def close(self) -> None:
        """Write what waits to be written, and let go."""
        self.engine.close()
        self.store.close()
