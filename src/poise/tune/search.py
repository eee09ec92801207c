"""The study behind ``poise tune``: which options are tried next, how they are measured, where trials are kept."""

from __future__ import annotations

import json
import sqlite3
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock, Timeout

from poise.config import Config
from poise.data.holdout import Split
from poise.errors import PoiseError, UsageError, one_line
from poise.models.validation import mean_ndcg, sample
from poise.options.search_space import Space
from poise.project.project import Project
from poise.recommender import Recommender
from poise.tune.space import grid_points, optuna_parameters, sample_options

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial
    from optuna.trial import Trial as RunningTrial

METRIC = "NDCG@10"
UNPRUNED_TRIALS = 4  # before which no trial is stopped early
UNPRUNED_EPOCHS = 2  # in which a trial with a low learning rate may still look bad
REDRAWN = 30  # times, where the sampler repeats options
LEAST_FOR_IMPORTANCE = 8  # trials
LEAST_GOOD = 5  # trials that count as good in the importance of options

State = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class Trial:
    """One trial of a search.

    Attributes:
        number: from 0, in order of time.
        options: the searched options, by name.
        state: ``complete``; ``pruned``, stopped early because it was bad; ``failed``, the model could not be fitted.
        metric: NDCG@10 on the validation part; of a pruned trial, the best of its epochs; None where there is none.
        seconds: its duration.
        epochs: the metric after each epoch, for models that are trained by epochs.
        error: why it failed; empty if it did not.
    """

    number: int
    options: Mapping[str, Any]
    state: State
    metric: float | None
    seconds: float
    epochs: Mapping[int, float]
    error: str


