"""Fitting runs and comparing models: what ``poise fit`` and ``poise evaluate`` do."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poise._version import __version__
from poise.config import FILE
from poise.data import split as splitting
from poise.data.dataset import Dataset
from poise.data.holdout import Holdout, Split
from poise.durations import in_words
from poise.errors import DataError, PoiseError, UsageError, suggest
from poise.files import atomic_directory, write_json
from poise.models import model_names
from poise.pipeline import Pipeline
from poise.project.encoding import EncoderChoice, choose_encoder
from poise.project.fitted_parts import FittedParts, expected_seconds, forget_fitted_parts
from poise.project.judgement import PIPELINE, POPULARITY, RANDOM, Judgement, judge, popularity_pipeline
from poise.project.project import Project
from poise.project.run import ENCODER, FORMAT, Run, write_catalogue
from poise.recommender import Recommender
from poise.wording import median_value

if TYPE_CHECKING:
    from poise.evaluation import Report
    from poise.evaluation.significance import Estimate
    from poise.report.page import Tone

Ask = Callable[[Judgement], bool]
"""Whether to serve Popularity in place of a pipeline that is no better."""


@dataclass(frozen=True)
class Comparison:
    """Models, fitted on the training part of a split and evaluated on its test part.

    Attributes:
        split: of the events.
        models: the fitted models, by name, the project's pipeline last.
        report: their metrics.
        encoder: that gave the vectors, if the project tunes its own; None otherwise.
    """

    split: Split
    models: Mapping[str, Recommender]
    report: Report
    encoder: EncoderChoice | None = None

    @property
    def pipeline(self) -> tuple[str, Pipeline]:
        """The project's pipeline, with its name in the report."""
        name, pipeline = list(self.models.items())[-1]
        assert isinstance(pipeline, Pipeline)
        return name, pipeline


def fit(project: Project, *, ask: Ask | None = None) -> Run:
    """Fit the project's pipeline, evaluate it, and save it as a run.

    The pipeline is fitted on the training part, selects options on the validation part and is evaluated on the test
    part, beside the most popular items and a random order. If it is no better than what is popular, the run serves
    that, unless ``[fit] serve = "pipeline"``. Then what is served is fitted on all events, unless
    ``[fit] refit = false``. What is said on the way is also written to ``.poise/fit.log``; a fit that was killed
    goes on with the first model that it had not fitted.

    Args:
        project: where the data is, and the run will be.
        ask: decides, where the pipeline is no better than Popularity, whether to serve Popularity; None does as
            ``[fit] serve`` says.

    Raises:
        PoiseError: the data does not allow it; nothing is written then.
    """
    started = time.perf_counter()
    with project.logged("fit"):
        data = project.encoded()
        if (seconds := expected_seconds(project, data)) is not None:
            project.say(f"it will take about {in_words(seconds)}, by how long the last fit took")
        comparison = compare(project, data, first_protocol(project, data), [RANDOM, POPULARITY])
        return keep(project, data, comparison, started=started, ask=ask)


def compare(project: Project, data: Dataset, protocol: str, names: Sequence[str] | None = None) -> Comparison:
    """Fit models and the project's pipeline on the training part of a split, and evaluate them on its test part.

    Args:
        project: that has the pipeline and the options.
        data: with vectors.
        protocol: how to split the events.
        names: the models; None for those of ``[evaluation] compare``.

    Raises:
        UsageError: there is no such model.
        DataError: the data cannot be split in that way.
    """
    from poise.evaluation import evaluate

    config = project.config
    cutoffs = cutoffs_for(project, data)
    split = splitting.by_name(protocol, data, hide_seen=config.policy.hide_seen)
    encoder = choose_encoder(project, split)
    if encoder is not None and encoder.tuned is not None:
        split = splitting.by_name(protocol, encoder.tuned.encode_items(data), hide_seen=config.policy.hide_seen)
    fitted: dict[str, Recommender] = {}
    parts = FittedParts(project, split)
    for make in makers(project, split.train, names, fitted).values():
        model = make()
        parts.fit(model)
        fitted[f"Pipeline: {model.name}" if model.name in fitted else model.name] = model
    project.say(f"evaluating {len(fitted)} models on {len(split.test):,} requests ({split.name})")
    report = evaluate(fitted, split.test, k=cutoffs, seed=config.evaluation.seed)
    return Comparison(split, fitted, report, encoder)


def cutoffs_for(project: Project, data: Dataset) -> list[int]:
    """Return the cut-offs of metrics: those of the project, up to the size of the catalogue."""
    table = project.config.evaluation
    fitting = [k for k in table.k if k <= data.n_items] or [data.n_items]
    if fitting != table.k and "k" in table.model_fields_set:
        project.say(f"evaluation.k: there are only {data.n_items:,} items, so metrics are of {_listed(fitting)}")
    return fitting


def _listed(cutoffs: Sequence[int]) -> str:
    return ", ".join(f"the first {k}" for k in cutoffs)


