"""Looking for better options of a model: what ``poise tune`` does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any, Literal

from poise._version import __version__
from poise.config import Config
from poise.data import split as splitting
from poise.data.dataset import Dataset
from poise.errors import DataError, UsageError, suggest
from poise.models import model_names
from poise.project.fitting import first_protocol
from poise.project.project import Project
from poise.search_space import Space
from poise.tune.search import Searching, Trial, alone, find
from poise.tune.space import space_of

Search = Literal["bayesian", "random", "grid"]


@dataclass(frozen=True)
class Tuning:
    """What a search found.

    Attributes:
        model: the name of the model.
        search: how it was searched.
        data: the name of the data.
        protocol: how the events were parted.
        requests: of the validation part, over which the figures are means.
        space: where it was looked.
        trials: all that was tried, the earliest first.
        now: the trial of the options that ``poise.toml`` now has.
        interrupted: whether somebody stopped it.
        importance: how much of what tells good trials from the others each option accounts for; shares that add up to
            1, the largest first. Empty where the trials are too few to tell, or there is one option only.
    """

    model: str
    search: Search
    data: str
    protocol: str
    requests: int
    space: Space
    trials: list[Trial]
    now: Trial
    interrupted: bool
    importance: Mapping[str, float]

    @property
    def best(self) -> Trial:
        """The complete trial with the best figure, of equal ones the earliest."""
        return self.ranked()[0]

    @property
    def gain(self) -> float:
        """How much better the best trial is than the options that ``poise.toml`` now has."""
        return (self.best.metric or 0.0) - (self.now.metric or 0.0)

    def ranked(self) -> list[Trial]:
        """Return the complete trials, the best first."""
        return sorted((one for one in self.trials if one.state == "complete"), key=lambda one: -(one.metric or 0.0))

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON knows it."""
        space = {name: one if isinstance(one, list) else asdict(one) for name, one in self.space.items()}
        return {**asdict(self), "space": space, "best": asdict(self.best), "gain": self.gain}


def tune(
    project: Project, *, model: str | None = None, search: Search | None = None, trials: int | None = None
) -> Tuning:
    """Look for options with which a model ranks better.

    Each trial fits the model on the training part and measures it on the validation part; the test part is never
    touched. The options that ``poise.toml`` now has come first, so that it is known what was gained. Each trial is kept
    in ``.poise/tune.db`` once it is done: called again, also after a kill, the search goes on, and draws what it would
    have drawn.

    Bayesian search is by tree-structured Parzen estimators: Bergstra, Bardenet, Bengio and Kégl, *Algorithms for
    Hyper-Parameter Optimization*, 2011; random search is as in Bergstra and Bengio, *Random Search for Hyper-Parameter
    Optimization*, 2012. A trial is stopped after an epoch if its best figure so far is below the median of the other
    trials' figures after that epoch (Golovin et al., *Google Vizier: A Service for Black-Box Optimization*, 2017).

    Args:
        project: whose data and options.
        model: the name of the model; None for that of ``[tune]``.
        search: how; None for that of ``[tune]``.
        trials: how many to have at most, with those that are there; None for that of ``[tune]``.

    Raises:
        UsageError: ``[tune]`` or an argument is wrong, or another search is at work in the project.
        DataError: the model cannot learn from the data.
        PoiseError: the options that ``poise.toml`` now has cannot be fitted, or nothing can be written.
        KeyboardInterrupt: it was interrupted before there was anything to tell.
    """
    config, whole_grid = _config(project, model, search, trials)
    name, space = config.tuned_model(), space_of(config)
    data = project.encoded()
    protocol = first_protocol(project, data)
    split = splitting.by_name(protocol, data, hide_seen=config.policy.hide_seen)
    if (unsupported_reason := config.model(name).unsupported_reason(split.train)) is not None:
        raise DataError(f"{name} cannot learn from this data: {unsupported_reason}")
    if not len(split.valid):
        raise DataError(f"{split.name}: nobody is left to validate on: choose another of [evaluation] protocols")
    key = _key(config, data, protocol, space)
    with (
        alone(project.folder / ".poise") as folder,
        closing(Searching(project, config, split, space, folder / "tune.db", key)) as searching,
    ):
        interrupted = searching.run(None if whole_grid else config.tune.trials)
        done = searching.tried()
        now = find(done, searching.now)
        assert now is not None  # it is tried first
        return Tuning(
            model=name,
            search=config.tune.search,
            data=data.name,
            protocol=split.name,
            requests=len(searching.part),
            space=space,
            trials=done,
            now=now,
            interrupted=interrupted,
            importance=searching.importance(),
        )


def _config(project: Project, model: str | None, search: Search | None, trials: int | None) -> tuple[Config, bool]:
    """Return the project's configuration with what the caller wants, and whether a grid is to be searched whole."""
    config = project.config
    if model is not None and model not in model_names():
        raise UsageError(
            f"there is no model {model!r}.{suggest(model, model_names())} Choose from {', '.join(model_names())}"
        )
    given: dict[str, Any] = {"model": model, "search": search, "trials": trials}
    given = {key: value for key, value in given.items() if value is not None}
    if model not in (None, config.tuned_model()) and config.tune.space:
        project.say(f"[tune.space] is for {config.tuned_model()}: looking where it suits {model}")
        given["space"] = {}
    changed = config.model_copy(update={"tune": config.tune.model_copy(update=given)})
    limited = trials is not None or "trials" in config.tune.model_fields_set
    return changed, changed.tune.search == "grid" and not limited


def _key(config: Config, data: Dataset, protocol: str, space: Space) -> str:
    """Return a name for a search: trials with the same name can be compared."""
    name = config.tuned_model()
    fixed = {option: value for option, value in config.models.get(name, {}).items() if option not in space}
    looked = {option: one if isinstance(one, list) else asdict(one) for option, one in space.items()}
    told = [__version__, data.fingerprint, protocol, config.policy.hide_seen, config.encoder, config.fit.seed]
    told += [fixed, looked]
    text = json.dumps(told, sort_keys=True, default=str)
    return f"{name}-{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"
