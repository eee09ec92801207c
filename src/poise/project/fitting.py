"""Making a run, and comparing models: what ``poise fit`` and ``poise evaluate`` do."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from poise._version import __version__
from poise.config import FILE
from poise.data import split as splitting
from poise.data.dataset import Dataset
from poise.data.holdout import Split
from poise.errors import UsageError, suggest
from poise.files import atomic_directory, write_json
from poise.models import MODULES
from poise.pipeline import Pipeline
from poise.project.project import Project
from poise.project.run import FORMAT, Run, write_catalogue
from poise.recommender import Recommender

if TYPE_CHECKING:
    from poise.evaluation import Report


@dataclass(frozen=True)
class Comparison:
    """Models, fitted on the training part of a split, and how good they were on its test part.

    Attributes:
        split: how the events were parted.
        models: the fitted models, by name, the project's pipeline last.
        report: their figures.
    """

    split: Split
    models: Mapping[str, Recommender]
    report: Report

    @property
    def pipeline(self) -> tuple[str, Pipeline]:
        """The project's pipeline, and what it is called in the report."""
        name, pipeline = list(self.models.items())[-1]
        assert isinstance(pipeline, Pipeline)
        return name, pipeline


def fit(project: Project) -> Run:
    """Fit the project's pipeline, measure it, and keep it as a run.

    The pipeline learns from the training part, chooses on the validation part and is measured on the test part, beside
    what is merely popular. Then it learns from all events, unless ``[fit] refit = false``.

    Raises:
        PoiseError: the data does not allow it; nothing is written then.
    """
    data = project.encoded()
    return keep(project, data, compare(project, data, project.config.evaluation.protocols[0], ["Popularity"]))


def compare(project: Project, data: Dataset, protocol: str, names: Sequence[str] | None = None) -> Comparison:
    """Fit models and the project's pipeline on the training part of a split, and evaluate them on its test part.

    Args:
        project: whose pipeline and options.
        data: with vectors.
        protocol: how to part the events.
        names: the models; None for those of ``[evaluation] compare``.

    Raises:
        UsageError: there is no such model.
        DataError: the data cannot be parted in that way.
    """
    from poise.evaluation import evaluate

    config = project.config
    split = splitting.by_name(protocol, data, hide_seen=config.policy.hide_seen)
    fitted: dict[str, Recommender] = {}
    for make in makers(project, split.train, names).values():
        model = make()
        started = time.perf_counter()
        model.fit(split.train, split.valid)
        project.say(f"fitted {model.name} in {time.perf_counter() - started:.1f} s")
        fitted[f"Pipeline: {model.name}" if model.name in fitted else model.name] = model
    project.say(f"evaluating {len(fitted)} models on {len(split.test):,} requests ({split.name})")
    report = evaluate(fitted, split.test, k=config.evaluation.k, seed=config.evaluation.seed)
    return Comparison(split, fitted, report)


def makers(
    project: Project, data: Dataset, names: Sequence[str] | None = None
) -> dict[str, Callable[[], Recommender]]:
    """Return what makes unfitted models, by name, and last the project's pipeline; those that cannot learn are left out.

    Args:
        project: whose options and pipeline.
        data: what they are to learn from.
        names: the models; None for those of ``[evaluation] compare``.

    Raises:
        UsageError: there is no such model.
    """
    config = project.config
    chosen = config.evaluation.compare if names is None else names
    known = [name for name in MODULES if name != "Blend"]
    for name in chosen:
        if name not in known:
            raise UsageError(f"there is no model {name!r}.{suggest(name, known)} Choose from {', '.join(known)}")
    unable = set()
    for name in dict.fromkeys([*chosen, *config.pipeline.models, *config.pipeline.retrievers]):
        if (obstacle := config.model(name).obstacle(data)) is not None:
            project.say(f"leaving out {name}: {obstacle}")
            unable.add(name)
    without = frozenset(unable)
    found: dict[str, Callable[[], Recommender]] = {
        name: partial(config.model, name) for name in chosen if name not in without
    }
    return found | {"pipeline": partial(config.make_pipeline, without)}


def keep(project: Project, data: Dataset, comparison: Comparison) -> Run:
    """Keep the fitted pipeline of a comparison as a run, after it has learnt from all events if the project wants that.

    Raises:
        PoiseError: the disk is full or the pipeline cannot be saved; nothing is written then.
    """
    from poise.evaluation import write_report

    started = time.perf_counter()
    config, report = project.config, comparison.report
    called, pipeline = comparison.pipeline
    now = datetime.now(UTC)
    facts = {
        "format": FORMAT,
        "poise": __version__,
        "made": now.isoformat(timespec="seconds"),
        "pipeline": pipeline.name,
        "data": {
            "name": data.name,
            "fingerprint": data.fingerprint,
            "events": data.n_events,
            "users": data.n_users,
            "items": data.n_items,
        },
        "measured_on": comparison.split.name,
        "refitted_on_all_events": config.fit.refit,
        "seed": config.evaluation.seed,
        "chosen_on_validation": _choices(pipeline),
        "figures": {figure: one.value for figure, one in report.estimates[called].items()},
    }
    name = f"{now:%Y-%m-%dT%H-%M-%S}"
    with atomic_directory(project.runs_folder / name) as folder:
        shutil.copyfile(project.folder / FILE, folder / "config.toml")
        write_report(report, folder / "report.html", holdout=comparison.split.test, models=comparison.models)
        write_json(folder / "metrics.json", report.to_dict())
        if config.fit.refit:
            project.say("learning from all events, validation and test too")
            pipeline.refit(data)
        pipeline.save(folder / "pipeline")
        write_catalogue(data, folder)
        facts["seconds"] = round(time.perf_counter() - started, 1)
        write_json(folder / "run.json", facts)
    return project.run(name)


def _choices(pipeline: Pipeline) -> dict[str, Any]:
    """Return what the parts of a pipeline chose on validation, by the name of the part."""
    from poise.models import Blend

    parts: list[Recommender] = [pipeline.ranker, *pipeline.retrievers]
    found: dict[str, Any] = {}
    if isinstance(pipeline.ranker, Blend):
        names = [member.name for member in pipeline.ranker.members]
        found["weights"] = dict(zip(names, pipeline.ranker.shares.round(3).tolist(), strict=True))
        parts = [*pipeline.ranker.members, *pipeline.retrievers]
    return found | {one.name: one.chosen for one in parts if one.chosen}


