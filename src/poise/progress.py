"""Progress of work that takes over two seconds: a bar on the terminal; without one, a line now and then, and a log."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

Step = TypeVar("Step")

FIRST_LINE, LINES = 10.0, 30.0  # seconds until the first line, and between two
_LINE = "{desc}: {percentage:.0f}%, {elapsed} so far, about {remaining} to go{postfix}"

_log: list[TextIO] = []  # the open logs, the innermost last


def track(
    steps: Iterable[Step], label: str, total: int | None = None, unit: str = "it", *, shown: bool = True
) -> Iterator[Step]:
    """Yield from ``steps``, and show how far it has come; see :func:`open_bar`."""
    return iter(open_bar(steps, label, total, unit, shown=shown))


def open_bar(
    steps: Iterable[Any] | None,
    label: str,
    total: int | None = None,
    unit: str = "it",
    *,
    initial: int = 0,
    shown: bool = True,
) -> tqdm[Any]:
    """Return a progress bar for ``steps``, or for steps that are counted by hand where that is None.

    After two seconds it stands on standard error, if that is a terminal. If not, a line says after ten seconds and then
    every half a minute how far it has come and how long it will take; the lines go to the log too.

    Args:
        steps: what is done one by one.
        label: what it is.
        total: how many steps there are; None for the length of ``steps``, if it has one.
        unit: what a step is called.
        initial: how many are done already.
        shown: false where nobody wants to see it.
    """
    from tqdm import tqdm

    options: dict[str, Any] = {"desc": label, "total": total, "unit": unit, "initial": initial, "leave": False}
    if not shown or sys.stderr.isatty():
        return tqdm(steps, delay=2, disable=not shown, **options)
    lines: Any = _Lines()
    return tqdm(steps, delay=FIRST_LINE, mininterval=LINES, bar_format=_LINE, file=lines, **options)


def announce(line: str) -> None:
    """Say a line on standard error, above a bar if there is one, and write it to the log."""
    from tqdm import tqdm

    tqdm.write(line, file=sys.stderr)
    write_log(line)


class _Lines:
    """Takes what a bar writes over itself, and writes it as lines."""

    def write(self, text: str) -> None:
        line = text.strip("\r\n ")
        if line:
            sys.stderr.write(f"{line}\n")
            write_log(line)

    def flush(self) -> None:
        sys.stderr.flush()


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Write what :func:`write_log` is given within the block to a new file, each line with the time of day.

    Where the file cannot be written there is no log.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w", encoding="utf-8")
    except OSError:
        yield
        return
    with file:
        _log.append(file)
        try:
            yield
        finally:
            _log.remove(file)


def write_log(line: str) -> None:
    """Write a line to the log, if there is one."""
    if _log:
        with suppress(OSError):  # a full disk ends no fit
            _log[-1].write(f"{datetime.now():%H:%M:%S} {line}\n")
            _log[-1].flush()
