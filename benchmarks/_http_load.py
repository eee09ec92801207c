"""A load generator that takes little of the machine: connections that stay open, one request at a time on each."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Load:
    """What came back: seconds of each request, by status how many, and how long it all took."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    took: float = 0.0

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.seconds) / self.took

    def percentile(self, p: float) -> float:
        """Return the ``p``-th percentile of the time of a request, in milliseconds."""
        return float(np.percentile(self.seconds, p)) * 1000


class Connection:
    """One connection that stays open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Connection:
        """Connect to this machine."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a request as it stands and return the status and the body of the answer."""
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        return int(head[9:12]), await self.reader.readexactly(length)

    def close(self) -> None:
        """Disconnect."""
        self.writer.close()


def request(method: str, path: str, body: bytes = b"") -> bytes:
    """Write a request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def closed_loop(port: int, requests: Iterator[bytes], connections: int, seconds: float) -> Load:
    """Keep ``connections`` busy: each asks again when it has its answer."""
    load = Load()
    end = time.perf_counter() + seconds

    async def work() -> None:
        connection = await Connection.open(port)
        while (start := time.perf_counter()) < end:
            status, _ = await connection.ask(next(requests))
            load.seconds.append(time.perf_counter() - start)
            load.statuses[status] += 1
        connection.close()

    start = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    load.took = time.perf_counter() - start
    return load


async def open_loop(port: int, requests: Iterator[bytes], rate: float, seconds: float, connections: int = 32) -> Load:
    """Ask ``rate`` times a second, however long answers take; time counts from when a request was due."""
    load = Load()
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(connections):
        free.put_nowait(await Connection.open(port))

    async def send_one(due: float, body: bytes) -> None:
        connection = await free.get()
        status, _ = await connection.ask(body)
        load.seconds.append(time.perf_counter() - due)
        load.statuses[status] += 1
        free.put_nowait(connection)

    start = time.perf_counter()
    tasks = []
    for index in range(int(rate * seconds)):
        due = start + index / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(send_one(due, next(requests))))
    await asyncio.gather(*tasks)
    load.took = time.perf_counter() - start
    while not free.empty():
        free.get_nowait().close()
    return load


def for_ever(make: Callable[[], bytes]) -> Iterator[bytes]:
    """Yield what ``make`` makes, again and again."""
    while True:
        yield make()
