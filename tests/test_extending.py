"""What the architecture promises: a model, a ranker, a policy step and an encoder are one file each, of any package."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from poise.errors import UsageError
from poise.persistence import Persistent
from poise.plugins import entry_points_of
from poise.project import Project
from poise.project.fitting import fit

HEAD = """
from typing import Annotated

import numpy as np
from annotated_types import Ge
from pydantic.dataclasses import dataclass

from poise.recommender import OPTIONS, Recommender
"""
MODEL = (
    HEAD
    + """

@dataclass(kw_only=True, eq=False, config=OPTIONS)
class Latest(Recommender):
    'Scores the items that were chosen last of all.'

    weight: Annotated[float, Ge(0)] = 1.0

    def _fit(self, data, valid, options):
        self.last = np.zeros(data.item_ids.size, dtype=np.float32)
        np.maximum.at(self.last, data.events.item, np.arange(data.n_events, dtype=np.float32))

    def score(self, queries):
        return np.tile(self.weight * self.last, (len(queries), 1))

    def _arrays(self):
        return {"last": self.last}

    def _restore(self, arrays):
        self.last = arrays["last"]
"""
)
RANKER = (
    HEAD
    + """

@dataclass(kw_only=True, eq=False, config=OPTIONS)
class ByIndex(Recommender):
    'Scores candidates alone, those that stand late in the catalogue best.'

    def _fit(self, data, valid, options):
        pass

    def score_candidates(self, queries, candidates):
        assert len(candidates.values) <= 6 * len(queries), "only what the retriever brought is scored"
        return candidates.values.astype(np.float32)
"""
)
STEP = """
from typing import Annotated

import numpy as np
from annotated_types import Ge
from pydantic.dataclasses import dataclass

from poise.policy import PolicyStep
from poise.recommender import OPTIONS


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class OnlyEven(PolicyStep):
    'Shows items of even index alone.'

    rest: Annotated[int, Ge(0)] = 0

    def apply(self, candidates, request):
        size = len(request.queries.item_ids) + 1
        even = np.arange(size) % 2 == self.rest
        candidates.keep_only([even] * len(candidates))
        return candidates
"""
ENCODER = """
import numpy as np


class Letters:
    'Counts the letters of a text.'

    batch_size = 10
    identity = "letters"

    def __init__(self, device):
        pass

    def reads(self, script):
        return True

    def encode(self, texts):
        return np.array([[text.count(letter) + 0.1 for letter in "abcdefgh"] for text in texts], dtype=np.float32)
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str, str], None]]:
    """Return a function that installs a package of one file which declares one entry point, as pip lays it out."""
    site = tmp_path / "site-packages"

    def make(group: str, name: str, code: str) -> None:
        site.mkdir()
        (site / "one_file_of_mine.py").write_text(code)
        metadata = site / "one_file_of_mine-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: one-file-of-mine\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[{group}]\n{name} = one_file_of_mine:{name}\n")
        monkeypatch.syspath_prepend(site)
        entry_points_of.cache_clear()

    yield make
    sys.modules.pop("one_file_of_mine", None)
    for kind in [kind for kind in Persistent.kinds if kind.startswith("one_file_of_mine.")]:
        del Persistent.kinds[kind]
    entry_points_of.cache_clear()


@pytest.fixture
def project(tmp_path: Path, quick_learning: None) -> Callable[[str], Project]:
    """Return a function that makes a project of 30 people and 20 things with some lines of ``poise.toml``."""
    folder = tmp_path / "shop"
    folder.mkdir()
    rng = np.random.default_rng(0)
    people = [
        (f"u{user}", f"i{item}", 1_700_000_000 + place)
        for user in range(30)
        for place, item in enumerate(rng.permutation(20)[:8])
    ]
    pl.DataFrame(people, schema=["user_id", "item_id", "timestamp"], orient="row").write_csv(folder / "events.csv")
    titles = [f"{'abcdefgh'[item % 8] * (item + 1)} thing" for item in range(20)]
    pl.DataFrame({"item_id": [f"i{item}" for item in range(20)], "title": titles}).write_csv(folder / "items.csv")

    def make(lines: str) -> Project:
        head = '[data]\nevents = "events.csv"\nitems = "items.csv"\n'
        (folder / "poise.toml").write_text(head + lines)
        return Project(folder, say=lambda line: None)

    return make


NO_ENCODER = '[encoder]\nmodel = "none"\n'


def test_a_model_of_one_file(install, project):
    install("poise.models", "Latest", MODEL)
    lines = f'{NO_ENCODER}[pipeline]\nmodels = ["Latest"]\n[models.Latest]\nweight = 2.0\n'
    run = fit(project(lines))
    assert run.pipeline.name == "Latest"
    newest = run.pipeline.recommend(run.queries([[1, 2]]), 3)
    assert (
        newest.items[0].tolist()
        == (
            np.argsort(-run.pipeline.ranker.last)[:5][~np.isin(np.argsort(-run.pipeline.ranker.last)[:5], [1, 2])][:3]
        ).tolist()
    )


