"""How and where something is fitted: what is handed down to every part of it, and changes nothing of what it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from poise.errors import UsageError

Logger = Literal["tensorboard", "wandb", "none"]


class Callback(Protocol):
    """Is told how a training goes."""

    def on_epoch(self, label: str, epoch: int, metric: float) -> None:
        """Take note that an epoch has ended; what is raised here ends the training, and is raised by ``fit``.

        Args:
            label: what learns: the name of the model.
            epoch: how many epochs are done.
            metric: what validation measured after it.
        """


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How and where to fit. A pipeline or a blend hands them to its parts.

    Attributes:
        device: where to compute: ``cpu``, ``cuda``, ``mps``; None for the best there is.
        seed: of everything that chance decides, in place of the models' own seeds; None leaves those as they are.
        threads: of the processor, that PyTorch, BLAS and OpenMP may use; None leaves that to them.
        checkpoint_folder: where a training that takes long keeps a checkpoint, to go on from if it is killed, and its
            curves; None for nowhere.
        logger: who draws the curves: ``tensorboard``, in that folder, ``wandb``, Weights & Biases, or ``none``.
        progress: whether a training that takes long shows a bar on the terminal.
        callbacks: who is told of each epoch that was validated.
    """

    device: str | None = None
    seed: int | None = None
    threads: int | None = None
    checkpoint_folder: Path | None = None
    logger: Logger = "tensorboard"
    progress: bool = True
    callbacks: tuple[Callback, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            UsageError: a number of threads below 1, or a seed below 0.
        """
        if self.threads is not None and self.threads < 1:
            raise UsageError(f"threads is {self.threads}; at least 1 is needed, or None to leave it open")
        if self.seed is not None and self.seed < 0:
            raise UsageError(f"seed is {self.seed}; it cannot be below 0")

    def seed_or(self, seed: int) -> int:
        """Return the seed to use in place of a model's own one."""
        return seed if self.seed is None else self.seed

    @contextmanager
    def limited_threads(self) -> Iterator[None]:
        """Let what computes within the block use no more than :attr:`threads`."""
        if self.threads is None:
            yield
            return
        import torch
        from threadpoolctl import threadpool_limits

        before = torch.get_num_threads()
        try:
            with threadpool_limits(self.threads):
                torch.set_num_threads(self.threads)
                yield
        finally:
            torch.set_num_threads(before)
