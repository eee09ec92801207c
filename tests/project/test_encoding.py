from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from poise.data.split import leave_last_out
from poise.encoders.text import TextEncoder
from poise.errors import DataError, UsageError
from poise.project import Project
from poise.project.encoding import choose_encoder
from poise.project.fitting import fit
from poise.project.run import Run


class Titles:
    """Tells the sea from the moon, or nothing at all."""

    batch_size = 100
    knowing = "tuned"

    def __init__(self, model):
        self.identity = model
        self.knows = self.knowing == ("tuned" if ".poise" in model else "frozen")

    def reads(self, script):
        return True

    def encode(self, texts):
        rng = np.random.default_rng(0)
        vectors = rng.normal(scale=0.3, size=(len(texts), 8)).astype(np.float32)
        if self.knows:
            vectors[:, 0] += [3 if "Sea" in text else -3 for text in texts]
        return vectors


@pytest.fixture
def project(tmp_path, films_like, monkeypatch):
    """Return a project that tunes its encoder; what tuning makes of it is decided by the test."""
    heard, learnt_from = [], []
    monkeypatch.setenv("POISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(TextEncoder, "backend", property(lambda self: Titles(self.model)))

    def tune(train, folder, *, encoder, adaptation, options):
        learnt_from.append(train)
        folder.mkdir(parents=True)
        (folder / "model.txt").write_text("weights")
        return replace(encoder, model=str(folder))

    monkeypatch.setattr("poise.project.encoding.adapt", tune)
    (tmp_path / "poise.toml").write_text(
        '[data]\ndataset = "films"\n[pipeline]\nmodels = ["Content"]\n[adaptation]\npairs = 100\n'
    )
    monkeypatch.setattr("poise.datasets.registry.load", lambda name: replace(films_like(n_users=120), vectors={}))
    project = Project(tmp_path, say=heard.append)
    project.heard, project.learnt_from = heard, learnt_from
    return project


def parted(project):
    return leave_last_out(project.encoded())


def test_a_better_adapted_encoder_is_saved_with_the_run(project):
    run = fit(project)
    (verdict,) = [line for line in project.heard if "on validation" in line]
    assert verdict.startswith("the tuned encoder is better on validation: NDCG@10")
    metadata = json.loads((run.path / "run.json").read_text())["encoder"]
    metrics = metadata["on_validation"]["NDCG@10"]
    assert metadata["tuned"]
    assert metrics["tuned"] > metrics["frozen"]
    assert metadata["on_validation"]["p"] < 0.05
    assert (run.path / "encoder" / "model.txt").exists()
    assert Run.open(run.path).encoder.model == str(run.path / "encoder")
    (run.path / "encoder").rename(run.path / "elsewhere")
    with pytest.raises(DataError, match="encoder/ is missing; fit again"):
        Run.open(run.path).encoder  # noqa: B018


def test_an_adapted_encoder_that_is_no_better_is_not_used(project, monkeypatch):
    monkeypatch.setattr(Titles, "knowing", "frozen")
    choice = choose_encoder(project, parted(project))
    assert choice.tuned is None
    assert not choice.metadata["tuned"]
    assert "the tuned encoder is not shown to be better on validation" in project.heard[-1]
    assert project.heard[-1].endswith("the frozen one is used")


def test_the_encoder_is_adapted_once_on_the_training_part(project):
    split = parted(project)
    choose_encoder(project, split)
    choose_encoder(project, split)
    (train,) = project.learnt_from
    log = project.data().events
    held_out = log.offsets[1:][np.diff(log.offsets) >= 3]  # the last event of each, and the one before it
    assert len(train.events) == len(log) - 2 * len(held_out)


def test_an_encoder_that_cannot_be_adapted_is_used_as_it_is(project, monkeypatch):
    def refuse(*_, **__):
        raise DataError("nobody chose two items with a text")

    monkeypatch.setattr("poise.project.encoding.adapt", refuse)
    assert choose_encoder(project, parted(project)) is None
    assert project.heard[-1] == "nobody chose two items with a text; the encoder is used as it is"


def test_adaptation_options_are_checked(tmp_path):
    (tmp_path / "poise.toml").write_text('[data]\ndataset = "films"\n[adaptation]\npairz = 100\n')
    with pytest.raises(UsageError, match=r"\[adaptation\] has no key 'pairz'. Did you mean 'pairs'"):
        Project(tmp_path)
