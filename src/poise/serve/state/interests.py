"""What somebody likes more than others do, by the labels of what they did lately."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from poise.serve.catalogue.catalogue import Catalogue
from poise_client.schema.users import Interest

DECAY = 0.95  # what an event weighs in comparison with the next one
LEAST_EVENTS = 2  # with a label, to speak of an interest
MOST = 8
_PRIOR = 2.0  # events of the average person that are added to everybody's


def interests(catalogue: Catalogue, history: Sequence[int]) -> list[Interest]:
    """Return the labels that are more frequent in a history than in the catalogue, the strongest first.

    Args:
        catalogue: whose columns of labels are looked at.
        history: item indices, oldest first.
    """
    if not history:
        return []
    weights = DECAY ** np.arange(len(history) - 1, -1, -1)
    total = float(weights.sum())
    strongest = []
    for column, base in catalogue.label_shares.items():
        weight_of: dict[str, float] = defaultdict(float)
        events: dict[str, int] = defaultdict(int)
        for item, weight in zip(history, weights.tolist(), strict=True):
            for label in catalogue.labels(column, item):
                weight_of[label] += weight
                events[label] += 1
        for label, weight in weight_of.items():
            if events[label] < LEAST_EVENTS:
                continue
            times = (weight + _PRIOR * base[label]) / ((total + _PRIOR) * base[label])
            if times > 1:
                strongest.append(Interest(column, label, round(weight / total, 4), round(times, 2)))
    strongest.sort(key=lambda interest: -interest.share * np.log(interest.times_average))
    return strongest[:MOST]


def in_words(leading: Sequence[Interest]) -> str:
    """Say the leading interests in a sentence."""
    if not leading:
        return "nothing stands out yet"
    parts = [
        f"{interest.label} ({interest.column}, {interest.times_average:g} times the catalogue's share)"
        for interest in leading[:3]
    ]
    return "mostly " + ", ".join(parts)
