"""What people said no to, in a log: how many events of which behaviour, and how many ratings that are too low."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from poise.data.dataset import Dataset
from poise.data.ingest.feedback import Feedback, Opinion


@dataclass(frozen=True)
class Rejections:
    """The events that say no.

    Attributes:
        n_events: how many there are.
        behaviours: how many by behaviour, the most frequent first; without those that say no by their value.
        by_value: how many say no by their value: a rating below the threshold, a label of 0.
        threshold: the value from which on a rating is a yes; None where there is none.
    """

    n_events: int
    behaviours: Mapping[str, int]
    by_value: int
    threshold: float | None

    @property
    def in_words(self) -> str:
        """What there is, by kind: ``60 dislike, 12 by a value below 3``."""
        parts = [f"{count:,} {name}" for name, count in self.behaviours.items()]
        if self.by_value:
            limit = "of 0 or less" if self.threshold is None else f"below {self.threshold:g}"
            parts.append(f"{self.by_value:,} by a value {limit}")
        return ", ".join(parts)


def find_rejections(data: Dataset) -> Rejections | None:
    """Count what people said no to; None where nobody did."""
    log = data.rejections
    if log is None or not len(log):
        return None
    rules, names = data.feedback or Feedback(), data.behaviour_ids.series.to_list()
    says_no = np.array([False, *(rules.opinion(name) != Opinion.CHOSEN for name in names)])
    by_name = says_no[log.behaviour]
    counts = np.bincount(log.behaviour[by_name], minlength=len(names) + 1)[1:].tolist()
    present = [(name, count) for name, count in zip(names, counts, strict=True) if count]
    behaviours = dict(sorted(present, key=lambda counted: -counted[1]))
    threshold = rules.threshold if isinstance(rules.threshold, float | int) else None
    return Rejections(len(log), behaviours, int((~by_name).sum()), threshold)
