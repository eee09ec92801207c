from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from poise.data.vocabulary import Vocabulary
from poise.types import Floats, Indices

ReasonKind = Literal["history", "popular", "random", "new"]


@dataclass(frozen=True)
class Reason:
    """Why an item stands in a slate, as the model computed it, not as it might sound well.

    Attributes:
        kind: ``history``: events of the person's history add most to the score; ``popular``: many chose it;
            ``random``: it was drawn; ``new``: nobody has chosen it yet, so it was given room.
        items: for ``history``, the item indices of those events, the weightiest first.
        share: the part of the (positive) score that this reason accounts for, from 0 to 1.
    """

    kind: ReasonKind
    items: tuple[int, ...] = ()
    share: float = 1.0

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
        done: dict[str, list[str]] = {}
        for item in self.items:
            done.setdefault((verbs or {}).get(item, "chose"), []).append(titles[item])
        return "because you " + " and ".join(f"{verb} {' and '.join(names)}" for verb, names in done.items())


@dataclass(frozen=True)
class Slate:
    """What is shown to one person, best first.

    Attributes:
        items: outer item ids.
        scores: the model's score of each; comparable within a slate only.
        reasons: why each item is there; empty unless asked for.
        probabilities: the probability with which each was shown: 1 unless a policy drew it.
    """

    items: list[str]
    scores: list[float]
    reasons: list[list[Reason]]
    probabilities: list[float]

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
        reasons: for each query, for each item, why it is there; None unless asked for.
    """

    items: Indices
    scores: Floats
    probabilities: Floats
    item_ids: Vocabulary
    reasons: list[list[list[Reason]]] | None = None

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
        )

    def __iter__(self) -> Iterator[Slate]:
        return (self[row] for row in range(len(self)))

    def to_frame(self) -> pl.DataFrame:
        """Return a row an item shown: ``query`` from 0, ``rank`` from 1, ``item_id``, ``score``, ``probability``."""
        slates = list(self)
        return pl.DataFrame(
            {
                "query": [row for row, slate in enumerate(slates) for _ in slate.items],
                "rank": [rank for slate in slates for rank in range(1, len(slate) + 1)],
                "item_id": [item for slate in slates for item in slate.items],
                "score": [score for slate in slates for score in slate.scores],
                "probability": [probability for slate in slates for probability in slate.probabilities],
            },
            schema={
                "query": pl.Int64,
                "rank": pl.Int64,
                "item_id": pl.String,
                "score": pl.Float32,
                "probability": pl.Float32,
            },
        )
