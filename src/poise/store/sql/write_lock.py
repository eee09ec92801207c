"""The lock between processes that write to one SQLite file."""

from __future__ import annotations

import os
import sys
from types import TracebackType

from poise.store.errors import StoreError


class WriteLock:
    """A lock between the processes that write to one file, for a ``with`` block.

    SQLite has a lock too, but a process waiting for it sleeps for longer and longer before it looks again: of several
    that write all the time, one may wait for seconds and give up. The operating system wakes a process that waits for
    this lock, and releases it if the holder is killed. Programs that do not know it are kept out by SQLite's lock.

    Args:
        path: of the lock file; created if it does not exist.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: int | None = None

    def __enter__(self) -> None:
        if sys.platform != "win32":
            import fcntl

            try:
                if self._file is None:
                    self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
                fcntl.flock(self._file, fcntl.LOCK_EX)
            except OSError as error:
                raise StoreError(
                    f"the store's lock {self._path} cannot be taken ({error.strerror}): check that its folder is there "
                    "and may be written to"
                ) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if sys.platform != "win32" and self._file is not None:
            import fcntl

            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the lock file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