@contextmanager
def exclusive_folder(folder: Path) -> Iterator[Path]:
    """Yield the folder of a search with an exclusive lock on it, which ends with its process.

    Raises:
        UsageError: another process holds it.
        PoiseError: the folder cannot be written.
    """
    lock = FileLock(folder / "tune.lock", blocking=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise UsageError(f"another 'poise tune' is at work in {folder.parent}: wait for it, or stop it") from None
    except OSError as error:
        raise PoiseError(
            f"{folder} cannot be written ({error.strerror}): trials are kept there; mend its rights"
        ) from None
    try:
        yield folder
    finally:
        lock.release()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")  # with the next line, no waiting for the disk after each epoch
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


class TuningStudy:
    """A search and its trials so far.

    Optuna keeps two studies: one of sampled options, and one of the options that ``poise.toml`` had, which may lie
    outside the space (``l2`` that follows from the data) and would confuse a sampler.
    """

    def __init__(self, project: Project, config: Config, split: Split, space: Space, path: Path, key: str) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.say, self.config, self.split, self.space = project.say, config, split, space
        self.fit_options = replace(project.fit_options, checkpoint_folder=None)  # trials are many, and each is short
        self.name, self.part = config.tuned_model(), sample(split.valid)
        configured = config.model(self.name)
        self.current_options: dict[str, Any] = {option: getattr(configured, option) for option in space}
        pruner = optuna.pruners.MedianPruner(UNPRUNED_TRIALS, UNPRUNED_EPOCHS + 1)
        try:
            self.storage = optuna.storages.RDBStorage("sqlite://", engine_kwargs={"creator": lambda: _connect(path)})
            self.sampled_study, self.current_study = (
                optuna.create_study(
                    storage=self.storage,
                    study_name=study_name,
                    direction="maximize",
                    pruner=pruner,
                    load_if_exists=True,
                )
                for study_name in (key, f"{key}-given")
            )
        except Exception as error:  # SQLAlchemy has a kind of its own for each way in which a file can be broken
            raise PoiseError(
                f"the trials in {path} cannot be read ({one_line(error)[:99]}): delete it and what begins with its name"
            ) from error
        for study in (self.sampled_study, self.current_study):
            for trial in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):  # of a process that was killed
                study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

    def close(self) -> None:
        """Close the file with the trials."""
        self.storage.remove_session()
        self.storage.engine.dispose()

    def run(self, planned: int | None) -> bool:
        """Run trials until there are ``planned``, or the time is over; None for all points of a grid.

        Returns:
            whether it was interrupted.
        """
        done = self.finished_trials()
        if planned is None:
            grid = grid_points(self.space, self.config.tune.seed)
            planned = len(
                {_options_key(options) for options in (*grid, self.current_options, *(trial.options for trial in done))}
            )
        if done:
            self.say(f"{len(done)} trials of an earlier search are kept; going on to {planned}")
        if complete_trial(done, self.current_options) is None:
            self._run_trial(self.current_study, self.current_study.ask(), None, len(done), planned)
        table = self.config.tune
        end = None if table.minutes is None else time.monotonic() + 60 * table.minutes
        try:
            while len(done := self.finished_trials()) < planned:
                if end is not None and time.monotonic() > end:
                    self.say(f"{table.minutes:g} minutes are over")
                    break
                if (next_trial := self._next_trial(done)) is None:
                    break
                self._run_trial(self.sampled_study, *next_trial, len(done), planned)
        except KeyboardInterrupt:
            return True
        return False

    def _next_trial(self, done: list[Trial]) -> tuple[RunningTrial, dict[str, Any]] | None:
        """Return the next trial and its options, which were not tried yet; None if there are none."""
        by_key = {_options_key(trial.options): trial for trial in done}
        if self.config.tune.search == "grid":
            new = (
                point for point in grid_points(self.space, self.config.tune.seed) if _options_key(point) not in by_key
            )
            if (point := next(new, None)) is None:
                return None
            self.sampled_study.sampler = self._sampler(point)
            trial = self.sampled_study.ask()
            return trial, sample_options(trial, self.space)
        for _ in range(REDRAWN):
            self.sampled_study.sampler = self._sampler({})
            trial = self.sampled_study.ask()
            options = sample_options(trial, self.space)
            if (before := by_key.get(_options_key(options))) is None:
                return trial, options
            self._record_repeat(trial, before)
        self.say("the search repeats options that were tried: there is little else in this space")
        return None

    def _sampler(self, point: dict[str, Any]) -> BaseSampler:
        """Return the sampler of the next trial. Its seed follows from the trials so far: a kill changes nothing."""
        from optuna.samplers import PartialFixedSampler, RandomSampler, TPESampler

        seed = self.config.tune.seed * 1_000_003 + sum(map(_is_settled, self.sampled_study.get_trials(deepcopy=False)))
        if point:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of Optuna, that it is experimental
                return PartialFixedSampler(optuna_parameters(point), RandomSampler(seed))
        return TPESampler(seed=seed) if self.config.tune.search == "bayesian" else RandomSampler(seed)

    def _record_repeat(self, trial: RunningTrial, before: Trial) -> None:
        """Give the sampler the result of options that were tried before."""
        from optuna.trial import TrialState

        trial.set_user_attr("repeats", before.number)
        if before.state == "complete":
            self.sampled_study.tell(trial, before.metric)
        else:
            self.sampled_study.tell(trial, state=TrialState.PRUNED if before.state == "pruned" else TrialState.FAIL)

    def _run_trial(
        self, study: Study, trial: RunningTrial, options: dict[str, Any] | None, number: int, planned: int
    ) -> None:
        """Fit and measure; ``options`` are None for those that ``poise.toml`` now has."""
        from optuna import TrialPruned
        from optuna.trial import TrialState

        shown = "as poise.toml has it" if options is None else format_options(options)
        started = time.perf_counter()
        state, metric, error = TrialState.COMPLETE, None, ""
        try:
            metric = self._measure(trial, options)
            ended = f"{METRIC} {metric:.4f}"
        except TrialPruned:
            state, ended = TrialState.PRUNED, "stopped early"
        except (PoiseError, MemoryError) as problem:
            if options is None:
                study.tell(trial, state=TrialState.FAIL)
                raise
            error = str(problem) or "too little memory"
            state, ended = TrialState.FAIL, f"failed: {error}"
        except BaseException:
            study.tell(trial, state=TrialState.FAIL)  # without attributes: the same will be drawn again
            raise
        trial.set_user_attr("options", json.dumps(self.current_options if options is None else options))
        trial.set_user_attr("seconds", time.perf_counter() - started)
        if error:
            trial.set_user_attr("error", error)
        study.tell(trial, metric, state=state)
        best = max(
            (
                finished.metric
                for finished in self.finished_trials()
                if finished.state == "complete" and finished.metric
            ),
            default=0.0,
        )
        self.say(f"trial {number} ({number + 1} of {planned}): {shown}: {ended}, best so far {best:.4f}")

    def _measure(self, trial: RunningTrial, options: dict[str, Any] | None) -> float:
        """Return the metric of a model that is fitted with ``options``.

        Raises:
            TrialPruned: after an epoch, as the trial is worse than others.
        """
        told = replace(self.fit_options, callbacks=(_Pruner(trial, prune=options is not None),))
        model = self._make(options or {}).fit(self.split.train, self.split.valid, told)
        return mean_ndcg(model, self.part)

    def _make(self, options: dict[str, Any]) -> Recommender:
        changed = {**self.config.models, self.name: {**self.config.models.get(self.name, {}), **options}}
        return self.config.model_copy(update={"models": changed}).model(self.name)

    def finished_trials(self) -> list[Trial]:
        """Return the finished trials in order of time."""
        frozen_trials = [
            trial for study in (self.current_study, self.sampled_study) for trial in study.get_trials(deepcopy=False)
        ]
        settled = [trial for trial in frozen_trials if _is_settled(trial) and "repeats" not in trial.user_attrs]
        settled.sort(key=lambda trial: trial.datetime_complete or trial.datetime_start)  # type: ignore[arg-type,return-value]
        return [_trial(number, trial) for number, trial in enumerate(settled)]

    def importance(self) -> dict[str, float]:
        """Return how much each option separates the good trials from the others, as shares, the largest first.

        The method is Watanabe, Bansal and Hutter, *PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in
        Arbitrary Subspaces*, 2023. Empty where there are too few trials.
        """
        import optuna

        complete = [
            trial for trial in self.sampled_study.get_trials(states=[optuna.trial.TrialState.COMPLETE]) if trial.params
        ]
        complete = [trial for trial in complete if "repeats" not in trial.user_attrs]
        if len(complete) < LEAST_FOR_IMPORTANCE or len(self.space) < 2:
            return {}
        study = optuna.create_study(direction="maximize")
        study.add_trials(complete)
        good = min(0.5, max(0.1, LEAST_GOOD / len(complete)))
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=good)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Optuna, that an argument is experimental
            importances = optuna.importance.get_param_importances(study, evaluator=evaluator, normalize=False)
        total = sum(importances.values())
        shares = {option: importances.get(option, 0.0) / total for option in self.space} if total > 0 else {}
        return dict(sorted(shares.items(), key=lambda trial: -trial[1]))


