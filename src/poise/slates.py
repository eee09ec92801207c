from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from poise.candidates import CATALOGUE, Candidates
from poise.data.vocabulary import Vocabulary
from poise.types import Codes, Floats, Indices

_REASON_ITEMS = 2

ReasonKind = Literal["history", "again", "popular", "random", "new"]

_PRESENT = {
    "bought": "buy",
    "played": "play",
    "listened to": "listen to",
    "watched": "watch",
    "read": "read",
    "viewed": "look at",
    "clicked": "click",
}


@dataclass(frozen=True)
class Reason:
    """Why an item stands in a slate, as the model computed it, not as it might sound well.

    Attributes:
        kind: ``history``: events of the person's history add most to the score; ``again``: the person comes back to
            it; ``popular``: many chose it; ``random``: it was drawn; ``new``: nobody has chosen it yet, so it was given
            room.
        items: for ``history``, the item indices of those events, the weightiest first; for ``again`` the item itself.
        share: the part of the (positive) score that this reason accounts for, from 0 to 1.
        days: for ``again``, after how many days the person comes back to it, on average; None if not known.
    """

    kind: ReasonKind
    items: tuple[int, ...] = ()
    share: float = 1.0
    days: float | None = None

    def text(self, titles: Sequence[str], verbs: Mapping[int, str] | None = None) -> str:
        """Say it in words.

        Args:
            titles: what to call each item, by index.
            verbs: what the person did with each item of their history; see :func:`poise.wording.verbs`.
        """
        if self.kind == "popular":
            return "popular with others"
        if self.kind == "random":
            return "picked at random"
        if self.kind == "new":
            return "new"
        if self.kind == "again":
            return self._again((verbs or {}).get(self.items[0], "chose"))
        done: dict[str, list[str]] = {}
        for item in self.items:
            done.setdefault((verbs or {}).get(item, "chose"), []).append(titles[item])
        return "because you " + " and ".join(f"{verb} {' and '.join(names)}" for verb, names in done.items())

    def _again(self, verb: str) -> str:
        if self.days is None:
            return f"you {verb} this before"
        every = f"about every {self.days:.0f} days" if self.days >= 1.5 else "about every day"
        if self.days < 0.75:
            every = f"about every {max(24 * self.days, 1):.0f} hours"
        return f"you {_PRESENT.get(verb, 'choose')} this {every}"


@dataclass(frozen=True)
class Slate:
    """What is shown to one person, best first.

    Attributes:
        items: outer item ids.
        scores: the model's score of each; comparable within a slate only.
        reasons: why each item is there; empty unless asked for.
        probabilities: the probability with which each was shown: 1 unless a policy drew it.
        sources: the source of each: a retriever's name, or ``catalogue`` where all items were scored.
    """

    items: list[str]
    scores: list[float]
    reasons: list[list[Reason]]
    probabilities: list[float]
    sources: list[str]

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Slates:
    """The slates of a batch of queries.

    Attributes:
        items: int32 ``[n, k]``, best first; 0 where a slate is shorter than ``k``.
        scores: float32 ``[n, k]``; minus infinity where there is no item.
        probabilities: float32 ``[n, k]``, with which each item was shown.
        item_ids: the vocabulary that ``items`` are indices of.
        sources: uint8 ``[n, k]``, the source of each item, as a place in ``source_names``; None for all the first.
        source_names: what the sources are called.
        reasons: for each query, for each item, why it is there; None unless asked for.
    """

    items: Indices
    scores: Floats
    probabilities: Floats
    item_ids: Vocabulary
    sources: Codes | None = None
    source_names: tuple[str, ...] = (CATALOGUE,)
    reasons: list[list[list[Reason]]] | None = None

    @classmethod
    def of(cls, slates: Candidates, item_ids: Vocabulary) -> Slates:
        """Take what :meth:`poise.candidates.Candidates.top` gave."""
        assert slates.items is not None
        probabilities = np.ones_like(slates.scores) if slates.probabilities is None else slates.probabilities
        return cls(slates.items, slates.scores, probabilities, item_ids, slates.sources, slates.source_names)

    @classmethod
    def end_to_end(cls, parts: Sequence[Slates], k: int, item_ids: Vocabulary, *, explained: bool) -> Slates:
        """Return the slates of several batches as one; ``explained`` says whether they have reasons."""
        if not parts:
            empty = np.empty((0, k), dtype=np.float32)
            return cls(empty.astype(np.int32), empty, empty, item_ids, reasons=[] if explained else None)
        has_sources = any(part.sources is not None for part in parts)
        return cls(
            items=np.concatenate([part.items for part in parts]),
            scores=np.concatenate([part.scores for part in parts]),
            probabilities=np.concatenate([part.probabilities for part in parts]),
            item_ids=item_ids,
            sources=np.concatenate([part.source_codes for part in parts]) if has_sources else None,
            source_names=parts[0].source_names,
            reasons=[row for part in parts for row in part.reasons or ()] if explained else None,
        )

    @property
    def source_codes(self) -> Codes:
        """The source of each item, uint8 ``[n, k]``, as a place in :attr:`source_names`."""
        return np.zeros(self.items.shape, dtype=np.uint8) if self.sources is None else self.sources

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, row: int) -> Slate:
        real = self.items[row] > 0
        n = int(real.sum())
        return Slate(
            items=self.item_ids.ids(self.items[row]),
            scores=self.scores[row][real].tolist(),
            reasons=[[] for _ in range(n)] if self.reasons is None else self.reasons[row][:n],
            probabilities=self.probabilities[row][real].tolist(),
            sources=[self.source_names[code] for code in self.source_codes[row][real].tolist()],
        )

    def __iter__(self) -> Iterator[Slate]:
        return (self[row] for row in range(len(self)))

    def to_frame(self) -> pl.DataFrame:
        """Return a row an item shown: ``query`` from 0, ``rank`` from 1, its id, score, probability and source."""
        slates = list(self)
        return pl.DataFrame(
            {
                "query": [row for row, slate in enumerate(slates) for _ in slate.items],
                "rank": [rank for slate in slates for rank in range(1, len(slate) + 1)],
                "item_id": [item for slate in slates for item in slate.items],
                "score": [score for slate in slates for score in slate.scores],
                "probability": [probability for slate in slates for probability in slate.probabilities],
                "source": [source for slate in slates for source in slate.sources],
            },
            schema={
                "query": pl.Int64,
                "rank": pl.Int64,
                "item_id": pl.String,
                "score": pl.Float32,
                "probability": pl.Float32,
                "source": pl.String,
            },
        )


def weightiest(history: Indices, attributions: Floats) -> list[Reason]:
    """Return the reason made of the events that add most, or none where no event adds anything."""
    positive = np.maximum(attributions, 0)
    total = float(positive.sum())
    if total <= 0:
        return []
    of_item: dict[int, float] = {}
    for item, amount in zip(history.tolist(), positive.tolist(), strict=True):
        of_item[item] = of_item.get(item, 0.0) + amount
    best = sorted(of_item, key=lambda item: -of_item[item])[:_REASON_ITEMS]
    best = [item for item in best if of_item[item] >= 0.1 * total] or best[:1]
    return [Reason("history", tuple(best), sum(of_item[item] for item in best) / total)]
