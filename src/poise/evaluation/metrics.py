"""All metrics of an evaluation, each with its meaning in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from poise.errors import UsageError, suggest

Family = Literal["accuracy", "ratings", "beyond"]


@dataclass(frozen=True)
class Metric:
    """A measure of how good or how varied slates are.

    Attributes:
        name: as in tables, without the cut-off.
        family: ``accuracy`` of slates, errors of predicted ``ratings``, or ``beyond`` accuracy.
        at_k: whether it looks at the first k places; if not it looks at the whole catalogue or at ratings.
        better: whether more of it is better (``max``), or less (``min``).
        meaning: in plain words.
    """

    name: str
    family: Family
    at_k: bool
    better: Literal["max", "min"]
    meaning: str


METRICS = {
    metric.name: metric
    for metric in (
        Metric("NDCG", "accuracy", True, "max",
               "How high the items that were then chosen stand, from 0 to 1; the first place counts most."),
        Metric("Recall", "accuracy", True, "max", "Of what was then chosen, the share that stands among the first k."),
        Metric("Precision", "accuracy", True, "max", "Of the k places, the share that holds something then chosen."),
        Metric("F1", "accuracy", True, "max", "The harmonic mean of precision and recall."),
        Metric("HitRate", "accuracy", True, "max", "The share of requests with at least one right item among k."),
        Metric("MRR", "accuracy", True, "max", "One divided by the place of the first right item; 0 if beyond k."),
        Metric("MAP", "accuracy", True, "max", "The precision at the place of each right item, on average."),
        Metric("DCG", "accuracy", True, "max", "As NDCG, not divided by the best that was possible."),
        Metric("AUC", "accuracy", False, "max",
               "How often a chosen item is scored above one that was not chosen: .5 is chance, 1 is perfect."),
        Metric("RMSE", "ratings", False, "min", "The error of predicted values; large errors weigh more."),
        Metric("MAE", "ratings", False, "min", "By how much predicted values are wrong, on average."),
        Metric("Coverage", "beyond", True, "max", "The share of the catalogue that is shown to anybody at all."),
        Metric("Gini", "beyond", True, "min",
               "How unevenly places go to items: 0 is even, 1 is all places for one item."),
        Metric("Novelty", "beyond", True, "max",
               "How rare the items shown are in training, in bits: one more means half as popular."),
        Metric("Diversity", "beyond", True, "max", "How unlike each other the items of a slate are, from 0."),
        Metric("Serendipity", "beyond", True, "max",
               "The share of a slate that is right and that a list of the most popular would not have shown."),
        Metric("Calibration", "beyond", True, "min",
               "How far the mix of labels in a slate is from the mix in the history; 0 is the same mix."),
        Metric("Popularity", "beyond", True, "min", "How many training events the items shown have, on average."),
        Metric("LongTail", "beyond", True, "max",
               "The share of a slate outside the head, the most popular items with 80 % of all training events."),
    )
}  # fmt: skip


def choose(metrics: Sequence[str] | None) -> list[Metric]:
    """Return the metrics of these names, or all.

    Raises:
        UsageError: there is no such metric.
    """
    if isinstance(metrics, str):
        metrics = [metrics]
    by_lower = {name.lower(): name for name in METRICS}
    chosen = []
    for name in METRICS if metrics is None else metrics:
        bare = name.split("@")[0].lower()
        if bare not in by_lower:
            raise UsageError(
                f"there is no metric {name!r}; choose from {', '.join(METRICS)}.{suggest(bare, list(by_lower))}"
            )
        if METRICS[by_lower[bare]] not in chosen:
            chosen.append(METRICS[by_lower[bare]])
    if not chosen:
        raise UsageError("metrics is empty: name at least one, or leave it out for all")
    return chosen


def metric_of(metric: str) -> Metric:
    """Return the metric of a name such as ``NDCG@10``."""
    return METRICS[metric.split("@", maxsplit=1)[0]]