def test_a_ranker_of_one_file_that_scores_only_what_retrievers_bring(install, project):
    install("poise.models", "ByIndex", RANKER)
    lines = f'{NO_ENCODER}[pipeline]\nmodels = ["ByIndex"]\nretrievers = ["Popularity"]\ncandidates = 6\n'
    run = fit(project(lines))
    slates = run.pipeline.recommend(run.queries([[1, 2]]), 6)
    assert run.pipeline.name == "ByIndex over Popularity"
    assert slates.items[0].tolist() == sorted(slates.items[0].tolist(), reverse=True)
    assert set(slates[0].sources) == {"Popularity"}


def test_a_policy_step_of_one_file(install, project):
    install("poise.policies", "OnlyEven", STEP)
    steps = '[policy]\nsteps = ["OnlyEven"]\n[policy.options.OnlyEven]\nrest = 1\n'
    lines = f'{NO_ENCODER}[pipeline]\nmodels = ["Popularity"]\n{steps}'
    run = fit(project(lines))
    slates = run.pipeline.recommend(run.queries([[1, 2]]), 5)
    assert (slates.items % 2 == 1).all()
    assert run.metadata["policy"] == ["HideSeen", "ColdStartBoost", "OnlyEven", "ExploreUnknown"]


def test_a_policy_step_that_is_not_there_is_named(project):
    with pytest.raises(UsageError, match="policy.steps: there is no policy step 'OnlyOdd'"):
        fit(project(f'{NO_ENCODER}[policy]\nsteps = ["OnlyOdd"]\n'))


def test_options_of_a_policy_step_that_is_not_asked_for_are_refused(project):
    with pytest.raises(UsageError, match="policy.options.OnlyEven: the step is not among policy.steps"):
        fit(project(f"{NO_ENCODER}[policy.options.OnlyEven]\nrest = 1\n"))


def test_an_option_that_a_policy_step_does_not_have_is_named(install, project):
    install("poise.policies", "OnlyEven", STEP)
    with pytest.raises(UsageError, match="OnlyEven"):
        fit(project(f'{NO_ENCODER}[policy]\nsteps = ["OnlyEven"]\n[policy.options.OnlyEven]\nrust = 1\n'))


def test_an_encoder_of_one_file(install, project):
    install("poise.encoders", "Letters", ENCODER)
    run = fit(project('[encoder]\nmodel = "Letters"\ncache = false\n[pipeline]\nmodels = ["Content"]\n'))
    most_like = run.pipeline.similar(["i0"], 3).items[0]  # those whose title repeats an "a"
    assert set(run.pipeline.item_ids.ids(most_like)) & {"i8", "i16"}


LEARNS = STEP.replace(
    "    def apply(",
    """    def fit(self, ranker, data, valid):
        self.seen = data.n_events

    def apply(""",
)


def test_a_server_whose_policy_step_was_not_fitted_answers_by_the_policy_of_the_run(install, project):
    from poise.serve.state.serving_state import ServingState

    lines = f'{NO_ENCODER}[pipeline]\nmodels = ["Popularity"]\n'
    fit(project(lines))
    install("poise.policies", "OnlyEven", LEARNS)
    said = []
    changed = project(f'{lines}[policy]\nsteps = ["OnlyEven"]\n')
    changed.say = said.append
    store = changed.fill_store()
    model = ServingState(changed, store, changed.config.serve).serving_model
    store.close()
    assert [step.name for step in model.pipeline.policy] == ["HideSeen", "ColdStartBoost", "ExploreUnknown"]
    assert any("OnlyEven learns from data" in line and "until then" in line for line in said)


def test_recommend_follows_the_policy_of_poise_toml(install, project, tmp_path):
    from click.testing import CliRunner

    from poise.cli.recommend import command

    lines = f'{NO_ENCODER}[pipeline]\nmodels = ["Popularity"]\n'
    fit(project(lines))
    install("poise.policies", "OnlyEven", STEP)
    project(f'{lines}[policy]\nsteps = ["OnlyEven"]\n[policy.options.OnlyEven]\nrest = 1\n')
    shown = CliRunner().invoke(command, ["-p", str(tmp_path / "shop"), "--user", "u3", "-k", "5", "--json"])
    assert shown.exit_code == 0, shown.output
    items = [item["item_id"] for item in json.loads(shown.stdout)[0]["items"]]
    order = Project(tmp_path / "shop", say=lambda line: None).run().pipeline.item_ids.index(items)
    assert len(items) == 5
    assert (order % 2 == 1).all()
