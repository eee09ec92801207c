"""A stage that failed several times in a row is skipped for a while, so that no request waits for it in vain."""

from __future__ import annotations

import time
from collections.abc import Callable

FAILURES = 3  # in a row, that open a circuit
RECOVERY_SECONDS = 2.0  # after the last failure, before it is tried again


class CircuitBreaker:
    """Counts failures in a row, stage by stage.

    A circuit is closed while its stage works, and open for ``RECOVERY_SECONDS`` after the last of ``FAILURES`` failures
    in a row. Then the next request tries it: one failure opens it again, one success closes it. The source is Nygard,
    *Release It!*, 2007.

    Args:
        now: the time in seconds, of a clock that never goes back.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failures: dict[str, tuple[int, float]] = {}  # by stage: how many in a row, and when the last one was

    def is_open(self, stage: str) -> bool:
        """Tell whether a stage is to be skipped."""
        failures, last = self._failures.get(stage, (0, 0.0))
        return failures >= FAILURES and self._now() - last < RECOVERY_SECONDS

    def note_failure(self, stage: str) -> None:
        """Count a failure of a stage."""
        failures, _ = self._failures.get(stage, (0, 0.0))
        self._failures[stage] = failures + 1, self._now()

    def note_success(self, stage: str) -> None:
        """Close the circuit of a stage: it works."""
        self._failures.pop(stage, None)
