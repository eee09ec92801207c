"""Search for better options of a model: what ``poise tune`` does."""

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
from poise.options.search_space import Space
from poise.project.fitting import first_protocol
from poise.project.project import Project
from poise.tune.search import Trial, TuningStudy, complete_trial, exclusive_folder
from poise.tune.space import search_space

SearchMethod = Literal["bayesian", "random", "grid"]


@dataclass(frozen=True)
class TuningResult:
    """The result of a search.

    Attributes:
        model: the name of the model.
        search: the method.
        data: the name of the data.
        protocol: how the events were split.
        requests: of the validation part, over which metrics are means.
        space: the search space.
        trials: in order of time.
        current: the trial of the options that ``poise.toml`` now has.
        interrupted: whether the user stopped it.
        importance: of each option, as shares that add up to 1, the largest first. Empty where there are too few trials
            or only one option.
    """

    model: str
    search: SearchMethod
    data: str
    protocol: str
    requests: int
    space: Space
    trials: list[Trial]
    current: Trial
    interrupted: bool
    importance: Mapping[str, float]

    @property
    def best(self) -> Trial:
        """The complete trial with the best metric, of equal ones the earliest."""
        return self.ranked()[0]

    @property
    def gain(self) -> float:
        """How much better the best trial is than the options that ``poise.toml`` now has."""
        return (self.best.metric or 0.0) - (self.current.metric or 0.0)

    def ranked(self) -> list[Trial]:
        """Return the complete trials, the best first."""
        return sorted(
            (trial for trial in self.trials if trial.state == "complete"), key=lambda trial: -(trial.metric or 0.0)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON objects."""
        space = {name: values if isinstance(values, list) else asdict(values) for name, values in self.space.items()}
        return {**asdict(self), "space": space, "best": asdict(self.best), "gain": self.gain}


def tune(
    project: Project,
    *,
    model: str | None = None,
    search: SearchMethod | None = None,
    trials: int | None = None,
    minutes: float | None = None,
) -> TuningResult:
    """Search for options with which a model ranks better.

    Each trial fits the model on the training part and measures it on the validation part; the test part is never
    touched. The options that ``poise.toml`` now has come first, as the baseline. Each trial is kept in
    ``.poise/tune.db`` once it is done: called again, also after a kill, the search goes on and draws the same trials.

    Bayesian search is by tree-structured Parzen estimators: Bergstra, Bardenet, Bengio and Kégl, *Algorithms for
    Hyper-Parameter Optimization*, 2011; random search is as in Bergstra and Bengio, *Random Search for Hyper-Parameter
    Optimization*, 2012. A trial is stopped after an epoch if its best metric so far is below the median of the other
    trials' metrics after that epoch (Golovin et al., *Google Vizier: A Service for Black-Box Optimization*, 2017).

    Args:
        project: that has the data and the options.
        model: the name of the model; None for that of ``[tune]``.
        search: the method; None for that of ``[tune]``.
        trials: how many at most, including earlier ones; None for that of ``[tune]``.
        minutes: after which no further trial begins; None for that of ``[tune]``.

    Raises:
        UsageError: ``[tune]`` or an argument is wrong, or another search is at work in the project.
        DataError: the model cannot learn from the data.
        PoiseError: the options that ``poise.toml`` now has cannot be fitted, or nothing can be written.
        KeyboardInterrupt: it was interrupted before the first trial was done.
    """
    config, whole_grid = _config(project, {"model": model, "search": search, "trials": trials, "minutes": minutes})
    name, space = config.tuned_model(), search_space(config)
    data = project.encoded()
    protocol = first_protocol(project, data)
    split = splitting.by_name(protocol, data, hide_seen=config.policy.hide_seen)
    if (unsupported_reason := config.model(name).unsupported_reason(split.train)) is not None:
        raise DataError(f"{name} cannot learn from this data: {unsupported_reason}")
    if not len(split.valid):
        raise DataError(f"{split.name}: nobody is left to validate on: choose another of [evaluation] protocols")
    key = _key(config, data, protocol, space)
    with (
        exclusive_folder(project.folder / ".poise") as folder,
        closing(TuningStudy(project, config, split, space, folder / "tune.db", key)) as study,
    ):
        interrupted = study.run(None if whole_grid else config.tune.trials)
        trials_done = study.finished_trials()
        current = complete_trial(trials_done, study.current_options)
        assert current is not None  # it is tried first
        return TuningResult(
            model=name,
            search=config.tune.search,
            data=data.name,
            protocol=split.name,
            requests=len(study.part),
            space=space,
            trials=trials_done,
            current=current,
            interrupted=interrupted,
            importance=study.importance(),
        )


def _config(project: Project, options: Mapping[str, Any]) -> tuple[Config, bool]:
    """Return the project's configuration with the caller's options, and whether a grid is searched completely."""
    config = project.config
    given = {key: value for key, value in options.items() if value is not None}
    model = given.get("model")
    if not given.get("minutes", 1) > 0:
        raise UsageError(f"minutes is {given['minutes']}; it must be above 0")
    if model is not None and model not in model_names():
        raise UsageError(
            f"there is no model {model!r}.{suggest(model, model_names())} Choose from {', '.join(model_names())}"
        )
    if model not in (None, config.tuned_model()) and config.tune.space:
        project.say(f"[tune.space] is for {config.tuned_model()}: looking where it suits {model}")
        given["space"] = {}
    changed = config.model_copy(update={"tune": config.tune.model_copy(update=given)})
    limited = "trials" in given or "trials" in config.tune.model_fields_set
    return changed, changed.tune.search == "grid" and not limited


def _key(config: Config, data: Dataset, protocol: str, space: Space) -> str:
    """Return a key of the search: trials with the same key can be compared."""
    name = config.tuned_model()
    fixed = {option: value for option, value in config.models.get(name, {}).items() if option not in space}
    looked = {option: values if isinstance(values, list) else asdict(values) for option, values in space.items()}
    parts = [__version__, data.fingerprint, protocol, config.policy.hide_seen, config.encoder]
    parts += [config.fit.seed, fixed, looked]
    text = json.dumps(parts, sort_keys=True, default=str)
    return f"{name}-{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"
