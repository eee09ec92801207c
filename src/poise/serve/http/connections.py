"""Connections on which nothing comes are not kept for ever."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

WITHIN = 30.0  # seconds for the head of a request to come


class Connection(HttpToolsProtocol):
    """A connection that is closed if the head of a request does not come in time.

    uvicorn itself closes one that is idle after an answer, but would wait for ever for the first request, and for the
    rest of a head that has begun.
    """

    _head_is_due: asyncio.TimerHandle | None = None
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Go on to wait if the head is not whole yet."""
        super().data_received(data)
        if self._in_head and self._head_is_due is None:
            self._wait()

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that a head has come."""
        self._in_head = False
        self._stop()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._head_is_due = self.loop.call_later(WITHIN, self._give_up)

    def _stop(self) -> None:
        if self._head_is_due is not None:
            self._head_is_due.cancel()
            self._head_is_due = None

    def _give_up(self) -> None:
        transport: Any = self.transport
        if not transport.is_closing():
            transport.close()
