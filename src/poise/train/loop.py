"""The training loop: a function that reads top to bottom, and the state that it can be taken up from."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from poise.errors import PoiseError
from poise.files import atomic_file
from poise.options.fit_options import FitOptions
from poise.train.device import Precision, autocast, working_type
from poise.train.memory import kept_memory
from poise.train.monitor import Monitor, open_curves
from poise.train.optimiser_step import Optimisation, OptimiserStep

CHECKPOINT_SECONDS = 60.0
FURTHER_HEIGHT = 0.5  # of the learning rate, to which it rises in a round after the first

Batch = TypeVar("Batch")
Batch_co = TypeVar("Batch_co", covariant=True)


class Batches(Protocol[Batch_co]):
    """What to learn from: the same epoch, from the same step on, always brings the same."""

    def __len__(self) -> int: ...

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch_co]:
        """Yield the batches of an epoch, from the step ``first`` on."""
        ...


@dataclass(frozen=True, kw_only=True)
class Training:
    """How to learn.

    Attributes:
        epochs: passes over the data; the learning rate is laid out for so many.
        most_epochs: passes that there may be where validation was still getting better at the end of those: the
            learning rate then rises to half its height and falls again within half as many epochs, and again as long as
            that helps. None for no more than ``epochs``.
        stop: epochs after which to stop all the same; None for none.
        learning_rate: of AdamW, at its highest.
        weight_decay: how strongly matrices are drawn to zero (L2, decoupled), per unit of learning rate.
        warmup: steps in which the learning rate rises from zero.
        min_lr_ratio: what is left of the learning rate in the last step, as a share; it falls as half a cosine.
        max_grad_norm: the largest norm of a gradient; longer ones are shortened to it.
        ema_decay: how much of its past the running average of the weights, which is what is kept, holds on to at each
            step; 0 keeps the weights themselves.
        patience: epochs without a better validation metric after which to stop.
        lr_plateau_factor: what the learning rate is multiplied with after each epoch without a better validation
            metric; 1 leaves it as it is.
        precision: of products, see :func:`~poise.train.device.working_type`. With float16 the loss is scaled up before
            the gradient is taken, by as much as goes without an overflow, so that small gradients do not vanish
            (Micikevicius et al., *Mixed Precision Training*, 2018).
        seed: of everything that chance decides.
    """

    epochs: int
    most_epochs: int | None = None
    stop: int | None = None
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    warmup: int = 100
    min_lr_ratio: float = 1.0
    max_grad_norm: float = 1.0
    ema_decay: float = 0.0
    patience: int = 3
    lr_plateau_factor: float = 1.0
    precision: Precision = "auto"
    seed: int = 0

    def next_end(self, epoch: int) -> int:
        """Return the epoch at which the round ends in which ``epoch`` epochs are done."""
        if epoch < self.epochs:
            return self.epochs
        further = max(self.epochs // 2, 1)
        end = self.epochs + ((epoch - self.epochs) // further + 1) * further
        return min(end, max(self.most_epochs or end, self.epochs))


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        epoch: epochs that are done.
        step: steps of the current epoch that are done.
        total: the sum of the current epoch's losses.
        best_epoch: the number of epochs after which the validation metric was best; without validation, the last.
        best_metric: that metric.
        slowed: what plateaus have left of the learning rate, as a share.
        seconds: spent so far, also before the run was taken up again.
        history: an entry for each epoch: its loss, the learning rate, the seconds, and the metric if there is one.
    """

    epoch: int = 0
    step: int = 0
    total: float = 0.0
    best_epoch: int = 0
    best_metric: float = -math.inf
    slowed: float = 1.0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


