"""The search behind ``poise tune``: what is tried next, how it is measured, where it is kept."""

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

from poise.config import Config
from poise.data.holdout import Split
from poise.errors import PoiseError, UsageError, one_line
from poise.models.validation import mean_ndcg, sample
from poise.project.project import Project
from poise.recommender import Recommender
from poise.search_space import Space
from poise.tune.space import as_parameters, draw, points

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial
    from optuna.trial import Trial as Asked

METRIC = "NDCG@10"
UNPRUNED_TRIALS = 4  # before which there is no telling what is bad
UNPRUNED_EPOCHS = 2  # in which a trial with a low learning rate may still look bad
REDRAWN = 30  # times, where the search comes back to what it has tried
LEAST_FOR_IMPORTANCE = 8  # trials
LEAST_GOOD = 5  # trials of which importance says what they have in common

State = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class Trial:
    """Options that were tried.

    Attributes:
        number: from 0, in order of time.
        options: those that are looked for, by name.
        state: ``complete``; ``pruned``, stopped early because it was bad; ``failed``, the model could not be fitted.
        metric: NDCG@10 on the validation part; of a pruned trial, the best of its epochs; None where there is none.
        seconds: that it took.
        epochs: the figure after each epoch, for models that learn by epochs.
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
def alone(folder: Path) -> Iterator[Path]:
    """Give the folder for a search as long as no other process searches there; a lock of SQLite ends with its process.

    Raises:
        UsageError: another process is at it.
        PoiseError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = sqlite3.connect(folder / "tune.lock", timeout=0, isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise UsageError(f"another 'poise tune' is at work in {folder.parent}: wait for it, or stop it") from None
        raise PoiseError(f"{folder} cannot be written ({error}): trials are kept there; mend its rights") from None
    except OSError as error:
        raise PoiseError(f"{folder} cannot be written ({error.strerror}): trials are kept there") from None
    try:
        yield folder
    finally:
        lock.close()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")  # with the next line, no waiting for the disk after each epoch
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


class Searching:
    """A search, and what it has found so far.

    Two studies are kept: one of what the search drew, and one of the options that ``poise.toml`` had, which may lie
    outside the space (``l2`` that the data decides) and would confuse a sampler.
    """

    def __init__(self, project: Project, config: Config, split: Split, space: Space, path: Path, key: str) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.say, self.config, self.split, self.space = project.say, config, split, space
        self.fit_options = replace(project.fit_options, checkpoint_folder=None)  # trials are many, and each is short
        self.name, self.part = config.tuned_model(), sample(split.valid)
        made = config.model(self.name)
        self.now: dict[str, Any] = {option: getattr(made, option) for option in space}
        pruner = optuna.pruners.MedianPruner(UNPRUNED_TRIALS, UNPRUNED_EPOCHS + 1)
        try:
            self.storage = optuna.storages.RDBStorage("sqlite://", engine_kwargs={"creator": lambda: _connect(path)})
            self.drawn, self.given = (
                optuna.create_study(
                    storage=self.storage, study_name=called, direction="maximize", pruner=pruner, load_if_exists=True
                )
                for called in (key, f"{key}-given")
            )
        except Exception as error:  # SQLAlchemy has a kind of its own for each way in which a file can be broken
            raise PoiseError(
                f"the trials in {path} cannot be read ({one_line(error)[:99]}): delete it and what begins with its name"
            ) from error
        for study in (self.drawn, self.given):
            for trial in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):  # of a process that was killed
                study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

    def close(self) -> None:
        """Close the file with the trials."""
        self.storage.remove_session()
        self.storage.engine.dispose()

    def run(self, planned: int | None) -> bool:
        """Try until as many trials are there, or the time is over; None for a grid that is to be tried whole.

        Returns:
            whether it was interrupted.
        """
        done = self.tried()
        if planned is None:
            grid = points(self.space, self.config.tune.seed)
            planned = len({_told(one) for one in (*grid, self.now, *(trial.options for trial in done))})
        if done:
            self.say(f"{len(done)} trials of an earlier search are kept; going on to {planned}")
        if find(done, self.now) is None:
            self._try(self.given, self.given.ask(), None, len(done), planned)
        table = self.config.tune
        end = None if table.minutes is None else time.monotonic() + 60 * table.minutes
        try:
            while len(done := self.tried()) < planned:
                if end is not None and time.monotonic() > end:
                    self.say(f"{table.minutes:g} minutes are over")
                    break
                if (found := self._ask(done)) is None:
                    break
                self._try(self.drawn, *found, len(done), planned)
        except KeyboardInterrupt:
            return True
        return False

    def _ask(self, done: list[Trial]) -> tuple[Asked, dict[str, Any]] | None:
        """Return the next trial and its options, which are new; None if there is nothing new to try."""
        known = {_told(one.options): one for one in done}
        if self.config.tune.search == "grid":
            new = (point for point in points(self.space, self.config.tune.seed) if _told(point) not in known)
            if (point := next(new, None)) is None:
                return None
            self.drawn.sampler = self._sampler(point)
            trial = self.drawn.ask()
            return trial, draw(trial, self.space)
        for _ in range(REDRAWN):
            self.drawn.sampler = self._sampler({})
            trial = self.drawn.ask()
            options = draw(trial, self.space)
            if (before := known.get(_told(options))) is None:
                return trial, options
            self._repeat(trial, before)
        self.say("the search comes back to what it has tried: there is little else in this space")
        return None

    def _sampler(self, point: dict[str, Any]) -> BaseSampler:
        """Return what draws the next trial. Its seed depends on the trials so far, as if there had been no kill."""
        from optuna.samplers import PartialFixedSampler, RandomSampler, TPESampler

        seed = self.config.tune.seed * 1_000_003 + sum(map(_is_settled, self.drawn.get_trials(deepcopy=False)))
        if point:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of Optuna, that it is experimental
                return PartialFixedSampler(as_parameters(point), RandomSampler(seed))
        return TPESampler(seed=seed) if self.config.tune.search == "bayesian" else RandomSampler(seed)

    def _repeat(self, trial: Asked, before: Trial) -> None:
        """Tell the sampler what is known of options that were tried before."""
        from optuna.trial import TrialState

        trial.set_user_attr("repeats", before.number)
        if before.state == "complete":
            self.drawn.tell(trial, before.metric)
        else:
            self.drawn.tell(trial, state=TrialState.PRUNED if before.state == "pruned" else TrialState.FAIL)

    def _try(self, study: Study, trial: Asked, options: dict[str, Any] | None, number: int, planned: int) -> None:
        """Fit and measure; ``options`` are None for those that ``poise.toml`` now has."""
        from optuna import TrialPruned
        from optuna.trial import TrialState

        shown = "as poise.toml has it" if options is None else in_words(options)
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
        trial.set_user_attr("options", json.dumps(self.now if options is None else options))
        trial.set_user_attr("seconds", time.perf_counter() - started)
        if error:
            trial.set_user_attr("error", error)
        study.tell(trial, metric, state=state)
        best = max((one.metric for one in self.tried() if one.state == "complete" and one.metric), default=0.0)
        self.say(f"trial {number} ({number + 1} of {planned}): {shown}: {ended}, best so far {best:.4f}")

    def _measure(self, trial: Asked, options: dict[str, Any] | None) -> float:
        """Return the figure of a model that is fitted with ``options``.

        Raises:
            TrialPruned: after an epoch, as the trial is bad.
        """
        told = replace(self.fit_options, callbacks=(_Pruner(trial, prune=options is not None),))
        model = self._make(options or {}).fit(self.split.train, self.split.valid, told)
        return mean_ndcg(model, self.part)

    def _make(self, options: dict[str, Any]) -> Recommender:
        changed = {**self.config.models, self.name: {**self.config.models.get(self.name, {}), **options}}
        return self.config.model_copy(update={"models": changed}).model(self.name)

    def tried(self) -> list[Trial]:
        """Return what was tried so far, the earliest first."""
        every = [trial for study in (self.given, self.drawn) for trial in study.get_trials(deepcopy=False)]
        kept = [trial for trial in every if _is_settled(trial) and "repeats" not in trial.user_attrs]
        kept.sort(key=lambda trial: trial.datetime_complete or trial.datetime_start)  # type: ignore[arg-type,return-value]
        return [_trial(number, trial) for number, trial in enumerate(kept)]

    def importance(self) -> dict[str, float]:
        """Return how much each option tells the good trials from the others, as shares, the largest first.

        The method is Watanabe, Bansal and Hutter, *PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in
        Arbitrary Subspaces*, 2023. Empty where there are few trials, or nothing to tell apart.
        """
        import optuna

        done = [one for one in self.drawn.get_trials(states=[optuna.trial.TrialState.COMPLETE]) if one.params]
        done = [one for one in done if "repeats" not in one.user_attrs]
        if len(done) < LEAST_FOR_IMPORTANCE or len(self.space) < 2:
            return {}
        study = optuna.create_study(direction="maximize")
        study.add_trials(done)
        good = min(0.5, max(0.1, LEAST_GOOD / len(done)))
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=good)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Optuna, that an argument is experimental
            found = optuna.importance.get_param_importances(study, evaluator=evaluator, normalize=False)
        total = sum(found.values())
        shares = {option: found.get(option, 0.0) / total for option in self.space} if total > 0 else {}
        return dict(sorted(shares.items(), key=lambda one: -one[1]))


