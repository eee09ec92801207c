"""What can be watched while a model learns: a progress bar on the terminal, curves in TensorBoard."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from poise.errors import UsageError


class Monitor:
    """Shows loss, validation figure and time left, and writes them down.

    Args:
        label: what to call the run.
        epochs: how many there will be at most.
        steps: of each epoch.
        logs: a folder for TensorBoard; None for none.
        history: the epochs that are done already.

    Raises:
        UsageError: logs are asked for and TensorBoard is not installed.
    """

    def __init__(self, label: str, epochs: int, steps: int, logs: Path | None, history: list[dict[str, float]]) -> None:
        from tqdm import tqdm

        self.label, self.epochs, self.steps = label, epochs, steps
        self.figure = max((entry["figure"] for entry in history if "figure" in entry), default=None)
        self.done = len(history)
        self.writer: Any = None if logs is None else _writer(logs)
        self.bar = tqdm(total=epochs * steps, initial=self.done * steps, desc=label, delay=2, leave=False, disable=None)

    def step(self, epoch: int, step: int, total: float) -> None:
        """Show that a step is done; ``total`` is the sum of the epoch's losses so far."""
        best = "" if self.figure is None else f", best NDCG@10 {self.figure:.4f}"
        self.bar.set_description(f"{self.label} epoch {epoch + 1}/{self.epochs}", refresh=False)
        self.bar.set_postfix_str(f"loss {total / step:.3f}{best}", refresh=False)
        self.bar.n = epoch * self.steps + step
        self.bar.update(0)

    def epoch(self, entry: dict[str, float]) -> None:
        """Take note of the figures of an epoch that is done."""
        self.done += 1
        if "figure" in entry:
            self.figure = max(entry["figure"], -1.0 if self.figure is None else self.figure)
        if self.writer is not None:
            for name, value in entry.items():
                self.writer.add_scalar(name, value, self.done)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()
        if self.writer is not None:
            self.writer.close()


def _writer(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UsageError("logs are for TensorBoard, which is not installed: pip install tensorboard") from None
    return SummaryWriter(str(folder))
