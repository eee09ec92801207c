"""How long a training will take is said once, by its first steps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from poise.train.monitor import Monitor


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a clock with one entry, the time, which a test sets."""
    time = [0.0]
    monkeypatch.setattr("poise.train.monitor.monotonic", lambda: time[0])
    return time


def run(clock: list[float], seconds: float, *, bar: bool = True) -> None:
    """Go through two of ten epochs of 40 steps, the first step of which takes ten times as long as each other one."""
    with Monitor("SASRec", 10, 40, None, [], bar=bar) as monitor:
        for epoch in range(2):
            for step in range(1, 41):
                clock[0] += seconds * (10 if (epoch, step) == (0, 1) else 1)
                monitor.step(epoch, step, 1.0 * step)


def said(capsys: pytest.CaptureFixture[str]) -> Iterator[str]:
    return (line for line in capsys.readouterr().err.splitlines() if "will take" in line)


def test_it_is_said_once_and_is_right(clock: list[float], capsys) -> None:
    run(clock, 0.5)  # 200 seconds in all
    (line,) = said(capsys)
    assert line.startswith("SASRec will take about 3 min for 10 passes over the log")


@pytest.mark.parametrize(("seconds", "bar"), [(0.01, True), (0.5, False)])
def test_it_is_not_said_of_what_is_short_or_hidden(clock: list[float], seconds: float, bar: bool, capsys) -> None:
    run(clock, seconds, bar=bar)
    assert not list(said(capsys))
