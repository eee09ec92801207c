from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import tqdm
from torch import Tensor, nn

from poise.errors import PoiseError, UsageError
from poise.models.nn.dropout import Dropout
from poise.options.fit_options import FitOptions, Logger
from poise.train import loop
from poise.train.device import Precision
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

    def run(self, training: Training, options: FitOptions = FitOptions()) -> Progress:
        return train(self.network, Points(), self.loss, training, options=options, validate=self.validate, name="line")


TRAINING = Training(epochs=6, learning_rate=0.03, warmup=5, min_lr_ratio=0.1, ema_decay=0.9, weight_decay=0.01, seed=3)


def _weights(network: nn.Module) -> list[float]:
    return torch.cat([value.flatten() for value in network.state_dict().values()]).tolist()


def test_training_lowers_the_loss_and_records_progress() -> None:
    learner = Learner()
    before = learner.validate()
    progress = learner.run(TRAINING)
    assert progress.epoch == len(progress.history) == 6
    assert progress.history[-1]["loss"] < progress.history[0]["loss"] / 2
    learner.network.eval()
    assert learner.validate() == pytest.approx(progress.best_metric)
    assert progress.best_metric > before


@pytest.mark.parametrize(
    ("killed_at", "changes"),
    [
        (1, {}),
        (10, {}),
        (14, {"lr_plateau_factor": 0.5}),
        (33, {}),
        (33, {"lr_plateau_factor": 0.1, "precision": "float16"}),
    ],
)
def test_a_killed_run_resumed_from_its_checkpoint_ends_the_same(
    killed_at: int, changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    training = replace(TRAINING, **changes)
    whole = Learner()
    expected = whole.run(training)
    again = Learner()
    options = FitOptions(checkpoint_folder=tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        Learner(killed_at).run(training, options)
    assert (tmp_path / "run" / "line.pt").exists()
    progress = again.run(training, options)
    assert again.steps == 6 * 7 - killed_at
    assert _weights(again.network) == _weights(whole.network)
    assert [entry["metric"] for entry in progress.history] == [entry["metric"] for entry in expected.history]
    assert (progress.best_epoch, progress.best_metric) == (expected.best_epoch, expected.best_metric)
    assert not (tmp_path / "run" / "line.pt").exists()


def test_equal_seeds_give_equal_weights_and_leave_the_global_rng_alone() -> None:
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


def test_early_stopping_keeps_the_best_weights() -> None:
    network = nn.Linear(3, 1)
    metrics = iter([0.1, 0.5, 0.4, 0.3, 0.9])
    seen = []

    def validate() -> float:
        seen.append(_weights(network))
        return next(metrics)

    progress = train(
        network,
        Points(),
        lambda points: network(points).square().mean(),
        Training(epochs=9, patience=2),
        validate=validate,
    )
    assert (progress.epoch, progress.best_epoch, progress.best_metric) == (4, 2, 0.5)
    assert _weights(network) == seen[1]


def test_without_validation_the_last_weights_count() -> None:
    learner = Learner()
    progress = train(learner.network, Points(), learner.loss, Training(epochs=3))
    assert (progress.epoch, progress.best_epoch) == (3, 3)


def test_learning_rate_rises_and_falls() -> None:
    training = Training(epochs=1, learning_rate=2.0, warmup=10, min_lr_ratio=0.1)
    rates = [learning_rate(step, 110, training) for step in range(110)]
    assert rates[:2] == pytest.approx([0.2, 0.4])
    assert max(rates) == rates[9] == rates[10] == 2.0
    assert rates[60] == pytest.approx(2 * (0.1 + 0.9 / 2))
    assert rates[-1] == pytest.approx(0.2, abs=0.001)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_the_learning_rate_rises_to_half_in_further_rounds() -> None:
    training = Training(epochs=4, most_epochs=9, learning_rate=2.0, warmup=10, min_lr_ratio=0.1)
    rates = [learning_rate(step, 80, training) for step in range(160)]
    assert rates[79] == pytest.approx(0.2, abs=0.003)
    assert rates[80] == pytest.approx(1.0)
    assert rates[81:120] == sorted(rates[81:120], reverse=True)
    assert rates[119] == pytest.approx(0.2, abs=0.01)
    assert rates[120:] == rates[80:120]


def _train_with(metrics: list[float], training: Training) -> Progress:
    network = nn.Linear(3, 1)
    coming = iter(metrics)
    return train(
        network,
        Points(),
        lambda points: network(points).square().mean(),
        training,
        validate=lambda: next(coming),
    )


@pytest.mark.parametrize(
    ("metrics", "epochs", "best"),
    [
        ([1, 2, 3, 4, 0, 5, 0, 6, 0, 7], 9, 8),  # to the last that there may be
        ([1, 2, 3, 4, 0, 5, 0, 0], 8, 6),  # better within two epochs of the end
        ([1, 2, 3, 4, 3, 3], 6, 4),  # a further round that brings nothing is the last
        ([1, 9, 3, 4], 4, 2),
        ([9, 1, 1, 1, 1], 4, 1),
    ],
)
def test_training_goes_on_while_validation_improves(metrics: list[float], epochs: int, best: int) -> None:
    progress = _train_with(metrics, Training(epochs=4, most_epochs=9, patience=3))
    assert (progress.epoch, progress.best_epoch) == (epochs, best)


def test_without_further_rounds_training_ends_where_it_was_laid_out_for() -> None:
    assert _train_with([1, 2, 3, 4, 5], Training(epochs=4, patience=3)).epoch == 4


def test_a_stop_beyond_the_first_round_is_reached_on_the_same_way() -> None:
    training = Training(epochs=2, most_epochs=9, learning_rate=0.03, warmup=5, min_lr_ratio=0.1, seed=3)
    whole, stopped = Learner(), Learner()
    improving = iter(range(20))
    train(whole.network, Points(), whole.loss, replace(training, most_epochs=5), validate=lambda: next(improving))
    assert train(stopped.network, Points(), stopped.loss, replace(training, stop=5)).epoch == 5
    assert _weights(whole.network) == _weights(stopped.network)


def test_a_run_killed_in_a_further_round_ends_the_same(tmp_path: Path) -> None:
    training = replace(TRAINING, epochs=2, most_epochs=5, patience=9)
    whole, killed = Learner(), Learner(killed_at=7 * 3 + 2)
    assert whole.run(training).epoch > 2
    options = FitOptions(checkpoint_folder=tmp_path, logger="none")
    with pytest.raises(KeyboardInterrupt):
        killed.run(training, options)
    again = Learner()
    again.run(training, options)
    assert _weights(again.network) == _weights(whole.network)


def test_a_loss_of_nan_is_an_error() -> None:
    network = nn.Linear(3, 1)
    with pytest.raises(PoiseError, match="the loss is nan in step 0: lower the learning rate"):
        train(network, Points(), lambda points: network(points).mean() * torch.nan, Training(epochs=1))


def test_a_damaged_checkpoint_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "line.pt").write_bytes(b"nothing")
    with pytest.raises(PoiseError, match="is damaged or of another run: delete it"):
        Learner().run(TRAINING, FitOptions(checkpoint_folder=tmp_path))


@pytest.mark.parametrize(("logger", "module"), [("tensorboard", "torch.utils.tensorboard"), ("wandb", "wandb")])
def test_curves_without_their_logger_installed_are_refused(
    logger: Logger, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=f"pip install {logger}"):
        Learner().run(TRAINING, FitOptions(checkpoint_folder=tmp_path, logger=logger))


def test_curves_for_tensorboard_hold_each_epoch(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    progress = Learner().run(TRAINING, FitOptions(checkpoint_folder=tmp_path))
    drawn = EventAccumulator(str(tmp_path / "line")).Reload()  # type: ignore[no-untyped-call]
    metrics = [event.value for event in drawn.Scalars("metric")]
    assert metrics == pytest.approx([entry["metric"] for entry in progress.history])


def test_curves_for_weights_and_biases_hold_each_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    run = SimpleNamespace(log=lambda entry, step: calls.append((step, entry)), finish=lambda: calls.append("finish"))
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=lambda **options: run))
    progress = Learner().run(TRAINING, FitOptions(checkpoint_folder=tmp_path, logger="wandb"))
    assert calls == [*enumerate(progress.history, 1), "finish"]


