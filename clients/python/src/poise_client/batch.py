"""Events that are collected and sent together: after so many, after so long, and at the end."""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Any

import msgspec

from poise_client.calls import AT_ONCE, Calls, event_row
from poise_client.errors import PoiseClientError, UsageError
from poise_client.retry import Steps
from poise_client.schema.batches import Accepted
from poise_client.schema.events import Event

LOG = logging.getLogger("poise_client")
REFUSED_KEPT = 1_000
Deliver = Callable[[], Steps[None]]


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """An event that the server did not take, and why."""

    event: Event
    reason: str


class Collected:
    """The events of a sender that wait, and what became of the others. Events are taken off when the server has them.

    Args:
        calls: how they are sent.
        size: how many are sent together.
        seconds: how long one waits for others.
        most: how many may wait; beyond, adding one is an error.

    Attributes:
        accepted: how many the server has taken.
        duplicates: how many it had already.
        refused: how many it has not taken.
        refusals: the first thousand of them, with the reasons.
    """

    def __init__(self, calls: Calls, size: int, seconds: float, most: int) -> None:
        if size < 1 or seconds <= 0 or most < size:
            raise UsageError("a batch needs a size of 1 or more, seconds above 0, and room for at least its size")
        self.size, self.seconds, self.most = size, seconds, most
        self.accepted = self.duplicates = self.refused = 0
        self.refusals: list[RefusedEvent] = []
        self._calls = calls
        self._waiting: deque[tuple[Event, msgspec.Raw]] = deque()
        self._lock = threading.Lock()
        self._trouble: PoiseClientError | None = None
        self._closed = False

    @property
    def waiting(self) -> list[Event]:
        """The events that the server does not have yet, the oldest first."""
        with self._lock:
            return [event for event, _ in self._waiting]

    def __len__(self) -> int:
        return len(self._waiting)

    def _take_in(self, event: Event) -> None:
        row = event_row(event)
        with self._lock:
            if self._closed:
                raise UsageError("this batch is closed: make another one")
            if len(self._waiting) >= self.most:
                why = f" ({self._trouble})" if self._trouble else ""
                raise PoiseClientError(f"{self.most:,} events wait to be sent and there is no room for more{why}")
            self._waiting.append((event, row))

    def _deliver(self) -> Steps[None]:
        """Send all that waits now."""
        left = len(self._waiting)
        try:
            while left > 0:
                with self._lock:
                    part = list(islice(self._waiting, min(left, AT_ONCE)))
                answer = yield from self._calls.send_rows("/v1/events", "events", [row for _, row in part])
                self._settle(part, answer)
                left -= len(part)
        except PoiseClientError as error:
            self._trouble = error
            raise
        self._trouble = None

    def _settle(self, part: list[tuple[Event, msgspec.Raw]], answer: Accepted) -> None:
        with self._lock:
            for _ in part:
                self._waiting.popleft()
        self.accepted += answer.accepted
        self.duplicates += answer.duplicates
        self.refused += len(answer.refused)
        for one in answer.refused[: REFUSED_KEPT - len(self.refusals)]:
            self.refusals.append(RefusedEvent(part[one.index][0], one.reason))
        if answer.hint:
            LOG.warning("%s", answer.hint)
        if answer.refused:
            LOG.warning("the server refused %d events: %s", len(answer.refused), answer.refused[0].reason)

    def _put_off(self, error: PoiseClientError) -> None:
        LOG.warning("%d events wait and will be sent again: %s", len(self), error)

    def _undelivered(self, error: PoiseClientError) -> PoiseClientError:
        return PoiseClientError(f"{len(self):,} events were not sent and are kept in 'waiting': {error}")


class Batch(Collected):
    """Sends events from a thread of its own; made by :meth:`Client.batch`. May be used from many threads."""

    def __init__(self, run: Callable[[Steps[None]], None], calls: Calls, size: int, seconds: float, most: int) -> None:
        super().__init__(calls, size, seconds, most)
        self._run = run
        self._changed = threading.Condition()
        self._sending = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, event: Event) -> None:
        """Take in an event to be sent soon.

        Raises:
            UsageError: it is no event, or the batch is closed.
            PoiseClientError: too many wait already, as the server does not take them.
        """
        self._take_in(event)
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="poise-events", daemon=True)
                self._thread.start()
                atexit.register(self._at_exit)
            self._changed.notify()

    def flush(self) -> None:
        """Send all that waits, and return when the server has it.

        Raises:
            PoiseClientError: the server does not take it; it goes on waiting.
        """
        with self._sending:
            self._run(self._deliver())

    def close(self) -> None:
        """Send all that waits and take in no more.

        Raises:
            PoiseClientError: the server does not take it; ``waiting`` has what is left, and closing again tries again.
        """
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
            atexit.unregister(self._at_exit)
        try:
            self.flush()
        except PoiseClientError as error:
            raise self._undelivered(error) from error

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or len(self))
                self._changed.wait_for(lambda: self._closed or len(self) >= self.size, self.seconds)
                if self._closed:
                    return
            try:
                self.flush()
            except PoiseClientError as error:
                self._put_off(error)
                with self._changed:
                    self._changed.wait_for(lambda: self._closed, self.seconds)

    def _at_exit(self) -> None:
        try:
            self.close()
        except PoiseClientError as error:
            LOG.error("%s", error)

    def __enter__(self) -> Batch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncBatch(Collected):
    """Sends events from a task of its own; made by :meth:`AsyncClient.batch`."""

    def __init__(
        self,
        run: Callable[[Steps[None]], Coroutine[Any, Any, None]],
        calls: Calls,
        size: int,
        seconds: float,
        most: int,
    ) -> None:
        super().__init__(calls, size, seconds, most)
        self._run = run
        self._some, self._enough, self._closing = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._sending = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def add(self, event: Event) -> None:
        """Take in an event to be sent soon; see :meth:`Batch.add`."""
        self._take_in(event)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())
        self._some.set()
        if len(self) >= self.size:
            self._enough.set()

    async def flush(self) -> None:
        """Send all that waits, and return when the server has it; see :meth:`Batch.flush`."""
        async with self._sending:
            await self._run(self._deliver())

    async def close(self) -> None:
        """Send all that waits and take in no more; see :meth:`Batch.close`."""
        self._closed = True
        for event in (self._some, self._enough, self._closing):
            event.set()
        if self._task is not None:
            await self._task
        try:
            await self.flush()
        except PoiseClientError as error:
            raise self._undelivered(error) from error

    async def _work(self) -> None:
        while True:
            await self._some.wait()
            await _within(self.seconds, self._enough)
            if self._closed:
                return
            self._some.clear()
            self._enough.clear()
            try:
                await self.flush()
            except PoiseClientError as error:
                self._put_off(error)
                self._some.set()
                await _within(self.seconds, self._closing)

    async def __aenter__(self) -> AsyncBatch:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def _within(seconds: float, event: asyncio.Event) -> None:
    """Wait for ``event``, for so many seconds at most."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
