"""Memory of arrays that is freed and soon needed again."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # numbers of options in glibc's malloc.h
_LARGEST = 2**31 - 1
_AFTERWARDS = 32 * 2**20  # what glibc comes to by itself; the value it starts with would let each array be zeroed anew


@contextmanager
def kept_memory() -> Iterator[None]:
    """Let the memory of arrays that are freed be used for the next ones within the block.

    By default glibc gives large pieces back to the system, which zeroes each page when it is touched anew: an eighth of
    the time of a training step. Elsewhere than with glibc nothing is changed.
    """
    library = ctypes.CDLL(None)
    set_option, trim = getattr(library, "mallopt", None), getattr(library, "malloc_trim", None)
    if set_option is None or trim is None:
        yield
        return
    set_option(_MMAP_THRESHOLD, 2**30)
    set_option(_TRIM_THRESHOLD, _LARGEST)
    try:
        yield
    finally:
        set_option(_MMAP_THRESHOLD, _AFTERWARDS)
        set_option(_TRIM_THRESHOLD, 2 * _AFTERWARDS)
        trim(0)
