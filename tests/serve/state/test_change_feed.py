from __future__ import annotations

import asyncio
import random

import pytest

from poise.serve.state.change_feed import ChangeFeed
from poise.store.errors import StoreError
from poise.store.records import Changes


class Log:
    """A store of versions and nothing else."""

    def __init__(self):
        self.newest = 0
        self.broken = False

    def version(self):
        return 0

    def changes(self, since, limit):
        if self.broken:
            raise StoreError("the store cannot be read")
        return Changes(min(self.newest, since + 3))


@pytest.mark.parametrize("seed", range(10))
def test_each_version_is_taken_once_before_follow_returns(seed):
    draw = random.Random(seed)
    log, taken = Log(), []

    async def take(changes):
        first = taken[-1][1] if taken else 0
        for _ in range(draw.randrange(3)):
            await asyncio.sleep(0)
        assert (taken[-1][1] if taken else 0) == first, "two read at the same time"
        taken.append((first, changes.version))

    async def live():
        follower = ChangeFeed(log, take)

        async def ask():
            for _ in range(20):
                log.newest += draw.randrange(2)
                due = log.newest
                await follower.follow()
                assert follower.seen >= due
                for _ in range(draw.randrange(4)):
                    await asyncio.sleep(0)

        await asyncio.gather(*[ask() for _ in range(8)])

    asyncio.run(live())
    versions = [version for _, version in taken]
    assert versions == sorted(set(versions))
    assert versions[-1] == log.newest


def test_the_change_feed_continues_after_a_failure():
    log = Log()

    async def take(changes):
        pass

    async def live():
        follower = ChangeFeed(log, take)
        log.newest, log.broken = 7, True
        failures = await asyncio.gather(*[follower.follow() for _ in range(5)], return_exceptions=True)
        assert all(isinstance(failure, StoreError) for failure in failures)
        assert follower.seen == 0
        log.broken = False
        await asyncio.gather(*[follower.follow() for _ in range(5)])
        assert follower.seen == 7

    asyncio.run(live())


def test_a_cancelled_follow_does_not_stop_others():
    log, going = Log(), asyncio.Event()

    async def take(changes):
        await going.wait()

    async def live():
        follower = ChangeFeed(log, take)
        log.newest = 1
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(follower.follow(), 0.01)
        others = [asyncio.ensure_future(follower.follow()) for _ in range(3)]
        await asyncio.sleep(0)
        others.pop().cancel()
        going.set()
        await asyncio.gather(*others)
        assert follower.seen == 1

    asyncio.run(live())