def first_protocol(project: Project, data: Dataset) -> str:
    """Return the first protocol of the project that its data allows."""
    wanted = project.config.evaluation.protocols
    for protocol in wanted:
        try:
            splitting.by_name(protocol, data, hide_seen=project.config.policy.hide_seen)
            return protocol
        except (DataError, UsageError) as error:
            project.say(str(error))
    raise DataError(
        f"there is nothing to measure on by {' or '.join(wanted)}: collect more events, or for people "
        "who come back to the same items set hide_seen = false under [policy]"
    )


def makers(
    project: Project,
    data: Dataset,
    names: Sequence[str] | None = None,
    fitted: Mapping[str, Recommender] | None = None,
) -> dict[str, Callable[[], Recommender]]:
    """Return factories of unfitted models by name, the project's pipeline last, without models that cannot be fitted.

    Args:
        project: that has the options and the pipeline.
        data: that they will be fitted on.
        names: the models; None for those of ``[evaluation] compare``.
        fitted: models by name that the pipeline takes as they are when it is made.

    Raises:
        UsageError: there is no such model.
    """
    config = project.config
    asked = config.evaluation.compare if names is None else names
    chosen = [name for name in asked if name != "Blend"]  # which is the pipeline's, and always there
    for name in chosen:
        if name not in model_names():
            raise UsageError(
                f"there is no model {name!r}.{suggest(name, model_names())} Choose from {', '.join(model_names())}"
            )
    named = [*chosen, *config.pipeline.models, *config.pipeline.retrievers]
    without = frozenset(config.unsupported_models(data, named, project.say, asked_for=names or ()))
    factories: dict[str, Callable[[], Recommender]] = {
        name: partial(config.model, name) for name in chosen if name not in without
    }
    return factories | {"pipeline": partial(config.make_pipeline, without, fitted)}


@dataclass(frozen=True, kw_only=True)
class Result:
    """A fitted pipeline and its evaluation: the content of a run.

    Attributes:
        pipeline: the pipeline.
        metrics: its own, by name.
        report: the metrics of all that were compared.
        holdout: that they were evaluated on.
        models: that were evaluated, by name.
        config: the ``poise.toml`` that it was fitted with.
        encoder: the folder of the encoder that was tuned for it; None for none.
        until: the time of the newest event that it is trained on, in milliseconds since 1970; None if
            the log has no times.
        metadata: further content of ``run.json``.
        remarks: sentences that stand first in the report, each with its tone.
    """

    pipeline: Pipeline
    metrics: Mapping[str, Estimate]
    report: Report
    holdout: Holdout
    models: Mapping[str, Recommender]
    config: Path
    encoder: Path | None
    until: int | None
    metadata: Mapping[str, Any]
    remarks: Sequence[tuple[str, Tone]] = ()


def keep(project: Project, data: Dataset, comparison: Comparison, *, started: float, ask: Ask | None = None) -> Run:
    """Save the fitted pipeline of a comparison as a run, after fitting it on all events if the project wants that.

    Args:
        project: where to save it.
        data: all events.
        comparison: the fitted models and their metrics.
        started: when the work on the run began, by :func:`time.perf_counter`.
        ask: see :func:`fit`.

    Raises:
        PoiseError: the disk is full or the pipeline cannot be saved; nothing is written then.
    """
    name, pipeline = comparison.pipeline
    judgement = judge(comparison.report, name, comparison.models, comparison.split)
    served, metrics = (
        _popularity(project, comparison)
        if _serves_popularity(project, judgement, ask)
        else (pipeline, comparison.report.estimates[name])
    )
    encoder, refit = comparison.encoder, project.config.fit.refit
    tuned = None if encoder is None else encoder.tuned

    def learn_all() -> None:
        if refit:
            project.say("learning from all events, validation and test too")
            served.refit(data if tuned is None else tuned.encode_items(data), project.fit_options)

    result = Result(
        pipeline=served,
        metrics=metrics,
        report=comparison.report,
        holdout=comparison.split.test,
        models=comparison.models,
        config=project.folder / FILE,
        encoder=None if tuned is None else Path(tuned.model),
        until=(data if refit else comparison.split.train).events.until or None,
        metadata={
            "measured_on": comparison.split.name,
            "refitted_on_all_events": refit,
            "encoder": None if encoder is None else encoder.metadata,
            **({} if served is pipeline else {"pipeline": POPULARITY}),
            "judgement": judgement.to_dict(PIPELINE if served is pipeline else POPULARITY),
        },
        remarks=[(line, "plain" if judgement.is_better else "warning") for line in judgement.lines],
    )
    run = write_run(project, data, result, learn_all, started=started)
    forget_fitted_parts(project)
    return run


def _serves_popularity(project: Project, judgement: Judgement, ask: Ask | None) -> bool:
    """Decide whether to serve what is popular in place of a pipeline that is no better."""
    if judgement.serves != POPULARITY or project.config.fit.serve == "pipeline":
        return False
    return True if ask is None else ask(judgement)


