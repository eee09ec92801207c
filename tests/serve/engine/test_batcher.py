"""Requests that come at the same time are scored together."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence

import pytest

from poise.serve.engine import batcher as module
from poise.serve.engine.batcher import Batcher, TooSlowError
from poise.serve.errors import OverloadedError, UnavailableError


class Work:
    """Doubles numbers, slowly, and remembers how many at a time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.sizes: list[int] = []

    def __call__(self, requests: Sequence[int]) -> Sequence[int]:
        self.sizes.append(len(requests))
        time.sleep(self.seconds)
        if -1 in requests:
            raise ValueError("a model that fails")
        return [2 * number for number in requests]


def batcher(work: Work, *, most: int = 32, queue: int = 100, budget: float = 5.0) -> Batcher[int, int]:
    return Batcher(work, most=most, queue=queue, budget=budget, threads=1)


def test_clients_that_ask_again_at_once_share_a_batch() -> None:
    work = Work(0.02)

    async def main() -> None:
        scorer = batcher(work)

        async def client(number: int) -> None:
            await asyncio.sleep(0.005 * (number % 2))  # half of them come while the first batch is at work
            for turn in range(12):
                assert await scorer.ask(number + turn) == 2 * (number + turn)

        await asyncio.gather(*(client(number) for number in range(8)))
        await scorer.close()

    asyncio.run(main())
    assert sum(work.sizes) == 8 * 12
    assert sorted(work.sizes)[len(work.sizes) // 2] == 8  # and not four and four in turn


def test_the_wait_for_a_batch_shrinks_when_clients_do_not_return() -> None:
    work = Work(0.001)

    async def main() -> None:
        scorer = batcher(work)
        assert await asyncio.gather(*(scorer.ask(number) for number in range(10))) == [
            2 * number for number in range(10)
        ]
        async with asyncio.timeout(2):
            assert await scorer.ask(1) == 2
        await scorer.close()

    asyncio.run(main())
    assert work.sizes == [10, 1]


def test_an_exception_reaches_all_requests_of_its_batch_and_no_other() -> None:
    work = Work(0.001)

    async def main() -> None:
        scorer = batcher(work)
        answers = await asyncio.gather(*(scorer.ask(number) for number in (-1, 3)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [ValueError, ValueError]
        assert await scorer.ask(4) == 8
        await scorer.close()

    asyncio.run(main())


def test_a_full_queue_and_a_slow_batch_are_refused() -> None:
    work = Work(0.3)

    async def main() -> None:
        scorer = batcher(work, queue=2, budget=0.1, most=1)
        first = asyncio.create_task(scorer.ask(1))
        await asyncio.sleep(0.02)
        waiting = [asyncio.create_task(scorer.ask(2)), asyncio.create_task(scorer.ask(3))]
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await scorer.ask(4)
        for task in (first, *waiting):
            with pytest.raises(TooSlowError):
                await task
        with pytest.raises(TooSlowError):  # the thread is stuck
            await scorer.ask(5)
        await scorer.close()

    asyncio.run(main())


def test_an_event_loop_that_closes_while_a_batch_is_at_work_leaves_no_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun, gate, ended = threading.Event(), threading.Event(), threading.Event()

    def work(requests: Sequence[int]) -> Sequence[int]:
        begun.set()
        gate.wait(10)
        return requests

    async def main() -> None:
        scorer: Batcher[int, int] = Batcher(work, most=2, queue=2, budget=5.0, threads=1)
        _waiting.append(asyncio.create_task(scorer.ask(1)))
        await asyncio.to_thread(begun.wait, 10)
        scorer._executor.submit(ended.set)

    _waiting: list[asyncio.Task[int]] = []
    with caplog.at_level(logging.DEBUG, "concurrent.futures"):
        asyncio.run(main())
        gate.set()
        assert ended.wait(10)
    assert caplog.text == ""
    assert _waiting[0].cancelled()


def test_close_waits_for_the_running_batch_and_refuses_waiting_requests() -> None:
    work = Work(0.1)

    async def main() -> None:
        scorer = batcher(work, most=1)
        first = asyncio.create_task(scorer.ask(1))
        await asyncio.sleep(0.02)
        second = asyncio.create_task(scorer.ask(2))
        await asyncio.sleep(0)
        await scorer.close()
        assert first.done()
        assert await first == 2
        with pytest.raises(UnavailableError):
            await second
        with pytest.raises(UnavailableError):
            await scorer.ask(3)

    asyncio.run(main())
    assert work.sizes == [1]


def test_close_has_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSED_WITHIN", 0.05)
    gate = threading.Event()

    async def main() -> None:
        scorer: Batcher[int, bool] = Batcher(lambda _: [gate.wait(10)], most=1, queue=1, budget=0.02, threads=1)
        with pytest.raises(TooSlowError):
            await scorer.ask(1)
        async with asyncio.timeout(5):
            await scorer.close()

    try:
        asyncio.run(main())
    finally:
        gate.set()