def test_without_a_checkpoint_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Learner().run(TRAINING)
    assert not list(tmp_path.iterdir())


def test_the_learning_rate_falls_on_a_plateau() -> None:
    metrics = iter([0.5, 0.4, 0.3, 0.6, 0.1])
    network = nn.Linear(3, 1)
    progress = train(
        network,
        Points(),
        lambda points: network(points).square().mean(),
        Training(epochs=5, learning_rate=0.8, warmup=0, lr_plateau_factor=0.5),
        validate=lambda: next(metrics),
    )
    assert [entry["learning_rate"] for entry in progress.history] == pytest.approx([0.8, 0.8, 0.4, 0.2, 0.2])


def test_float16_scales_the_loss_so_that_small_gradients_do_not_vanish() -> None:
    def fitted(precision: Precision) -> float:
        torch.manual_seed(0)
        network = nn.Linear(3, 1)
        training = Training(epochs=1, learning_rate=0.1, warmup=0, precision=precision)
        before = network.weight.detach().clone()
        train(network, Points(), lambda points: network(points + 1).mean() * 3e-7, training)
        return (network.weight - before).abs().max().item()

    assert fitted("float16") == pytest.approx(fitted("float32"), rel=0.3)
    assert fitted("float32") > 0.01


def test_a_callback_is_called_each_epoch_and_can_end_training() -> None:
    calls: list[tuple[str, int, float]] = []

    class Watcher:
        def on_epoch(self, label: str, epoch: int, metric: float) -> None:
            calls.append((label, epoch, metric))
            if epoch == 2:
                raise StopIteration

    with pytest.raises(StopIteration):
        Learner().run(TRAINING, FitOptions(callbacks=(Watcher(),)))
    expected = Learner().run(TRAINING).history[:2]
    assert calls == [("training", index, entry["metric"]) for index, entry in enumerate(expected, 1)]


@pytest.mark.parametrize(("progress", "hidden"), [(True, False), (False, True)])
def test_the_progress_bar_can_be_switched_off(progress: bool, hidden: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    bars: list[Any] = []
    made = tqdm.tqdm
    monkeypatch.setattr(
        tqdm, "tqdm", lambda *given, **options: bars.append(options.get("disable", False)) or made(*given, **options)
    )
    Learner().run(replace(TRAINING, epochs=1), FitOptions(progress=progress))
    assert bars == [hidden]


def test_threads_are_limited_only_within_the_block() -> None:
    before = torch.get_num_threads()
    with FitOptions(threads=before + 1).limited_threads():
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_dropout_keeps_the_mean_and_does_nothing_after_training() -> None:
    dropout = Dropout(0.3)
    x = torch.ones(200, 501)
    torch.manual_seed(0)
    dropped = dropout(x)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)
    assert torch.equal(dropout.eval()(x), x)
