"""Requests that come at the same time are scored together, in a thread of their own; none waits longer than allowed."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from poise.serve.problems import TooManyError

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class TooSlowError(Exception):
    """There was no answer within the time allowed."""


@dataclass(slots=True)
class _Waiting(Generic[Asked, Answer]):
    asked: Asked
    future: asyncio.Future[Answer]
    timer: asyncio.TimerHandle


class Batcher(Generic[Asked, Answer]):
    """Gathers what is asked while the last batch is at work, and works on it as the next.

    Args:
        work: answers a batch, in order; called in a thread, one batch after the other.
        most: requests in a batch, at most.
        queue: requests that may wait; beyond, they are refused at once.
        budget: seconds after which a request is given up.
    """

    def __init__(
        self, work: Callable[[Sequence[Asked]], Sequence[Answer]], *, most: int, queue: int, budget: float
    ) -> None:
        self.work, self.most, self.queue, self.budget = work, most, queue, budget
        self._waiting: deque[_Waiting[Asked, Answer]] = deque()
        self._busy_since: float | None = None
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="scoring")

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def stuck(self) -> bool:
        """Whether a batch has been at work for longer than a request may take."""
        return self._busy_since is not None and time.monotonic() - self._busy_since > self.budget

    async def ask(self, asked: Asked) -> Answer:
        """Return the answer.

        Raises:
            TooManyError: too many wait already.
            TooSlowError: it took too long, or a batch before it does.
            Exception: whatever went wrong in the work on its batch.
        """
        if self.stuck:
            raise TooSlowError
        if len(self._waiting) >= self.queue:
            raise TooManyError("more requests wait than there is room for; try again", headers={"Retry-After": "1"})
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        timer = loop.call_later(self.budget, _give_up, future)
        self._waiting.append(_Waiting(asked, future, timer))
        if self._busy_since is None:
            self._next(loop)
        return await future

    def close(self) -> None:
        """Let the batch at work end, and take no further one."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        batch: list[_Waiting[Asked, Answer]] = []
        while self._waiting and len(batch) < self.most:
            one = self._waiting.popleft()
            if not one.future.done():  # given up, or its caller has gone
                batch.append(one)
            else:
                one.timer.cancel()
        if not batch:
            self._busy_since = None
            return
        self._busy_since = time.monotonic()
        at_work = self._executor.submit(self.work, [one.asked for one in batch])
        at_work.add_done_callback(lambda done: loop.call_soon_threadsafe(self._answer, loop, batch, done))

    def _answer(self, loop: asyncio.AbstractEventLoop, batch: list[_Waiting[Asked, Answer]], done: object) -> None:
        from concurrent.futures import Future

        assert isinstance(done, Future)
        self._busy_since = None
        self._next(loop)  # the next batch is at work while this one's answers are written
        error = done.exception()
        answers = [None] * len(batch) if error is not None else done.result()
        for one, answer in zip(batch, answers, strict=True):
            one.timer.cancel()
            if one.future.done():
                continue
            if error is not None:
                one.future.set_exception(error)
            else:
                one.future.set_result(answer)


def _give_up(future: asyncio.Future[Answer]) -> None:
    if not future.done():
        future.set_exception(TooSlowError())
