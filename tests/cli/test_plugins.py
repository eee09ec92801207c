"""Models and encoders of somebody else's package, in a project, by their entry points."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from poise.config import check_config
from poise.errors import DataError, UsageError
from poise.persistence import Persistent
from poise.plugins import entry_points_of
from poise.recommender import load

MODULE = '''
import numpy as np
from annotated_types import Ge
from pydantic.dataclasses import dataclass
from typing import Annotated

from poise.recommender import OPTIONS, Recommender
from poise.options.search_space import Range


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class Starlight(Recommender):
    """Popular items, those near the end of the catalogue first."""

    tilt: Annotated[float, Ge(0)] = 0.0

    search_space = {"tilt": Range(low=0.1, high=2.0)}

    def _fit(self, data, valid, options):
        self.scores = (data.item_counts + self.tilt * np.arange(data.item_ids.size)).astype(np.float32)

    def score(self, queries):
        return np.tile(self.scores, (len(queries), 1))

    def _arrays(self):
        return {"scores": self.scores}

    def _restore(self, arrays):
        self.scores = arrays["scores"]


class Lengths:
    """Says of a text how long it is."""

    batch_size = 10
    identity = "lengths"

    def __init__(self, device):
        self.device = device

    def reads(self, script):
        return True

    def encode(self, texts):
        return np.array([[len(text), 1.0] for text in texts], dtype=np.float32)
'''
ENTRY_POINTS = """
[poise.models]
Starlight = starlight.models:Starlight
Dimmed = starlight.nowhere:Dimmed
Plain = starlight.models:OPTIONS

[poise.encoders]
lengths = starlight.models:Lengths
"""


@pytest.fixture(autouse=True)
def starlight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a package, as pip would lay it out."""
    site = tmp_path / "site-packages"
    (site / "starlight").mkdir(parents=True)
    (site / "starlight" / "__init__.py").touch()
    (site / "starlight" / "models.py").write_text(MODULE)
    metadata = site / "starlight-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: starlight\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(site)
    entry_points_of.cache_clear()
    yield
    forget()
    entry_points_of.cache_clear()


def forget() -> None:
    """Let the package be as it is before it was imported."""
    for name in [name for name in sys.modules if name.split(".")[0] == "starlight"]:
        del sys.modules[name]
    Persistent.kinds.pop("starlight.models.Starlight", None)


def add(shop: Path, lines: str) -> None:
    path = shop / "poise.toml"
    path.write_text(path.read_text() + lines)


def test_a_model_of_another_package_is_fitted_saved_and_loaded(poise, shop):
    add(shop, '[pipeline]\nmodels = ["Starlight", "Popularity"]\n[models.Starlight]\ntilt = 100\n')
    assert "starlight" not in sys.modules
    assert poise("fit", "-p", shop).code == 0
    forget()  # as in another process
    result = poise("recommend", "-p", shop, "--user", "001", "--json")
    assert result.code == 0
    assert "starlight.models" in sys.modules
    (run,) = (shop / "runs").iterdir()
    ranker = load(run / "pipeline").ranker
    assert [type(member).__name__ for member in ranker.members] == ["Starlight", "Popularity"]
    assert ranker.members[0].tilt == 100


def test_a_model_of_another_package_as_retriever(poise, shop):
    add(shop, '[pipeline]\nmodels = ["Popularity"]\nretrievers = ["Starlight"]\n')
    assert poise("fit", "-p", shop).code == 0


def test_a_model_of_another_package_is_tuned_over_its_search_space(poise, shop):
    result = poise("tune", "-p", shop, "-m", "Starlight", "--trials", "3", "--json")
    assert result.code == 0
    tuned = json.loads(result.out)
    assert list(tuned["space"]) == ["tilt"]
    assert len(tuned["trials"]) == 3


def test_an_encoder_of_another_package_reads_the_catalogue(poise, shop):
    path = shop / "poise.toml"
    path.write_text(path.read_text().replace('model = "none"', 'model = "lengths"\ncache = false'))
    add(shop, '[pipeline]\nmodels = ["Content"]\n')
    assert poise("fit", "-p", shop).code == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Dimmed", "'Dimmed' of the package starlight cannot be loaded (ModuleNotFoundError: No module named"),
        ("Plain", "'Plain' is no model: the package that declares it gives"),
        ("Starlite", "found 'Starlite', which is no model. Did you mean 'Starlight'?"),
    ],
)
def test_a_broken_package_is_a_one_line_error(name, said):
    with pytest.raises(UsageError) as error:
        check_config({"data": {"events": "log.csv"}, "pipeline": {"models": [name]}, "models": {name: {}}})
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_model_file_cannot_make_poise_import_any_module(poise, shop, tmp_path):
    add(shop, '[pipeline]\nmodels = ["Starlight"]\n')
    assert poise("fit", "-p", shop).code == 0
    (run,) = (shop / "runs").iterdir()
    header = run / "pipeline" / "ranker" / "model.json"
    (tmp_path / "site-packages" / "intruder.py").write_text("raise SystemExit('imported')")
    header.write_text(header.read_text().replace("starlight.models", "intruder"))
    forget()
    with pytest.raises(DataError, match="'Starlight', which is not known here: install the package that has it"):
        load(run / "pipeline")
    assert not {"intruder", "starlight"} & set(sys.modules)
