from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Len
from pydantic.dataclasses import dataclass

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.errors import UsageError
from poise.models.blend_weights import choose_weights
from poise.models.validation import sample
from poise.recommender import OPTIONS, Recommender
from poise.slates import Reason
from poise.types import Doubles, Floats, Indices


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class Blend(Recommender):
    """A weighted sum of several models' calibrated scores, with weights that validation chose.

    Scores of different models cannot be added as they are: some are probabilities, some counts, some have a long tail.
    Each model's scores are brought to one scale a request: less their mean over the catalogue and divided by their
    standard deviation, then drawn together by ``sign(z) log(1 + |z|)``, so that no model outvotes all others by one
    enormous score.

    Args:
        members: the models.
        weights: how much each counts; None chooses them on the validation part. Without one all count alike.
    """

    members: Annotated[list[Recommender], Len(1)]
    weights: list[float] | None = None

    def __post_init__(self) -> None:
        if self.weights is None:
            return
        usable = min(self.weights, default=0) >= 0 and 0 < sum(self.weights) < np.inf
        if len(self.weights) != len(self.members) or not usable:
            raise UsageError(f"Blend: {len(self.members)} members need as many weights, none negative, not all zero")

    @property
    def shares(self) -> Doubles:
        """The weights in use, float64 ``[n_members]``; they add up to 1."""
        weights = np.asarray(self.weights or self.chosen.get("weights") or [1.0] * len(self.members))
        return np.asarray(weights / weights.sum())

    def _fit(self, data: Dataset, valid: Holdout | None) -> None:
        for member in self.members:
            member.fit(data, valid)
        if self.weights is None and valid is not None and len(self.members) > 1:
            self.chosen["weights"] = choose_weights(self.members, sample(valid)).tolist()

    def _refit(self, data: Dataset) -> None:
        for member in self.members:
            member.refit(data)

    def score(self, queries: Queries) -> Floats:
        """See :meth:`Recommender.score`."""
        total = np.zeros((len(queries), queries.item_ids.size), dtype=np.float32)
        for member, share in zip(self.members, self.shares, strict=True):
            if share:
                total += np.float32(share) * calibrate(member.score(queries))
        return total

    def explain(self, queries: Queries, items: Indices) -> list[list[list[Reason]]]:
        """See :meth:`Recommender.explain`: the reasons of the members, by the part of the score that each brings."""
        rows = np.arange(len(queries))[:, None]
        parts = []
        for member, share in zip(self.members, self.shares, strict=True):
            if share:
                brought = np.maximum(share * calibrate(member.score(queries))[rows, items], 0)  # [n, k]
                parts.append((brought, member.explain(queries, items)))
        total = np.sum([brought for brought, _ in parts], axis=0)
        return [
            [
                _merge([(brought[row, at] / total[row, at], reasons[row][at]) for brought, reasons in parts])
                if total[row, at] > 0
                else []
                for at in range(items.shape[1])
            ]
            for row in range(len(queries))
        ]

    def _similarity(self, items: Indices) -> Floats:
        total = None
        for member, share in zip(self.members, self.shares, strict=True):
            if not share:
                continue
            try:
                of_member = calibrate(member._similarity(items))
            except UsageError:
                continue  # popularity, say, knows nothing of similarity
            total = of_member * np.float32(share) if total is None else total + of_member * np.float32(share)
        return super()._similarity(items) if total is None else total


def calibrate(scores: Floats) -> Floats:
    """Bring each row of scores, float32 ``[n, n_items + 1]``, to the common scale, in place; column 0 does not count."""
    real = scores[:, 1:]
    mean = real.mean(axis=1, keepdims=True)
    real -= mean
    spread = real.std(axis=1, keepdims=True)
    # Of equal scores the rounding of their mean is left over: it is no difference, and must not be made one.
    real *= np.divide(1, spread, out=np.zeros_like(spread), where=spread > 1e-6 * np.abs(mean))
    np.copyto(real, np.sign(real) * np.log1p(np.abs(real)))
    scores[:, 0] = 0
    return scores


def _merge(weighed: list[tuple[float, list[Reason]]]) -> list[Reason]:
    """Return the weightiest reason of several models, the shares of equal ones added up."""
    merged: dict[tuple[str, tuple[int, ...]], float] = {}
    for weight, reasons in weighed:
        for reason in reasons:
            key = (reason.kind, reason.items)
            merged[key] = merged.get(key, 0.0) + weight * reason.share
    ordered = sorted(merged.items(), key=lambda entry: -entry[1])
    return [Reason(kind, items, share) for (kind, items), share in ordered[:2]]  # type: ignore[arg-type]
