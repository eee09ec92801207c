"""A fit that was killed goes on with the first model that it had not fitted."""

from __future__ import annotations

from pathlib import Path

import pytest

from poise.project import Project
from poise.project.fitting import fit

TOML = '[data]\nevents = "log.csv"\n[encoder]\nmodel = "none"\n[pipeline]\nmodels = ["ItemKNN", "EASE", "Popularity"]\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a small project, of which every model is worth keeping."""
    monkeypatch.setattr("poise.project.fitted_parts.LEAST_SECONDS", 0.0)
    lines = [
        f"u{user},i{(user * 7 + n * (user % 5 + 1)) % 23},{1_700_000_000 + n}" for user in range(40) for n in range(6)
    ]
    (tmp_path / "log.csv").write_text("user_id,item_id,timestamp\n" + "\n".join(lines) + "\n")
    (tmp_path / "poise.toml").write_text(TOML)
    return tmp_path


def kill_at(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"poise.models.{model}._fit", killed)


def test_it_goes_on_where_it_stood(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        kill_at("EASE", patch)
        with pytest.raises(KeyboardInterrupt):
            fit(Project(folder))
    assert (folder / ".poise" / "fitted").is_dir()
    heard: list[str] = []
    run = fit(Project(folder, say=heard.append))
    assert "goes on: ItemKNN was fitted before" in heard
    assert "fitting EASE" in heard
    assert "fitting ItemKNN" not in heard
    assert not (folder / ".poise" / "fitted").exists()
    log = (folder / ".poise" / "fit.log").read_text()
    assert "goes on: ItemKNN was fitted before" in log
    again = fit(Project(folder))  # in one go
    assert run.metadata["metrics"] == again.metadata["metrics"]
    assert run.metadata["chosen_on_validation"] == again.metadata["chosen_on_validation"]


def test_other_data_or_options_are_fitted_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        kill_at("EASE", patch)
        with pytest.raises(KeyboardInterrupt):
            fit(Project(folder))
    (folder / "poise.toml").write_text(TOML + "[models.ItemKNN]\nneighbours = 5\n")
    heard: list[str] = []
    fit(Project(folder, say=heard.append))
    assert "fitting ItemKNN" in heard


def test_a_second_fit_says_how_long_it_will_take(folder: Path) -> None:
    first = fit(Project(folder))
    heard: list[str] = []
    second = fit(Project(folder, say=heard.append))
    (said,) = (line for line in heard if line.startswith("it will take about "))
    assert said.endswith(" s, by how long the last fit took")
    assert first.metadata["seconds"] > 0
    assert second.name != first.name
