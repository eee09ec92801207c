"""Progress of training: a bar on the terminal, curves in TensorBoard or W&B."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self

from poise.durations import in_words
from poise.errors import UsageError
from poise.options.fit_options import Logger
from poise.progress import announce, open_bar

_TIMED_STEPS, _TIMED_SECONDS = 5, 1.5  # at least, to tell by how long it will take
_LONG = 10.0  # seconds, from which it is worth saying


class Monitor:
    """Shows loss, validation metric and time left, and logs them.

    Args:
        label: the name of the run.
        epochs: the maximum.
        steps: of each epoch.
        curves: where metrics are drawn; None for nowhere.
        history: the epochs that are done already.
        bar: whether to show how far it has come.
    """

    def __init__(
        self,
        label: str,
        epochs: int,
        steps: int,
        curves: Curves | None,
        history: list[dict[str, float]],
        *,
        bar: bool = True,
    ) -> None:
        self.label, self.epochs, self.steps = label, epochs, steps
        self.metric = max((entry["metric"] for entry in history if "metric" in entry), default=None)
        self.done = len(history)
        self.curves = curves
        done = self.done * steps
        self.bar = open_bar(None, label, epochs * steps, "step", initial=done, shown=bar)
        self._timed_from: tuple[float, int] | None = None  # when the first step was done, and how many were then
        self._tells = bar

    def extend(self, epochs: int) -> None:
        """Show that there are more epochs than was known before."""
        if epochs > self.epochs:
            self.epochs = epochs
            self.bar.total = epochs * self.steps

    def step(self, epoch: int, step: int, total: float) -> None:
        """Show a finished step; ``total`` is the sum of the epoch's losses so far."""
        best = "" if self.metric is None else f", best NDCG@10 {self.metric:.4f}"
        self.bar.set_description_str(f"{self.label} epoch {epoch + 1}/{self.epochs}", refresh=False)
        self.bar.set_postfix_str(f"loss {total / step:.3f}{best}", refresh=False)
        self.bar.n = epoch * self.steps + step
        self.bar.update(0)
        if self._tells:
            self._tell(epoch * self.steps + step)

    def _tell(self, done: int) -> None:
        """Say once, by the first steps, how long it will take: the first of all is slower than the others."""
        now = monotonic()
        if self._timed_from is None:
            self._timed_from = now, done
        begun, before = self._timed_from
        if done - before < _TIMED_STEPS or now - begun < _TIMED_SECONDS:
            return
        self._tells = False
        seconds = (now - begun) / (done - before) * (self.epochs * self.steps - before)
        if seconds >= _LONG:
            announce(
                f"{self.label} will take about {in_words(seconds)} for {self.epochs} passes over the log, less where "
                "validation stops it before"
            )

    def epoch(self, entry: dict[str, float]) -> None:
        """Record the metrics of a finished epoch."""
        self.done += 1
        if "metric" in entry:
            self.metric = max(entry["metric"], -1.0 if self.metric is None else self.metric)
        if self.curves is not None:
            self.curves.add(entry, self.done)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()
        if self.curves is not None:
            self.curves.close()


class TensorBoard:
    """Curves for TensorBoard, in a folder."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise UsageError("curves are for TensorBoard, which is not installed: pip install tensorboard") from None
        self.writer: Any = SummaryWriter(str(folder))

    def add(self, entry: dict[str, float], epoch: int) -> None:
        """Add the metrics of an epoch."""
        for name, value in entry.items():
            self.writer.add_scalar(name, value, epoch)

    def close(self) -> None:
        """Flush and close."""
        self.writer.close()


class WeightsAndBiases:
    """Curves for Weights & Biases: on its service, or in a folder where ``WANDB_MODE=offline`` is set."""

    def __init__(self, folder: Path) -> None:
        try:
            import wandb
        except ImportError:
            raise UsageError("curves are for Weights & Biases, which is not installed: pip install wandb") from None
        folder.mkdir(parents=True, exist_ok=True)
        self.run: Any = wandb.init(project="poise", name=folder.name, id=folder.name, resume="allow", dir=str(folder))

    def add(self, entry: dict[str, float], epoch: int) -> None:
        """Add the metrics of an epoch."""
        self.run.log(entry, step=epoch)

    def close(self) -> None:
        """Flush and close."""
        self.run.finish()


Curves = TensorBoard | WeightsAndBiases


def open_curves(folder: Path, logger: Logger) -> Curves | None:
    """Return a logger of a run's curves that writes into ``folder``; None for the logger ``none``.

    Raises:
        UsageError: it is not installed.
    """
    if logger == "none":
        return None
    return TensorBoard(folder) if logger == "tensorboard" else WeightsAndBiases(folder)
