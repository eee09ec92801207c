"""Keeping up with the store: what this process, another worker or a command has written is taken into account."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from poise.store.records import Changes
from poise.store.store import Store

AT_ONCE = 20_000  # rows that are read together


class ChangeFeed:
    """Reads what is newer than what was seen, and hands it on, one part after the other.

    Args:
        store: what to follow.
        take: is given each part.
    """

    def __init__(self, store: Store, take: Callable[[Changes], Awaitable[None]]) -> None:
        self.store, self.take = store, take
        self.seen = store.version()
        self._now: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def follow(self) -> None:
        """Return when all that is committed now has been taken into account.

        A call while another one reads waits for the reading after that, which all waiting calls share.

        Raises:
            StoreError: the store cannot be read.
        """
        if self._next is None and (self._now is None or self._now.done()):
            self._now = asyncio.ensure_future(self._read())
            await asyncio.shield(self._now)
            return
        if self._next is None:
            assert self._now is not None
            self._next = asyncio.ensure_future(self._after(self._now))
        await asyncio.shield(self._next)

    async def _after(self, before: asyncio.Task[None]) -> None:
        await asyncio.wait([before])
        self._now, self._next = self._next, None
        await self._read()

    async def _read(self) -> None:
        while True:
            changes = await asyncio.to_thread(self.store.changes, self.seen, AT_ONCE)
            if changes.version == self.seen:
                return
            await self.take(changes)
            self.seen = changes.version
