"""The judgement on a fitted pipeline: does it beat Popularity and a random order, why not, and what is served."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from poise.data.doctor.signal import Signal, find_signal
from poise.data.holdout import Holdout, Split
from poise.evaluation import Report, evaluate
from poise.evaluation.report import Protocol
from poise.evaluation.significance import ALPHA, Comparison, compare, p_text
from poise.models.validation import sample
from poise.pipeline import Pipeline
from poise.recommender import Recommender

POPULARITY, RANDOM = "Popularity", "Random"
PIPELINE = "pipeline"  # what a run serves, if not Popularity
_NAMES = {POPULARITY: "Popularity", RANDOM: "a random order"}
_VALIDATION_LEVEL = 0.01
_FEW_REQUESTS = 100  # below which hardly any difference can be shown
_MANY_REQUESTS = 1_000
_SHORT_HISTORY = 3  # events, in the median
_HEAVY_HEAD = 0.3  # share of the events on a hundredth of the items: popularity is then hard to beat
_MUCH_HIDDEN = 0.1  # share of the answers

Result = Literal["better", "worse", "no difference shown"]


@dataclass(frozen=True)
class Judgement:
    """What is known of a pipeline, beside the simplest that there is.

    Attributes:
        pipeline: its name in the report.
        comparisons: of the pipeline with Popularity and with a random order on the test part, as far as these were
            measured, with p values that allow for their number.
        validation: of the pipeline with Popularity on the validation part, where the test part showed no lead; else
            None.
        reasons: why it is no better than Popularity, as far as can be known; none where it is.
        serves: what should be served: ``pipeline`` or ``Popularity``.
        protocol: of the test part.
    """

    pipeline: str
    comparisons: tuple[Comparison, ...]
    validation: Comparison | None
    reasons: tuple[str, ...]
    serves: str
    protocol: Protocol

    @property
    def results(self) -> dict[str, Result]:
        """How the pipeline does against each of the others on the test part."""
        return {comparison.other: _result(comparison) for comparison in self.comparisons}

    @property
    def is_better(self) -> bool:
        """Whether the pipeline is better than all that it was compared with, on the test part."""
        return all(result == "better" for result in self.results.values())

    @property
    def lines(self) -> list[str]:
        """The judgement in words, a sentence or two a line."""
        lines = [_sentence(comparison) for comparison in self.comparisons]
        if self.reasons:
            lines.append(f"Why: {'; '.join(self.reasons)}.")
        hidden = self.protocol.hidden
        return [*lines, f"{hidden[0].upper()}{hidden[1:]}."] if hidden else lines

    def to_dict(self, served: str) -> dict[str, Any]:
        """Return it as JSON objects, with what is served: ``pipeline`` or ``Popularity``."""
        return {
            "against": {
                comparison.other: {
                    "result": _result(comparison),
                    "metric": comparison.metric,
                    **asdict(comparison.difference),
                    "p": comparison.p_holm,
                }
                for comparison in self.comparisons
            },
            "reasons": list(self.reasons),
            "serves": served,
            "lines": self.lines,
        }


def judge(report: Report, name: str, models: Mapping[str, Recommender], split: Split) -> Judgement:
    """Compare the pipeline with Popularity and a random order, and say what should be served.

    Popularity should be where neither the test nor the validation part shows the pipeline to be better, each by a
    paired test: at the level of 5 %, and of 1 % on validation, by which weights were chosen and which counts only where
    the log has a signal. With few requests hardly anything can be shown: then only where the pipeline is worse.

    Args:
        report: of the test part.
        name: of the pipeline in it.
        models: those of the report.
        split: that they were fitted and measured on.
    """
    metric = report.primary
    measured = {other: report.metrics[other][metric] for other in (name, POPULARITY, RANDOM) if other in report.models}
    protocol = report.protocol
    comparisons = tuple(compare(metric, name, measured, resamples=protocol.resamples, seed=protocol.seed))
    of_popularity = next((comparison for comparison in comparisons if comparison.other == POPULARITY), None)
    if of_popularity is None or _result(of_popularity) == "better":
        return Judgement(name, comparisons, None, (), PIPELINE, protocol)
    validation = _on_validation(name, models, split.valid, protocol)
    signal = find_signal(split.train)
    if of_popularity.difference.n < _FEW_REQUESTS:
        keeps = "worse" not in {_result(of_popularity), _result(validation)}
    else:
        keeps = signal.found and _result(validation, _VALIDATION_LEVEL) == "better"
    same = of_popularity.difference.low == of_popularity.difference.high == 0
    is_popularity = models[name].name == models[POPULARITY].name
    return Judgement(
        pipeline=name,
        comparisons=comparisons,
        validation=validation,
        reasons=tuple(_reasons(comparisons, report, split, signal, same=same)),
        serves=PIPELINE if keeps or is_popularity else POPULARITY,
        protocol=protocol,
    )


def popularity_pipeline(pipeline: Pipeline, popularity: Recommender) -> Pipeline:
    """Return a pipeline with the same policy that ranks by popularity, unfitted but for its models.

    The quick models of the pipeline stay as members without a weight: they tell which items are alike.
    """
    from poise.models import Blend

    ranker = pipeline.ranker
    quick = [part for part in ranker.parts or [ranker] if part.fast_fallback is part]
    members = [*quick, popularity]
    weights = [0.0] * len(quick) + [1.0]
    policy = [copy.copy(step) for step in pipeline.policy]  # which learn anew, for this ranker
    return Pipeline(ranker=Blend(members=members, weights=weights) if quick else popularity, policy=policy)


def _on_validation(name: str, models: Mapping[str, Recommender], valid: Holdout, protocol: Protocol) -> Comparison:
    both = {other: models[other] for other in (name, POPULARITY)}
    cutoff = min(10, valid.queries.n_items)
    report = evaluate(both, sample(valid), k=cutoff, metrics=["NDCG"], seed=protocol.seed)
    metric = f"NDCG@{cutoff}"
    measured = {other: report.metrics[other][metric] for other in both}
    (comparison,) = compare(metric, name, measured, resamples=protocol.resamples, seed=protocol.seed)
    return comparison


def _reasons(
    comparisons: tuple[Comparison, ...], report: Report, split: Split, signal: Signal, *, same: bool
) -> list[str]:
    """Return why the pipeline is no better than Popularity, as far as can be known."""
    if same:
        return ["it gives the same answers as Popularity"]
    results = {comparison.other: comparison for comparison in comparisons}
    train, n_requests = split.train, results[POPULARITY].difference.n
    reasons = []
    if not signal.found:
        reasons.append(f"no signal found in the log ({signal.reason[0].lower()}{signal.reason[1:-1]})")
    median = float(np.median(split.test.queries.lengths))
    if median <= _SHORT_HISTORY:
        reasons.append(f"histories have {median:.0f} event{'s' if median != 1 else ''} in the median")
    counts = np.sort(train.item_counts[1:])[::-1]
    head = counts[: max(1, len(counts) // 100)].sum() / max(counts.sum(), 1)
    if _popularity_is_flat(report):
        reasons.append("popularity is flat here, no better than a random order")
    elif head >= _HEAVY_HEAD:
        reasons.append(f"popularity is strong here: {head:.0%} of the events are on a hundredth of the items")
    if n_requests < _MANY_REQUESTS:
        reasons.append(f"{n_requests:,} test requests tell large differences only")
    protocol = report.protocol
    if protocol.unreachable >= _MUCH_HIDDEN * (protocol.unreachable + protocol.targets):
        reasons.append("hide_seen leaves out what people come back to")
    return reasons or ["things do go together in this log, and these models do not make use of it"]


def _popularity_is_flat(report: Report) -> bool:
    if RANDOM not in report.models:
        return False
    measured = {name: report.metrics[name][report.primary] for name in (POPULARITY, RANDOM)}
    (comparison,) = compare(report.primary, POPULARITY, measured, resamples=1, seed=report.protocol.seed)
    return _result(comparison) != "better"


def _result(comparison: Comparison, level: float = ALPHA) -> Result:
    if comparison.p_holm > level:
        return "no difference shown"
    return "better" if comparison.difference.value > 0 else "worse"


def _sentence(comparison: Comparison) -> str:
    difference, result = comparison.difference, _result(comparison)
    says = {"better": "beats", "worse": "is worse than", "no difference shown": "is not shown to beat"}[result]
    return (
        f"The pipeline {says} {_NAMES[comparison.other]}: {comparison.metric} differs by {difference.value:+.4f} "
        f"(95 % interval {difference.low:+.4f} to {difference.high:+.4f}, p {p_text(comparison.p_holm)}; "
        f"{difference.n:,} test requests)."
    )