class _Pruner:
    """Tells a trial of the epochs of its model, and ends it where it is bad."""

    def __init__(self, trial: Asked, *, prune: bool) -> None:
        self.trial, self.prune = trial, prune

    def on_epoch(self, label: str, epoch: int, metric: float) -> None:
        """See :class:`poise.fit_options.Callback`."""
        from optuna import TrialPruned

        self.trial.report(metric, epoch)
        if self.prune and self.trial.should_prune():
            raise TrialPruned


def find(done: list[Trial], options: Mapping[str, Any]) -> Trial | None:
    """Return the complete trial of these options; None if there is none."""
    told = _told(options)
    return next((one for one in done if one.state == "complete" and _told(one.options) == told), None)


def in_words(options: Mapping[str, Any]) -> str:
    """Return options as one line."""
    return ", ".join(f"{name} {_word(value)}" for name, value in options.items())


def _word(value: Any) -> str:
    return "none" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _told(options: Mapping[str, Any]) -> str:
    return json.dumps(options, sort_keys=True)


def _is_settled(trial: FrozenTrial) -> bool:
    """Tell whether a trial came to an end of its own, and was not cut off."""
    return trial.state.is_finished() and (
        trial.state.name != "FAIL" or "error" in trial.user_attrs or "repeats" in trial.user_attrs
    )


def _trial(number: int, kept: FrozenTrial) -> Trial:
    told = kept.user_attrs
    states: dict[str, State] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    state = states[kept.state.name]
    epochs = dict(sorted(kept.intermediate_values.items()))
    metric = kept.value if state == "complete" else max(epochs.values(), default=None)
    return Trial(
        number=number,
        options=json.loads(told["options"]),
        state=state,
        metric=metric,
        seconds=told["seconds"],
        epochs=epochs,
        error=told.get("error", ""),
    )