def _popularity(project: Project, comparison: Comparison) -> tuple[Pipeline, Mapping[str, Estimate]]:
    """Return the pipeline of what is popular, fitted on the training part, and its metrics on the test part."""
    from poise.evaluation import evaluate

    split, report = comparison.split, comparison.report
    _, pipeline = comparison.pipeline
    served = popularity_pipeline(pipeline, comparison.models[POPULARITY])
    served.fit(split.train, split.valid, project.fit_options)
    cutoffs, seed = report.protocol.cutoffs, report.protocol.seed
    return served, evaluate({POPULARITY: served}, split.test, k=cutoffs, seed=seed).estimates[POPULARITY]


def write_run(project: Project, data: Dataset, result: Result, learn_all: Callable[[], None], *, started: float) -> Run:
    """Write a run, atomically.

    Args:
        project: where to save it.
        data: all events.
        result: the pipeline and its metrics.
        learn_all: trains the pipeline on the holdout too.
        started: when the work on the run began, by :func:`time.perf_counter`.

    Raises:
        PoiseError: the disk is full or the pipeline cannot be saved; nothing is written then.
    """
    from poise.evaluation import write_report

    pipeline, report = result.pipeline, result.report
    now = datetime.now(UTC)
    metadata = {
        "format": FORMAT,
        "poise": __version__,
        "made": now.isoformat(timespec="seconds"),
        "pipeline": pipeline.name,
        "policy": [step.name for step in pipeline.policy],
        "data": {
            "name": data.name,
            "fingerprint": data.fingerprint,
            "events": data.n_events,
            "users": data.n_users,
            "items": data.n_items,
            "until": result.until,
        },
        "behaviours": data.behaviour_ids.series.to_list(),
        "item_kinds": dict(data.item_kinds),
        "title_column": data.title_column,
        "liked_from": _liked_from(data),
        "value_kind": data.value_kind,
        "feedback": asdict(project.live_feedback(data)),
        "seed": project.config.evaluation.seed,
        "chosen_on_validation": _choices(pipeline),
        "validation_metrics": _validation_metrics(pipeline),
        "notes": {part.name: part.notes for part in _parts(pipeline) if part.notes},
        "metrics": {metric: one.value for metric, one in result.metrics.items()},
        **result.metadata,
    }
    with _new_run(project.runs_folder, now) as (name, folder):
        shutil.copyfile(result.config, folder / "config.toml")
        write_report(
            report, folder / "report.html", holdout=result.holdout, models=result.models, remarks=result.remarks
        )
        write_json(folder / "metrics.json", report.to_dict())
        learn_all()
        pipeline.save(folder / "pipeline")
        if result.encoder is not None:
            shutil.copytree(result.encoder, folder / ENCODER)
        write_catalogue(data, folder)
        metadata["seconds"] = round(time.perf_counter() - started, 1)
        write_json(folder / "run.json", metadata)
    return project.run(name)


def _liked_from(data: Dataset) -> float | None:
    """Return the value from which an event means a like; None where events have no values."""
    median = median_value(data.events.value)
    return None if math.isnan(median) else median


@contextmanager
def _new_run(runs: Path, now: datetime) -> Iterator[tuple[str, Path]]:
    """Yield a unique name for a run, and a temporary folder that becomes the run when the block succeeds."""
    first = f"{now:%Y-%m-%dT%H-%M-%S}"
    for n in count(1):
        name = first if n == 1 else f"{first}-{n}"
        try:
            (runs / name).mkdir(parents=True)  # an empty folder is no run yet, but the name is taken
            break
        except FileExistsError:
            continue
        except OSError as error:
            raise PoiseError(
                f"{runs} cannot be written ({error.strerror}): free some space, or mend its rights"
            ) from None
    try:
        with atomic_directory(runs / name) as folder:
            yield name, folder
    finally:
        with suppress(OSError):  # not empty if the run was written
            (runs / name).rmdir()


def _choices(pipeline: Pipeline) -> dict[str, Any]:
    """Return what the parts of a pipeline and the steps of its policy selected on validation, by their names."""
    ranker = pipeline.ranker
    selected = dict(ranker.selection) if ranker.parts else {}  # of a blend, its weights
    selected |= {part.name: part.selection for part in _parts(pipeline) if not part.parts}
    selected |= {step.name: step.selection for step in pipeline.policy}
    return {name: choices for name, choices in selected.items() if choices}


def _validation_metrics(pipeline: Pipeline) -> dict[str, dict[str, float]]:
    """Return what the parts of a pipeline and the steps of its policy measured on validation, by their names."""
    measured = {part.name: part.metrics for part in _parts(pipeline)}
    measured |= {step.name: step.metrics for step in pipeline.policy}
    return {name: metrics for name, metrics in measured.items() if metrics}


def _parts(model: Recommender) -> list[Recommender]:
    """Return a model and all that it is made of, the whole before its parts."""
    return [model, *(inner for part in model.parts for inner in _parts(part))]
