"""A progress bar for work that takes over two seconds, on the terminal only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

Step = TypeVar("Step")


def track(
    steps: Iterable[Step], label: str, total: int | None = None, unit: str = "it", *, shown: bool = True
) -> Iterator[Step]:
    """Yield from ``steps``; after two seconds show a bar with ``label`` on standard error, if that is a terminal.

    ``shown`` is false where nobody wants to see it.
    """
    from tqdm import tqdm

    hidden = None if shown else True  # None hides it where there is no terminal
    return iter(tqdm(steps, desc=label, total=total, unit=unit, delay=2, leave=False, disable=hidden))
