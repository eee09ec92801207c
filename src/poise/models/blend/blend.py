from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from annotated_types import Len
from pydantic.dataclasses import dataclass

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.errors import UsageError
from poise.models.blend.standardise import mean_similarity, standardise_candidates, standardise_scores
from poise.models.blend.weights import choose_weights, weighing_requests
from poise.models.validation import sample
from poise.options.fit_options import FitOptions
from poise.options.likeness import SimilarBy
from poise.options.selection import Selection
from poise.recommender import OPTIONS, Recommender
from poise.slates import Reason, weightiest
from poise.types import Doubles, Floats, Indices

_TOGETHER = 2_000_000  # scores of all members, up to which they are brought to one scale in one go
_SAMPLED = 256  # items that stand for a large catalogue
_LEAST_WEIGHT = 1e-3  # of a member that validation gave none, where only its kind is asked, or nobody is known
_LEAST_SHARE = 0.2  # of a score, below which a reason is not worth naming


@dataclasses.dataclass(frozen=True)
class WeightSelection(Selection):
    """What a blend selected.

    Attributes:
        weights: of the members, in order; they add up to 1.
    """

    weights: list[float] | None = None


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class Blend(Recommender):
    """A weighted sum of several models' standardised scores, with weights that validation selected.

    Scores of different models cannot be added as they are: some are probabilities, some counts, some have a long tail.
    Each model's scores are brought to one scale a request: less their mean over the catalogue and divided by their
    standard deviation, then drawn together by ``sign(z) log(1 + |z|)``, so that no model outvotes all others by one
    enormous score.

    Args:
        members: the models.
        weights: how much each counts; None chooses them on the validation part. Without one all count alike. Members
            that add nothing to the others get 0, and a refit drops them.
    """

    members: Annotated[list[Recommender], Len(1)]
    weights: list[float] | None = None

    selected = WeightSelection()

    def __post_init__(self) -> None:
        # The scores of so many items, from the first on, set the scale: of all, until the catalogue grows.
        self.n_reference_items: int | None = None
        if self.weights is None:
            return
        usable = min(self.weights, default=0) >= 0 and 0 < sum(self.weights) < np.inf
        if len(self.weights) != len(self.members) or not usable:
            raise UsageError(f"Blend: {len(self.members)} members need as many weights, none negative, not all zero")

    @property
    def shares(self) -> Doubles:
        """The weights in use, float64 ``[n_members]``; they add up to 1."""
        weights = np.asarray(self.weights or self.selected.weights or [1.0] * len(self.members))
        return np.asarray(weights / weights.sum())

    @property
    def reads_users(self) -> bool:
        """See :attr:`Recommender.reads_users`."""
        return any(member.reads_users for member, share in zip(self.members, self.shares, strict=True) if share)

    def _fit(self, data: Dataset, valid: Holdout | None, options: FitOptions) -> None:
        for member in self.members:
            member.fit_once(data, valid, options)
        if self.weights is None and valid is not None and len(self.members) > 1:
            part = sample(valid, most=weighing_requests(valid, len(self.members)))
            weights = choose_weights(self.members, part).tolist()
            # Whoever has no history is scored by what is popular alone, which validation hardly asks for.
            least = [_LEAST_WEIGHT if member.non_personalized else 0.0 for member in self.members]
            self.selected = WeightSelection(list(map(max, weights, least)))
            for name in self._idle():
                self._note(f"{name} brings nothing beside the others: it has no part in the scores, and is dropped")
        self.n_reference_items = None

    def _idle(self) -> list[str]:
        """Return the names of the members to drop: those without a weight, unless they tell items apart by content.

        What knows content costs little, and tells which items are similar where nobody did anything yet.
        """
        return [
            member.name for member, share in zip(self.members, self.shares, strict=True) if not _kept(member, share)
        ]

    def _drop_idle(self) -> None:
        """Part with them: learning, keeping and loading them would be for nothing."""
        if self.weights is None and self._idle():
            members = zip(self.members, self.shares.tolist(), strict=True)
            kept = [(member, share) for member, share in members if _kept(member, share)]
            self.members = [member for member, _ in kept]
            self.selected = WeightSelection([share for _, share in kept])

    def _refit(self, data: Dataset, options: FitOptions) -> None:
        self._drop_idle()
        for member in self.members:
            member.refit(data, options)
        self.n_reference_items = None

    def _update(self, data: Dataset, valid: Holdout | None, options: FitOptions) -> None:
        self._drop_idle()
        for member in self.members:
            member.update(data, valid, options)
        self.n_reference_items = None

    def _grow(self, data: Dataset) -> None:
        self.members = [member.extend_catalogue(data) for member in self.members]
        self.n_reference_items = self.n_reference_items or len(self.item_ids)

    def score(self, queries: Queries) -> Floats:
        """See :meth:`Recommender.score`."""
        import torch

        first = queries.take([0]) if len(queries) > 1 else queries
        total = torch.zeros(len(queries), queries.item_ids.size)
        together = max(1, _TOGETHER // max(total.numel(), 1))
        used = self._used()
        for start in range(0, len(used), together):
            members = used[start : start + together]
            scores = [member.score(first if member.non_personalized else queries) for member, _ in members]
            if any(len(member.unscored) for member, _ in members):
                scaled = [
                    standardise_scores(of_member, self.n_reference_items, member.unscored)
                    for of_member, (member, _) in zip(scores, members, strict=True)
                ]
            else:
                end_to_end = standardise_scores(np.concatenate(scores), self.n_reference_items)
                scaled = np.split(end_to_end, np.cumsum([len(of_member) for of_member in scores])[:-1])
            for (_, share), of_member in zip(members, scaled, strict=True):
                total.add_(torch.from_numpy(of_member), alpha=share)
        return total.numpy()

    def score_candidates(self, queries: Queries, candidates: Ragged) -> Floats:
        """See :meth:`Recommender.score_candidates`: what each member says of them, on the scale of the catalogue."""
        total = np.zeros(len(candidates.values), dtype=np.float32)
        for member, share in self._used():
            total += np.float32(share) * self._scaled(member, queries, candidates)
        return total

    def score_with_moments(
        self, queries: Queries, candidates: Ragged, n_items: int | None = None
    ) -> tuple[Floats, Floats, Floats]:
        """See :meth:`Recommender.score_with_moments`; in a large catalogue the moments are those of a sample of it."""
        count = n_items or queries.n_items
        n_drawn = min(count, _SAMPLED)
        drawn = 1 + np.random.default_rng(0).choice(count, n_drawn, replace=False).astype(np.int32)
        both = Ragged.from_rows([np.concatenate([candidates[row], drawn]) for row in range(len(candidates))])
        scores = self.score_candidates(queries, both)
        is_drawn = np.arange(len(scores)) >= np.repeat(both.offsets[1:] - n_drawn, both.lengths)
        of_sample = scores[is_drawn].reshape(len(queries), n_drawn)
        return scores[~is_drawn], of_sample.mean(axis=1), of_sample.std(axis=1)

    def _scaled(self, member: Recommender, queries: Queries, candidates: Ragged) -> Floats:
        """Return the standardised scores that a member gives to candidates, float32 ``[total]``."""
        scores, mean, deviation = member.score_with_moments(queries, candidates, self.n_reference_items)
        return standardise_candidates(scores, candidates.rows, mean, deviation)

    def _used(self) -> list[tuple[Recommender, float]]:
        """Return the members that count, each with its weight."""
        return [(member, float(share)) for member, share in zip(self.members, self.shares, strict=True) if share]

    @property
    def selection(self) -> dict[str, Any]:
        """See :attr:`Recommender.selection`: the weights by the names of the members."""
        names = [member.name for member in self.members]
        return {"weights": dict(zip(names, self.shares.round(3).tolist(), strict=True))} if len(names) > 1 else {}

    @property
    def parts(self) -> list[Recommender]:
        """See :attr:`Recommender.parts`: the members."""
        return self.members

    @property
    def fast_fallback(self) -> Recommender | None:
        """See :attr:`Recommender.fast_fallback`: of the members that count."""
        fallbacks = (member.fast_fallback for member, _ in self._used())
        return next((fallback for fallback in fallbacks if fallback is not None), None)

    def explain(self, queries: Queries, items: Indices) -> list[list[list[Reason]]]:
        """See :meth:`Recommender.explain`: what each event adds through all members, by the part that each brings."""
        n, k = items.shape
        shown = Ragged(items.reshape(-1), np.arange(n + 1) * k)
        contributions = [
            (member, np.maximum(share * self._scaled(member, queries, shown), 0).reshape(n, k))
            for member, share in self._used()
        ]
        return [
            _explain_row(
                queries.take([row]), items[row], [(member, of_member[row]) for member, of_member in contributions]
            )
            for row in range(n)
        ]

    def similarity(self, items: Indices) -> Floats | None:
        """See :meth:`Recommender.similarity`: of the members that count, or else of those that do not."""
        kinds: tuple[SimilarBy | None, ...] = (None, "behaviour", "content")
        return next((found for by in kinds if (found := self.similarity_by(items, by)) is not None), None)

    def similarity_by(self, items: Indices, by: SimilarBy | None) -> Floats | None:
        """See :meth:`Recommender.similarity_by`: of all members that know that, with their weights."""
        if by == "both":
            content, behaviour = self.similarity_by(items, "content"), self.similarity_by(items, "behaviour")
            if content is None or behaviour is None:
                return None
            return mean_similarity(content, behaviour, self.n_reference_items)
        total = None
        for member, share in zip(self.members, self.shares, strict=True):
            weight = np.float32(share if by is None else max(share, _LEAST_WEIGHT))
            of_member = member.similarity_by(items, by) if weight else None
            if of_member is not None:  # popularity, say, knows nothing of similarity
                scaled = standardise_scores(of_member, self.n_reference_items) * weight
                total = scaled if total is None else total + scaled
        return total

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {} if self.n_reference_items is None else {"n_reference_items": np.array([self.n_reference_items])}

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        saved = arrays.get("n_reference_items")
        self.n_reference_items = None if saved is None else int(saved[0])


def _kept(member: Recommender, share: float) -> bool:
    return share > 0 or member.likeness_source == "content"


def _explain_row(query: Queries, items: Indices, parts: list[tuple[Recommender, Floats]]) -> list[list[Reason]]:
    """Explain one slate, of whose scores each member brings the part that stands beside it, float32 ``[k]``."""
    history = query.history(0)
    by_event = np.zeros((len(history), len(items)), dtype=np.float32)
    others: list[dict[Reason, float]] = [{} for _ in items]
    total = np.zeros(len(items), dtype=np.float32)
    for member, contribution in parts:
        total += contribution
        added = member.attributions(query, items) if len(history) else None
        if added is not None:
            positive = np.maximum(added, 0)
            sums = positive.sum(axis=0)
            by_event += contribution * np.divide(positive, sums, out=np.zeros_like(positive), where=sums > 0)
            continue
        for place, reasons in enumerate(member.explain(query, items[None])[0]):
            for reason in reasons:
                part = float(contribution[place]) * reason.share
                if reason.kind == "history":  # of a blend within the blend
                    named = np.isin(history, reason.items)
                    by_event[named, place] += part / named.sum()
                else:
                    kind = replace(reason, share=1.0)
                    others[place][kind] = others[place].get(kind, 0.0) + part
    explained = []
    for place in range(len(items)):
        scale = float(by_event[:, place].sum() / total[place]) if total[place] > 0 else 0.0
        item_reasons = [
            replace(reason, share=reason.share * scale) for reason in weightiest(history, by_event[:, place])
        ]
        item_reasons += [
            replace(kind, share=part / float(total[place])) for kind, part in others[place].items() if part > 0
        ]
        telling = [reason for reason in item_reasons if reason.share >= _LEAST_SHARE]
        explained.append(sorted(telling, key=lambda reason: -reason.share))
    return explained
