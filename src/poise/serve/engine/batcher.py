"""Requests that come at the same time are scored together, in threads of their own; none waits longer than allowed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from poise.serve.errors import OverloadedError, UnavailableError

GATHERED = 0.02  # seconds, at most
TRIED_AGAIN = 32  # batches
CLOSED_WITHIN = 5.0  # seconds that the batches at work are waited for at the end
Request = TypeVar("Request")
Result = TypeVar("Result")


class TooSlowError(Exception):
    """There was no answer within the time allowed."""


@dataclass(slots=True)
class _WaitingRequest(Generic[Request, Result]):
    request: Request
    future: asyncio.Future[Result]
    timer: asyncio.TimerHandle


class Batcher(Generic[Request, Result]):
    """Gathers the requests that come while the last batch is at work into the next batch.

    A small batch takes most of the time of a large one. So where a few clients ask again as soon as they are answered,
    the next batch waits for as many requests as there were, but no longer than the last batch took, nor than
    ``GATHERED``. Otherwise half of them would always wait while the other half is scored. Where that many do not come
    in time, as when each request is of another client, the wait is halved again and again until it is nothing, and
    tried again now and then.

    Args:
        work: answers a batch, in order; called in the threads.
        most: requests in a batch, at most.
        queue: requests that may wait; beyond, they are refused at once.
        budget: seconds after which a request is given up.
        threads: batches that are worked on at the same time.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Request]], Sequence[Result]],
        *,
        most: int,
        queue: int,
        budget: float,
        threads: int,
    ) -> None:
        self.work, self.most, self.queue, self.budget, self.threads = work, most, queue, budget, threads
        self._waiting: deque[_WaitingRequest[Request, Result]] = deque()
        self._begun: dict[int, float] = {}  # when each batch that is at work was begun
        self._number = 0
        self._awaited = 0  # requests, before which the next batch does not begin unless its time comes
        self._patience = 1.0  # how much of the time that the last batch took may be waited
        self._due: asyncio.Handle | None = None
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="scoring")
        self._all_done: asyncio.Event | None = None  # once it is being closed

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def stuck(self) -> bool:
        """Whether all threads have been at a batch for longer than a request may take."""
        full = len(self._begun) >= self.threads
        return full and time.monotonic() - max(self._begun.values()) > self.budget

    async def ask(self, request: Request) -> Result:
        """Return the answer.

        Raises:
            OverloadedError: too many wait already.
            TooSlowError: it took too long, or a batch before it does.
            UnavailableError: it is being closed.
            Exception: what went wrong in the work on its batch.
        """
        if self._all_done is not None:
            raise _stopping()
        if self.stuck:
            raise TooSlowError
        if len(self._waiting) >= self.queue:
            raise OverloadedError("more requests wait than there is room for; try again")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        timer = loop.call_later(self.budget, _give_up, future)
        self._waiting.append(_WaitingRequest(request, future, timer))
        if len(self._begun) < self.threads and len(self._waiting) >= self._awaited:
            self._begin_in(0, loop)  # what is read in the same breath goes into the same batch
        return await future

    async def close(self) -> None:
        """Take no further request, refuse those that wait, and let the batches at work end, if they do soon."""
        self._all_done = asyncio.Event()
        if self._due is not None:
            self._due.cancel()
        while self._waiting:
            waiting = self._waiting.popleft()
            waiting.timer.cancel()
            if not waiting.future.done():
                waiting.future.set_exception(_stopping())
        self._executor.shutdown(wait=False)
        if self._begun:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_done.wait(), CLOSED_WITHIN)

    def _begin_in(self, seconds: float, loop: asyncio.AbstractEventLoop) -> None:
        if self._due is not None:
            self._due.cancel()
        self._due = loop.call_later(seconds, self._begin, loop) if seconds else loop.call_soon(self._begin, loop)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._awaited:
            came = len(self._waiting) >= self._awaited
            again = not self._number % TRIED_AGAIN
            self._patience = 1.0 if came or again else self._patience / 2
        self._due, self._awaited = None, 0
        if len(self._begun) >= self.threads:
            return
        batch: list[_WaitingRequest[Request, Result]] = []
        while self._waiting and len(batch) < self.most:
            waiting = self._waiting.popleft()
            if not waiting.future.done():  # given up, or its caller has gone
                batch.append(waiting)
            else:
                waiting.timer.cancel()
        if not batch:
            return
        self._number += 1
        number = self._number
        self._begun[number] = time.monotonic()
        at_work = self._executor.submit(self.work, [waiting.request for waiting in batch])

        def hand_over(done: Future[Sequence[Result]]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._answer, loop, number, batch, done)

        at_work.add_done_callback(hand_over)

    def _answer(
        self,
        loop: asyncio.AbstractEventLoop,
        number: int,
        batch: list[_WaitingRequest[Request, Result]],
        done: Future[Sequence[Result]],
    ) -> None:
        took = time.monotonic() - self._begun.pop(number)
        if self._all_done is None:
            self._awaited = min(len(batch) + len(self._waiting), self.most)
            self._begin_in(min(took * self._patience, GATHERED) if len(self._waiting) < self._awaited else 0, loop)
        elif not self._begun:
            self._all_done.set()
        error = done.exception()
        for place, waiting in enumerate(batch):
            waiting.timer.cancel()
            if waiting.future.done():
                continue
            if error is not None:
                waiting.future.set_exception(error)
            else:
                waiting.future.set_result(done.result()[place])


def _stopping() -> UnavailableError:
    return UnavailableError("the server is stopping; try again")


def _give_up(future: asyncio.Future[Result]) -> None:
    if not future.done():
        future.set_exception(TooSlowError())