class _Pruner:
    """Tells a trial of the epochs of its model, and ends it where it is bad."""

    def __init__(self, trial: RunningTrial, *, prune: bool) -> None:
        self.trial, self.prune = trial, prune

    def on_epoch(self, label: str, epoch: int, metric: float) -> None:
        """See :class:`poise.options.fit_options.Callback`."""
        from optuna import TrialPruned

        self.trial.report(metric, epoch)
        if self.prune and self.trial.should_prune():
            raise TrialPruned


def complete_trial(trials: list[Trial], options: Mapping[str, Any]) -> Trial | None:
    """Return the complete trial of these options; None if there is none."""
    key = _options_key(options)
    return next((trial for trial in trials if trial.state == "complete" and _options_key(trial.options) == key), None)


def format_options(options: Mapping[str, Any]) -> str:
    """Return options as one line."""
    return ", ".join(f"{name} {format_value(value)}" for name, value in options.items())


def format_value(value: Any) -> str:
    """Return the value of an option as text."""
    return "none" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _options_key(options: Mapping[str, Any]) -> str:
    return json.dumps(options, sort_keys=True)


def _is_settled(trial: FrozenTrial) -> bool:
    """Return whether a trial ended by itself and was not interrupted."""
    return trial.state.is_finished() and (
        trial.state.name != "FAIL" or "error" in trial.user_attrs or "repeats" in trial.user_attrs
    )


def _trial(number: int, frozen: FrozenTrial) -> Trial:
    attributes = frozen.user_attrs
    states: dict[str, State] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    state = states[frozen.state.name]
    epochs = dict(sorted(frozen.intermediate_values.items()))
    metric = frozen.value if state == "complete" else max(epochs.values(), default=None)
    return Trial(
        number=number,
        options=json.loads(attributes["options"]),
        state=state,
        metric=metric,
        seconds=attributes["seconds"],
        epochs=epochs,
        error=attributes.get("error", ""),
    )
