"""Steps of the optimiser: accumulated gradients, and a step of somebody's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from poise.options.fit_options import FitOptions
from poise.train import loop
from poise.train.loop import Training, train
from poise.train.optimiser_step import GradientAccumulation, Optimisation, OptimiserStep

TRAINING = Training(epochs=3, learning_rate=0.03, warmup=4, min_lr_ratio=0.1, ema_decay=0.9, weight_decay=0.01)
STEPS, SIZE, PARTS = 5, 24, 4


class Points:
    """Batches of points, each of which may come in several parts."""

    def __init__(self, parts: int = 1) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return STEPS * self.parts

    def epoch(self, number: int, first: int = 0) -> Iterator[Tensor]:
        points = torch.randn(STEPS * SIZE, 3, generator=torch.Generator().manual_seed(number))
        yield from points.split(SIZE // self.parts)[first:]


def _fit(
    batches: Points,
    step: OptimiserStep | None = None,
    killed_at: int | None = None,
    options: FitOptions = FitOptions(),
) -> list[float]:
    torch.manual_seed(5)
    network = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    steps = 0

    def loss(points: Tensor) -> Tensor:
        nonlocal steps
        steps += 1
        if steps == killed_at:
            raise KeyboardInterrupt
        return (network(points) - points.sum(dim=1, keepdim=True)).square().mean()

    train(network, batches, loss, TRAINING, options=options, name="line", optimiser_step=step)
    return torch.cat([value.flatten() for value in network.state_dict().values()]).tolist()


def test_accumulated_gradients_are_those_of_the_large_batch() -> None:
    large = _fit(Points())
    assert _fit(Points(PARTS), GradientAccumulation(PARTS)) == pytest.approx(large, rel=1e-4, abs=1e-6)
    assert _fit(Points(PARTS)) != pytest.approx(large, rel=1e-2)


def test_a_killed_run_with_accumulated_gradients_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    options = FitOptions(checkpoint_folder=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        _fit(Points(PARTS), GradientAccumulation(PARTS), killed_at=30, options=options)
    assert list(tmp_path.glob("*.pt"))
    again = _fit(Points(PARTS), GradientAccumulation(PARTS), options=options)
    assert again == _fit(Points(PARTS), GradientAccumulation(PARTS))


def test_batches_left_at_the_end_of_an_epoch_make_a_step() -> None:
    sizes: list[int] = []

    class Counting(GradientAccumulation):
        def __call__(self, optimisation: Optimisation, losses: Sequence[Callable[[], Tensor]]) -> float:
            sizes.append(len(losses))
            return super().__call__(optimisation, losses)

    _fit(Points(), Counting(2))
    assert sizes == [2, 2, 1] * TRAINING.epochs


def test_a_custom_optimiser_step() -> None:
    class Still(OptimiserStep):
        def add_gradients(self, optimisation: Optimisation, losses: Sequence[Callable[[], Tensor]]) -> float:
            total = super().add_gradients(optimisation, losses)
            optimisation.optimiser.zero_grad()
            return total

    torch.manual_seed(5)
    first = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    assert _fit(Points(), Still()) == torch.cat([weights.flatten() for weights in first.state_dict().values()]).tolist()
