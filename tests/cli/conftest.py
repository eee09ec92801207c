from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from poise.cli.main import main

TOML = '[data]\nevents = "log.csv"\nitems = "things.csv"\n\n[encoder]\nmodel = "none"\n'


def write_shop(folder: Path) -> Path:
    """Write a small project: people of two groups, each with its own half of the things."""
    rng = random.Random(0)
    lines = ["user,item,time"]
    for user in range(30):
        for place, item in enumerate(rng.sample(range(user % 2, 22, 2), rng.randint(4, 7))):
            lines.append(f"{user:03},i{item:02},{1_700_000_000 + (user * 3 + place * 7) * 86_400}")
    things = [f'i{item:02},"{"Moon" if item % 2 else "Sea"}, story {item}"' for item in range(24)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "things.csv").write_text("\n".join(["item_id,title", *things]) + "\n", encoding="utf-8")
    (folder / "poise.toml").write_text(TOML, encoding="utf-8")
    return folder


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return the folder of a small project without runs."""
    return write_shop(tmp_path / "shop")


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that says what is wrong."""
        lines = [line for line in self.err.splitlines() if line.startswith("poise: error: ")]
        assert len(lines) == 1, self.err
        assert self.err.rstrip().endswith(lines[0])
        return lines[0]


@pytest.fixture
def poise(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Return a function that runs the command line in this process."""

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["poise", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return Outcome(int(end.value.code or 0), out, err)

    return run


@pytest.fixture(scope="session")
def fitted_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small project with a run, which tests leave as it is."""
    from poise.project import Project
    from poise.project.fitting import fit

    folder = write_shop(tmp_path_factory.mktemp("fitted") / "shop")
    fit(Project(folder))
    return folder


@pytest.fixture(autouse=True)
def _quick(quick_learning: None) -> None:
    """What a command does around a model is tested here, not how well it learns."""
