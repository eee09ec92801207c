"""A progress bar for work that takes over two seconds, on the terminal only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

Step = TypeVar("Step")


def track(steps: Iterable[Step], label: str, total: int | None = None, unit: str = "it") -> Iterator[Step]:
    """Yield from ``steps``; after two seconds show a bar with ``label`` on standard error, if that is a terminal."""
    from tqdm import tqdm

    return iter(tqdm(steps, desc=label, total=total, unit=unit, delay=2, leave=False, disable=None))
