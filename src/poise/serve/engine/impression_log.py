"""What was shown goes into the store, many rows at once: a commit for each answer would cost more than the answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import numpy as np

from poise.errors import PoiseError
from poise.serve.state.store_writes import settled
from poise.serve.telemetry.metrics import ServerMetrics
from poise.store import Store
from poise.store.records import Impression
from poise.types import Indices, Mask
from poise_client.schema.recommendations import RecommendationRequest, Slate

EVERY = 0.05  # seconds; a longer pause makes more to write at once, and requests wait meanwhile
AT_ONCE = 1_000
MOST = 50_000  # that wait while the store does not take them; beyond, they are lost, and counted


def make_impression(
    slate: Slate,
    body: RecommendationRequest,
    *,
    time: int,
    sources: Sequence[str],
    n_eligible: int,
    policy_version: str = "",
) -> Impression:
    """Return the record of an answer.

    Args:
        slate: what is shown.
        body: the request as it came.
        time: when, in milliseconds since 1970.
        sources: the retriever or the stage that brought each item of the slate.
        n_eligible: how many items could have been shown.
        policy_version: a short hash of the policy's options.
    """
    return Impression(
        request_id=slate.request_id,
        offset=body.offset,
        user_id=body.user_id,
        time=time,
        scenario=body.scenario,
        run=slate.run,
        stage=slate.stage,
        items=[item.item_id for item in slate.items],
        scores=[item.score for item in slate.items],
        probabilities=[item.probability for item in slate.items],
        sources=list(sources),
        policy_version=policy_version,
        context=body.context or None,
        filters=body.filters or None,
        n_eligible=n_eligible,
    )


def count_eligible(allowed: Mask, *left_out: Indices) -> int:
    """Return how many items may be shown.

    Args:
        allowed: bool ``[n_items + 1]``, which items the catalogue and the request let through.
        left_out: items that may not be shown besides, in any order, with repetitions.
    """
    rest = np.concatenate(left_out)
    return int(np.count_nonzero(allowed)) - len(set(rest[allowed[rest]].tolist()))


class Impressions:
    """Gathers impressions, and writes them a few times a second.

    Args:
        store: where to write.
        metrics: where to count what is lost.
    """

    def __init__(self, store: Store, metrics: ServerMetrics) -> None:
        self.store, self.metrics = store, metrics
        self._waiting: list[Impression] = []
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def add(self, impression: Impression) -> None:
        """Take one in, to be written in a moment."""
        if len(self._waiting) >= MOST:
            self.metrics.unlogged.inc()
            return
        self._waiting.append(impression)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY, self._start)

    async def flush(self) -> None:
        """Return when all that was taken in is written, or lost."""
        if self._writing is not None:
            await asyncio.wait([self._writing])
        self._start()
        if self._writing is not None:
            await asyncio.wait([self._writing])

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting and (self._writing is None or self._writing.done()):
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            try:
                await settled(self.store.add_impressions(batch))
            except PoiseError:
                self.metrics.unlogged.inc(len(batch))

    async def close(self) -> None:
        """Write what waits."""
        with contextlib.suppress(PoiseError):
            await self.flush()