def train(
    network: nn.Module,
    batches: Batches[Batch],
    loss: Callable[[Batch], Tensor],
    training: Training,
    *,
    options: FitOptions = FitOptions(),
    validate: Callable[[], float] | None = None,
    name: str | None = None,
    label: str = "training",
    optimiser_step: OptimiserStep | None = None,
) -> Progress:
    """Fit the weights of ``network``, which holds the best ones afterwards.

    What chance decides depends on the seed and the number of the step alone. A run that was killed and is started again
    with its checkpoint therefore ends where it would have ended.

    Args:
        network: what to fit, on its device.
        batches: what to learn from.
        loss: of one batch, a scalar.
        training: how to learn.
        validate: gives the metric to select the epoch by, higher is better; the network is then in evaluation mode.
        options: where to keep checkpoints and curves, and which callbacks are called.
        name: identifies the model and its data: the state is kept by it in ``options.checkpoint_folder``, written once
            a minute and after each epoch, read if it is there, removed at the end. None keeps nothing.
        label: what to call the run on the progress bar.
        optimiser_step: how a batch moves the weights; None for along its gradient.

    Raises:
        PoiseError: the loss is no longer a number.
        UsageError: curves are asked for and what draws them is not installed.
    """
    steps = len(batches)
    folder = None if name is None else options.checkpoint_folder
    checkpoint = None if folder is None else folder / f"{name}.pt"
    curves = None if folder is None else open_curves(folder / f"{name}", options.logger)
    run = _Run(network, training, steps, optimiser_step or OptimiserStep())
    if checkpoint is not None and checkpoint.exists():
        run.restore(checkpoint)
    progress = run.progress
    begun = saved = time.monotonic()
    spent = progress.seconds
    cards = [run.device] if run.device.type == "cuda" else []
    with (
        kept_memory(),
        torch.random.fork_rng(devices=cards),
        Monitor(
            label, training.stop or training.epochs, steps, curves, progress.history, bar=options.progress
        ) as monitor,
    ):
        while goes_on(progress, training):
            monitor.extend(training.next_end(progress.epoch))
            network.train()
            coming = batches.epoch(progress.epoch, progress.step)
            while step_batches := list(islice(coming, run.optimiser_step.batches)):
                run.step(step_batches, loss)
                monitor.step(progress.epoch, progress.step, progress.total)
                if checkpoint is not None and time.monotonic() - saved > CHECKPOINT_SECONDS:
                    run.save(checkpoint)
                    saved = time.monotonic()
            progress.seconds = spent + time.monotonic() - begun
            run.end_epoch(validate)
            monitor.epoch(progress.history[-1])
            if validate is not None:
                for callback in options.callbacks:
                    callback.on_epoch(label, progress.epoch, progress.history[-1]["metric"])
            if checkpoint is not None:
                run.save(checkpoint)
                saved = time.monotonic()
    network.load_state_dict(run.best)
    network.eval()
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return progress


def goes_on(progress: Progress, training: Training) -> bool:
    """Tell whether there is another epoch: by what validation said, never by the clock.

    A round is left early where validation has not become better for long, and is followed by another one where it was
    still becoming better at its end.
    """
    done = progress.epoch
    if training.stop is not None and done >= training.stop:
        return False
    without_gain = done - progress.best_epoch
    if done < training.epochs:
        return without_gain < training.patience
    if done >= (training.most_epochs or training.epochs):
        return False
    return done < training.next_end(done - 1) or without_gain <= training.patience // 2


