from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from poise.errors import PoiseError, UsageError
from poise.train import loop
from poise.train.dropout import Dropout
from poise.train.loop import Progress, Training, learning_rate, train


class Points:
    """Batches of points on a line, other ones in each step."""

    def __len__(self) -> int:
        return 7

    def epoch(self, number: int, first: int = 0) -> Iterator[Tensor]:
        for step in range(first, len(self)):
            yield torch.randn(16, 3, generator=torch.Generator().manual_seed(100 * number + step))


def _network() -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), Dropout(0.3), nn.Linear(8, 1))


def _target(points: Tensor) -> Tensor:
    return points @ torch.tensor([1.0, -2.0, 0.5])


class Learner:
    """A network that learns a line, and can be killed at some step."""

    def __init__(self, killed_at: int | None = None) -> None:
        self.network = _network()
        self.steps = 0
        self.killed_at = killed_at

    def loss(self, points: Tensor) -> Tensor:
        if self.steps == self.killed_at:
            raise KeyboardInterrupt
        self.steps += 1
        return (self.network(points).squeeze(1) - _target(points)).square().mean()

    def validate(self) -> float:
        points = torch.randn(200, 3, generator=torch.Generator().manual_seed(9))
        return -(self.network(points).squeeze(1) - _target(points)).square().mean().item()

    def run(self, training: Training, checkpoint: Path | None = None) -> Progress:
        return train(self.network, Points(), self.loss, training, validate=self.validate, checkpoint=checkpoint)


TRAINING = Training(epochs=6, learning_rate=0.03, warmup=5, final=0.1, average=0.9, weight_decay=0.01, seed=3)


def _weights(network: nn.Module) -> list[float]:
    return torch.cat([value.flatten() for value in network.state_dict().values()]).tolist()


def test_it_learns_and_says_what_happened() -> None:
    learner = Learner()
    before = learner.validate()
    progress = learner.run(TRAINING)
    assert progress.epoch == len(progress.history) == 6
    assert progress.history[-1]["loss"] < progress.history[0]["loss"] / 2
    learner.network.eval()
    assert learner.validate() == pytest.approx(progress.best_figure)
    assert progress.best_figure > before


@pytest.mark.parametrize("killed_at", [1, 10, 14, 33])
def test_a_run_that_is_killed_and_taken_up_ends_as_if_it_had_not_been(
    killed_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    whole = Learner()
    expected = whole.run(TRAINING)
    checkpoint = tmp_path / "run" / "checkpoint.pt"
    with pytest.raises(KeyboardInterrupt):
        Learner(killed_at).run(TRAINING, checkpoint)
    again = Learner()
    found = again.run(TRAINING, checkpoint)
    assert again.steps == 6 * 7 - killed_at
    assert _weights(again.network) == _weights(whole.network)
    assert [entry["figure"] for entry in found.history] == [entry["figure"] for entry in expected.history]
    assert (found.best_epoch, found.best_figure) == (expected.best_epoch, expected.best_figure)
    assert not checkpoint.exists()


def test_equal_seeds_bring_equal_weights_and_the_users_own_chance_is_left_alone() -> None:
    torch.manual_seed(77)
    expected = torch.rand(3).tolist()
    first, second, other = Learner(), Learner(), Learner()
    torch.manual_seed(77)
    first.run(TRAINING)
    assert torch.rand(3).tolist() == expected
    second.run(TRAINING)
    other.run(Training(epochs=6, learning_rate=0.03, seed=4))
    assert _weights(first.network) == _weights(second.network)
    assert _weights(first.network) != _weights(other.network)


def test_it_stops_when_validation_gets_no_better_and_keeps_the_best_weights() -> None:
    network = nn.Linear(3, 1)
    figures = iter([0.1, 0.5, 0.4, 0.3, 0.9])
    seen = []

    def validate() -> float:
        seen.append(_weights(network))
        return next(figures)

    progress = train(
        network,
        Points(),
        lambda points: network(points).square().mean(),
        Training(epochs=9, patience=2),
        validate=validate,
    )
    assert (progress.epoch, progress.best_epoch, progress.best_figure) == (4, 2, 0.5)
    assert _weights(network) == seen[1]


def test_without_validation_the_last_weights_count() -> None:
    learner = Learner()
    progress = train(learner.network, Points(), learner.loss, Training(epochs=3))
    assert (progress.epoch, progress.best_epoch) == (3, 3)


def test_learning_rate_rises_and_falls() -> None:
    training = Training(epochs=1, learning_rate=2.0, warmup=10, final=0.1)
    rates = [learning_rate(step, 110, training) for step in range(110)]
    assert rates[:2] == pytest.approx([0.2, 0.4])
    assert max(rates) == rates[9] == rates[10] == 2.0
    assert rates[60] == pytest.approx(2 * (0.1 + 0.9 / 2))
    assert rates[-1] == pytest.approx(0.2, abs=0.001)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_a_loss_that_is_no_number_is_said() -> None:
    network = nn.Linear(3, 1)
    with pytest.raises(PoiseError, match="the loss is nan in step 0: lower the learning rate"):
        train(network, Points(), lambda points: network(points).mean() * torch.nan, Training(epochs=1))


def test_a_damaged_checkpoint_is_said(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    checkpoint.write_bytes(b"nothing")
    with pytest.raises(PoiseError, match="is damaged or of another run: delete it"):
        Learner().run(TRAINING, checkpoint)


def test_logs_without_tensorboard_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(UsageError, match="pip install tensorboard"):
        train(nn.Linear(3, 1), Points(), lambda points: points.mean(), Training(epochs=1), logs=tmp_path)


def test_dropout_keeps_the_mean_and_does_nothing_after_training() -> None:
    dropout = Dropout(0.3)
    x = torch.ones(200, 501)
    torch.manual_seed(0)
    dropped = dropout(x)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)
    assert torch.equal(dropout.eval()(x), x)
