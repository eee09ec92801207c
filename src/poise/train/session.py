"""What goes for all that learns within a block: where it keeps its state, and who is told how it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Logger = Literal["tensorboard", "wandb", "none"]
OnEpoch = Callable[[int, float], None]


@dataclass(frozen=True)
class Keeping:
    """Where a training keeps what it may be taken up from and looked at by.

    Attributes:
        folder: for checkpoints and curves.
        logger: who draws the curves.
    """

    folder: Path
    logger: Logger


_kept: ContextVar[Keeping | None] = ContextVar("kept", default=None)
_watcher: ContextVar[OnEpoch] = ContextVar("watcher", default=lambda epoch, metric: None)


@contextmanager
def keep_training(folder: Path | str, logger: Logger = "tensorboard") -> Iterator[None]:
    """Let whatever learns within the block keep a checkpoint and draw curves, and go on where it was killed.

    Args:
        folder: where; it is made if need be.
        logger: who draws the curves: ``tensorboard``, in the folder, ``wandb``, Weights & Biases, or ``none``.
    """
    token = _kept.set(Keeping(Path(folder), logger))
    try:
        yield
    finally:
        _kept.reset(token)


@contextmanager
def watch_epochs(callback: OnEpoch) -> Iterator[None]:
    """Let ``callback`` be told the number and the validation metric of each epoch that ends within the block.

    What it raises ends the training, and is raised.
    """
    token = _watcher.set(callback)
    try:
        yield
    finally:
        _watcher.reset(token)


def kept() -> Keeping | None:
    """Return where trainings keep their state at present; None for nowhere."""
    return _kept.get()


def watcher() -> OnEpoch:
    """Return who is told of epochs at present."""
    return _watcher.get()
