"""Choosing the encoder: the one that the project names, or the same one tuned on its catalogue and log."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, replace
from typing import Any

from poise.adaptation import Adaptation, adapt
from poise.data.dataset import Dataset
from poise.data.holdout import Split
from poise.encoders.text import TextEncoder
from poise.errors import DataError
from poise.options.fit_options import FitOptions
from poise.project.project import Project

METRIC = "NDCG@10"


@dataclass(frozen=True)
class EncoderChoice:
    """The tuned encoder and the frozen one that it comes from, compared on validation.

    Attributes:
        tuned: the tuned one if it is better; None to use the frozen one.
        metrics: NDCG@10 on validation, by ``tuned`` and ``frozen``.
        p: the probability of a difference at least as large if the two were equally good.
    """

    tuned: TextEncoder | None
    metrics: dict[str, float]
    p: float

    @property
    def verdict(self) -> str:
        """Which one is used, and why, in one line."""
        comparison = f"{METRIC} {self.metrics['tuned']:.4f} against {self.metrics['frozen']:.4f} (p {self.p:.4f})"
        if self.tuned is not None:
            return f"the tuned encoder is better on validation: {comparison}; it is used"
        return f"the tuned encoder is not shown to be better on validation: {comparison}; the frozen one is used"

    @property
    def metadata(self) -> dict[str, Any]:
        """The content of ``run.json`` about the encoder."""
        metrics = {name: round(value, 6) for name, value in self.metrics.items()}
        return {"tuned": self.tuned is not None, "on_validation": {METRIC: metrics, "p": self.p}}


def choose_encoder(project: Project, split: Split) -> EncoderChoice | None:
    """Tune the project's encoder on the training part of a split, and choose between the two on the validation part.

    The tuned one is used only if :class:`~poise.models.Content` has a significantly better NDCG@10 with it. It is kept
    in the project and not tuned again.

    Returns:
        None if the project does not want tuning, or there are no vectors.

    Raises:
        UsageError: the encoder cannot be tuned.
        PoiseError: the project's folder cannot be written.
    """
    options, encoder = project.config.encoder_adaptation(), project.config.text_encoder()
    if options is None or encoder is None or encoder.name not in split.train.vectors:
        return None
    try:
        tuned = _tuned(project, split, encoder, options)
    except DataError as error:
        project.say(f"{error}; the encoder is used as it is")
        return None
    choice = _better(split, encoder, tuned, project.fit_options)
    project.say(choice.verdict)
    return choice


def _tuned(project: Project, split: Split, encoder: TextEncoder, options: Adaptation) -> TextEncoder:
    seed = project.fit_options.seed_or(options.seed)
    described = [{**asdict(options), "seed": seed}, encoder.backend.identity, encoder.columns, split.train.fingerprint]
    digest = hashlib.blake2b(json.dumps(described).encode(), digest_size=8).hexdigest()
    kind = f"encoder-{split.name.replace(' ', '-')}"
    folder = project.folder / ".poise" / f"{kind}-{digest}"
    if folder.exists():
        return replace(encoder, model=str(folder))
    for old in folder.parent.glob(f"{kind}-*"):
        shutil.rmtree(old, ignore_errors=True)
    project.say(f"tuning {encoder.model} on the catalogue and the training events, {options.minutes:g} minutes at most")
    return adapt(split.train, folder, encoder=encoder, adaptation=options, options=project.fit_options)


def _better(split: Split, frozen: TextEncoder, tuned: TextEncoder, options: FitOptions) -> EncoderChoice:
    from poise.evaluation import evaluate
    from poise.models import Content
    from poise.models.validation import K, sample

    valid = sample(split.valid)
    trains: dict[str, Dataset] = {"tuned": tuned.encode_items(split.train), "frozen": split.train}
    models = {name: Content(vectors=frozen.name).fit(train, valid, options) for name, train in trains.items()}
    report = evaluate(models, valid, k=min(K, split.train.n_items), metrics=["NDCG"])
    (comparison,) = report.significance()
    better = comparison.best == "tuned" and comparison.real
    metrics = {name: report.estimates[name][report.primary].value for name in models}
    return EncoderChoice(tuned if better else None, metrics, comparison.p)
