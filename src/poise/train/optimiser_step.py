"""One step of learning: from the losses of a batch, or of several, to weights that have moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Optimisation:
    """What a step changes.

    Attributes:
        network: that learns.
        parameters: those of its weights that are learnt.
        optimiser: that moves them along their gradient.
        scaler: of the loss, where small gradients would vanish; else it does nothing.
        max_grad_norm: the largest norm of a gradient; longer ones are shortened to it.
    """

    network: nn.Module
    parameters: list[Tensor]
    optimiser: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    max_grad_norm: float


class OptimiserStep:
    """A step along the gradient of one batch. A subclass takes another gradient, or moves otherwise.

    Attributes:
        batches: how many batches a step takes; the last one of an epoch takes what is left.
    """

    batches = 1

    def __call__(self, optimisation: Optimisation, losses: Sequence[Callable[[], Tensor]]) -> float:
        """Move the weights, and return the sum of the losses.

        Args:
            optimisation: what to work on.
            losses: of each batch, computed when it is called; called again, with other draws of chance.
        """
        optimiser, scaler = optimisation.optimiser, optimisation.scaler
        optimiser.zero_grad()
        total = self.add_gradients(optimisation, losses)
        scaler.unscale_(optimiser)
        nn.utils.clip_grad_norm_(optimisation.parameters, optimisation.max_grad_norm)
        scaler.step(optimiser)  # which leaves out a step with an overflow, and scales less from then on
        scaler.update()
        return total

    def add_gradients(self, optimisation: Optimisation, losses: Sequence[Callable[[], Tensor]]) -> float:
        """Add the scaled gradient of the mean loss to that of the weights, and return the sum of the losses."""
        total = 0.0
        for loss in losses:
            value = loss()
            optimisation.scaler.scale(value / len(losses)).backward()  # type: ignore[no-untyped-call]
            total += value.item()
        return total


class GradientAccumulation(OptimiserStep):
    """A step along the mean gradient of several batches: as one large batch, where that has no room in memory.

    It is that of the large batch where the loss is a mean over as many events in each; a loss that compares the events
    of a batch with one another compares fewer.

    Args:
        batches: how many.
    """

    def __init__(self, batches: int) -> None:
        self.batches = batches
