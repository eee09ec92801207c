"""Whose turn it is to write to a SQLite file."""

from __future__ import annotations

import os
import sys
from types import TracebackType

from poise.store.errors import StoreError


class WriteLock:
    """A lock between the processes that write to one file, for a ``with`` block.

    SQLite has a lock too, but who waits for it sleeps for longer and longer and looks again: of several that write all
    the time one may wait for seconds, and give up. The system wakes who waits for this one, and releases it if its
    holder is killed. Programs that do not know it are kept out by SQLite's.

    Args:
        path: of the lock; made if it is not there.
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
        """Give the file back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
