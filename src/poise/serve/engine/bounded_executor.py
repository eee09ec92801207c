"""Work that may hang is done by threads of its own, so that nothing else waits for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


class BoundedExecutor:
    """A few threads for one kind of work. Nobody waits longer than allowed, nor at all while every thread is stuck.

    Args:
        name: of the threads.
        threads: how many.
    """

    def __init__(self, name: str, threads: int = 1) -> None:
        self.threads = threads
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._begun: dict[object, float] = {}  # when each job that a thread works on was begun

    async def run(
        self, within: float | None, work: Callable[Given, Answer], *arguments: Given.args, **options: Given.kwargs
    ) -> Answer:
        """Return what ``work`` returns; without ``within`` however long it takes.

        Raises:
            TimeoutError: it takes longer than ``within`` seconds, or what all the threads do has.
            Exception: what went wrong in it.
        """
        begun = list(self._begun.values())
        if within is not None and len(begun) >= self.threads and time.monotonic() - max(begun) > within:
            raise TimeoutError
        loop = asyncio.get_running_loop()
        at_work = loop.run_in_executor(self._executor, lambda: self._do(work, *arguments, **options))
        return await asyncio.wait_for(at_work, within)

    def close(self) -> None:
        """Take no further work."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _do(self, work: Callable[Given, Answer], *arguments: Given.args, **options: Given.kwargs) -> Answer:
        job = object()
        self._begun[job] = time.monotonic()
        try:
            return work(*arguments, **options)
        finally:
            del self._begun[job]
