"""Progress where there is no terminal: a line now and then, and a log."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from poise import progress


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "FIRST_LINE", 0.02)
    monkeypatch.setattr(progress, "LINES", 0.02)


def test_without_a_terminal_lines_say_how_far_it_is(tmp_path: Path, often: None, capsys) -> None:
    with progress.logging_to(tmp_path / "new" / "fit.log"):
        progress.write_log("fitting EASE")
        for _ in progress.track(range(10), "EASE", unit="block"):
            time.sleep(0.02)
    said = capsys.readouterr().err.splitlines()
    assert said
    assert all(re.fullmatch(r"EASE: +\d+%, \d\d:\d\d so far, about \S+ to go", line) for line in said), said
    logged = (tmp_path / "new" / "fit.log").read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in logged] == ["fitting EASE", *said]
    assert re.match(r"\d\d:\d\d:\d\d ", logged[0])


def test_what_is_quick_says_nothing(capsys) -> None:
    assert list(progress.track(range(3), "quick")) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_what_nobody_wants_to_see_is_not_shown(often: None, capsys) -> None:
    for _ in progress.track(range(5), "hidden", shown=False):
        time.sleep(0.01)
    assert capsys.readouterr().err == ""


def test_a_log_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with progress.logging_to(tmp_path / "file" / "fit.log"):
        progress.write_log("nobody hears it")
