"""The time, as the server sees it. It is handed in, so that a simulation or a test can drive the server."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """What the time is. How long work takes is measured by real clocks, not by this one.

    Attributes:
        time: seconds since 1970; may jump.
        monotonic: seconds since any moment; never goes back.
    """

    time: Callable[[], float]
    monotonic: Callable[[], float]

    def milliseconds(self) -> int:
        """Return the milliseconds since 1970."""
        return int(self.time() * 1000)


SYSTEM_CLOCK = Clock(time.time, time.monotonic)