def learning_rate(step: int, total: int, training: Training) -> float:
    """Return the learning rate of a step, counted from 0: a straight rise, then half a cosine down to the final share.

    The cosine, and that it may begin anew, is from Loshchilov and Hutter, *SGDR: Stochastic Gradient Descent with Warm
    Restarts*, 2017.

    Args:
        step: of the optimiser.
        total: steps of the first round; each of the further ones has half as many epochs.
        training: how to learn.
    """
    warm = min(1.0, (step + 1) / max(training.warmup, 1))
    height, gone = 1.0, max(0, step - training.warmup) / max(total - training.warmup, 1)
    if step >= total:
        further = max(training.epochs // 2, 1) * max(total // training.epochs, 1)
        height, gone = FURTHER_HEIGHT, (step - total) % further / further
    fall = training.min_lr_ratio + (height - training.min_lr_ratio) * 0.5 * (1 + math.cos(math.pi * gone))
    return training.learning_rate * warm * fall


class _Run:
    """All that a run changes."""

    def __init__(self, network: nn.Module, training: Training, steps: int, optimiser_step: OptimiserStep) -> None:
        self.network = network
        self.training = training
        self.steps = steps
        self.optimiser_step = optimiser_step
        self.parameters: list[Tensor] = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.device = self.parameters[0].device
        # AdamW: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019. Norms and biases are not decayed.
        groups = [
            {
                "params": [parameter for parameter in self.parameters if parameter.ndim > 1],
                "weight_decay": training.weight_decay,
            },
            {"params": [parameter for parameter in self.parameters if parameter.ndim <= 1], "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=training.learning_rate, fused=True)
        self.dtype = working_type(self.device, training.precision)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)
        self.optimisation = Optimisation(network, self.parameters, self.optimiser, self.scaler, training.max_grad_norm)
        self.ema = [parameter.detach().clone() for parameter in self.parameters]
        self.progress = Progress()
        self.best = _copy(network)

    def step(self, batches: list[Batch], loss: Callable[[Batch], Tensor]) -> None:
        """Learn from as many batches as a step of the optimiser takes."""
        training, progress = self.training, self.progress
        steps = math.ceil(self.steps / self.optimiser_step.batches)  # of the optimiser, an epoch
        step = progress.epoch * steps + progress.step // self.optimiser_step.batches
        torch.manual_seed(training.seed * 1_000_003 + step)
        for group in self.optimiser.param_groups:
            group["lr"] = progress.slowed * learning_rate(step, training.epochs * steps, training)

        def loss_of(batch: Batch) -> Tensor:
            with autocast(self.device, self.dtype):
                value = loss(batch)
            if not math.isfinite(value.item()):
                raise PoiseError(
                    f"the loss is {value.item()} in step {step}: lower the learning rate, or look for wild values"
                )
            return value

        total = self.optimiser_step(self.optimisation, [partial(loss_of, batch) for batch in batches])
        if training.ema_decay:
            keep = min(training.ema_decay, (1 + step) / (10 + step))  # the first weights are forgotten soon
            with torch.no_grad():
                torch._foreach_lerp_(self.ema, self.parameters, 1 - keep)
        progress.total += total
        progress.step += len(batches)

    def end_epoch(self, validate: Callable[[], float] | None) -> None:
        progress = self.progress
        entry = {"loss": progress.total / self.steps, "learning_rate": self.optimiser.param_groups[0]["lr"]}
        progress.epoch, progress.step, progress.total = progress.epoch + 1, 0, 0.0
        self.network.eval()
        with torch.no_grad(), self._averaged():
            if validate is not None:
                entry["metric"] = validate()
            if validate is None or entry["metric"] > progress.best_metric:
                progress.best_epoch = progress.epoch
                progress.best_metric = entry.get("metric", progress.best_metric)
                self.best = _copy(self.network)
            else:
                progress.slowed *= self.training.lr_plateau_factor
        progress.history.append({**entry, "seconds": progress.seconds})

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Let the network have its average weights for a while."""
        if not self.training.ema_decay:
            yield
            return
        weights = [parameter.detach().clone() for parameter in self.parameters]
        torch._foreach_copy_(self.parameters, self.ema)
        try:
            yield
        finally:
            torch._foreach_copy_(self.parameters, weights)

    def save(self, path: Path) -> None:
        state = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "ema": self.ema,
            "best": self.best,
            "progress": asdict(self.progress),
        }
        with atomic_file(path) as temporary:
            torch.save(state, temporary)

    def restore(self, path: Path) -> None:
        try:
            state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.scaler.load_state_dict(state["scaler"])
        except Exception as error:  # torch raises a kind of its own for each way in which a file can be broken
            raise PoiseError(f"the checkpoint {path} is damaged or of another run: delete it and fit again") from error
        self.ema, self.best = state["ema"], state["best"]
        self.progress = Progress(**state["progress"])


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
