"""Models that a fit has fitted so far, kept so that a fit that was killed goes on with the next one."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import fields
from weakref import ref

import numpy as np

from poise._version import __version__
from poise.config import FILE
from poise.data.dataset import Dataset
from poise.data.holdout import Split
from poise.errors import PoiseError
from poise.persistence import Persistent
from poise.project.project import Project
from poise.recommender import Recommender, load

LEAST_SECONDS = 1.0  # that a model took, for it to be worth keeping


class FittedParts:
    """Fits the models of a split, and takes from the project's folder those that an earlier fit has left there.

    Args:
        project: in whose ``.poise/fitted`` they are kept.
        split: what they learn from, and choose on.
    """

    def __init__(self, project: Project, split: Split) -> None:
        self._project, self._split = project, split
        self._folder = project.folder / ".poise" / "fitted"
        self._data = _fingerprint(split)

    def fit(self, model: Recommender) -> None:
        """Fit a model, and all that it is made of before it."""
        train, valid, options = self._split.train, self._split.valid, self._project.fit_options
        for part in leaves(model):
            self._fit_part(part)
        started = time.perf_counter()
        model.fit_once(train, valid, options)
        if model.parts:
            self._project.say(f"fitted {model.name} in {time.perf_counter() - started:.1f} s")

    def _fit_part(self, model: Recommender) -> None:
        train, valid, options = self._split.train, self._split.valid, self._project.fit_options
        if model._fitted_on is not None:  # for another whole, which it is part of too
            return
        folder = self._folder / f"{type(model).__name__}-{self._key(model)}"
        if folder.is_dir():
            try:
                model.__dict__.update(load(folder, device=options.device).__dict__)
            except PoiseError as error:
                self._project.say(f"{error}: fitting it again")
            else:
                model._fitted_on = (ref(train), ref(valid))
                self._project.say(f"goes on: {model.name} was fitted before")
                return
        self._project.say(f"fitting {model.name}")
        started = time.perf_counter()
        model.fit_once(train, valid, options)
        seconds = time.perf_counter() - started
        self._project.say(f"fitted {model.name} in {seconds:.1f} s")
        if seconds >= LEAST_SECONDS:
            try:
                model.save(folder)
            except PoiseError as error:  # whoever has a full disk can still fit in one go
                self._project.say(f"{model.name} is not kept for a fit that goes on: {error}")

    def _key(self, model: Recommender) -> str:
        options = {option.name: getattr(model, option.name) for option in fields(model)}  # type: ignore[arg-type]
        described = {name: repr(value) for name, value in options.items() if not isinstance(value, Persistent)}
        fit_options = self._project.fit_options
        text = json.dumps([__version__, type(model).__module__, described, fit_options.seed, self._data])
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def leaves(model: Recommender) -> list[Recommender]:
    """Return the models that a model is made of in the end; itself if it is made of none."""
    return [leaf for part in model.parts for leaf in leaves(part)] if model.parts else [model]


def expected_seconds(project: Project, data: Dataset) -> float | None:
    """Return how long a fit will take, by the last one with the same config and the size of the data; None for none."""
    for name in reversed(project.runs):
        run = project.run(name)
        if "judgement" in run.metadata and (run.path / "config.toml").read_bytes() == _config(project):
            return float(run.metadata["seconds"] * data.n_events / max(run.metadata["data"]["events"], 1))
    return None


def _config(project: Project) -> bytes | None:
    path = project.folder / FILE
    return path.read_bytes() if path.is_file() else None


def forget_fitted_parts(project: Project) -> None:
    """Delete the models that were kept: the run that they were for is written."""
    shutil.rmtree(project.folder / ".poise" / "fitted", ignore_errors=True)


def _fingerprint(split: Split) -> str:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(split.train.fingerprint.encode())
    for array in (split.valid.targets.values, split.valid.queries.stop, *_vectors(split.train)):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _vectors(data: Dataset) -> list[np.ndarray]:
    return [data.vectors[name] for name in sorted(data.vectors)]
