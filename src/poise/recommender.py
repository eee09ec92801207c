"""The one interface of all that recommends: models, blends, pipelines. No exceptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
from pydantic import ConfigDict

from poise.candidates import Candidates, hide_unwanted
from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.data.vocabulary import Vocabulary
from poise.errors import DataError, PoiseError, UnknownIdError, UsageError, one_line
from poise.files import atomic_directory, read_json
from poise.fittable import Fittable
from poise.options.likeness import SIMILAR_BY, LikenessSource, SimilarBy
from poise.options.search_space import Space
from poise.persistence import HEADER, Persistent, read
from poise.plugins import MODELS
from poise.slates import Reason, Slates, weightiest
from poise.types import Floats, Indices, Mask

OPTIONS = ConfigDict(extra="forbid", arbitrary_types_allowed=True, validate_default=True)
"""How a recommender's options are checked: a name or a value that does not fit is an error."""

_MODELS_THAT_COMPARE: dict[SimilarBy | None, str] = {
    None: "ItemKNN, EASE, ALS, BPR or Content",
    "behaviour": "ItemKNN, EASE, ALS or BPR",
    "content": "Content",
    "both": "a Blend or Pipeline of Content and ItemKNN, EASE, ALS or BPR",
}
_SCORES_AT_ONCE = 16_000_000  # floats that a batch of scores may take: 64 MB


class Recommender(Fittable):
    """Scores items for requests. A model is one subclass in one file: its options, ``_fit``, ``score`` and its arrays.

    A subclass is a dataclass whose fields are its options. What it learns goes into attributes of its own, which
    ``_arrays`` hands out for saving and ``_restore`` takes back. One that defines :meth:`score_candidates` in place of
    ``score`` is a ranker: its cost grows with the candidates that others bring. Each of the two gives the other.

    Attributes:
        search_space: where ``poise tune`` looks for better options, unless ``poise.toml`` says otherwise.
        likeness_source: what its :meth:`similarity` goes by.
        for_seen: whether it is about what people had before, and so of no use where seen items are hidden.
        unscored: int32 ``[m]``, items without events and content, which it therefore puts below all others.
    """

    entry_point_group = MODELS
    likeness_source: ClassVar[LikenessSource] = "behaviour"
    search_space: ClassVar[Space] = {}
    for_seen: ClassVar[bool] = False
    unscored: Indices = np.empty(0, dtype=np.int32)

    @property
    def non_personalized(self) -> bool:
        """Whether all requests are scored alike, so that one stands for all of them."""
        return False

    @property
    def reads_users(self) -> bool:
        """Whether it reads the columns of the user, :attr:`Queries.users`."""
        return False

    def score(self, queries: Queries) -> Floats:
        """Return how well each item fits each request, float32 ``[n, n_items + 1]``: a new array.

        Column 0 is padding and means nothing. Seen and excluded items are scored like all others; :meth:`rank` hides
        them. A model that only scores candidates scores all items as such.

        Args:
            queries: ``n`` requests that fit into memory together, in the terms of :attr:`item_ids`.

        Raises:
            TypeError: the class has neither this method nor :meth:`score_candidates`.
        """
        if type(self).score_candidates is Recommender.score_candidates:
            raise TypeError(f"{type(self).__name__} has neither score nor score_candidates: a model needs one of them")
        n, size = len(queries), queries.item_ids.size
        every = np.tile(np.arange(1, size, dtype=np.int32), n)
        scores = np.zeros((n, size), dtype=np.float32)
        scores[:, 1:] = self.score_candidates(queries, Ragged(every, np.arange(n + 1) * (size - 1))).reshape(n, -1)
        return scores

    def score_candidates(self, queries: Queries, candidates: Ragged) -> Floats:
        """Return how well each request's candidates fit it, float32 ``[total]``: what :meth:`score` says of them.

        Args:
            queries: ``n`` requests, in the terms of :attr:`item_ids`.
            candidates: ``n`` rows of item indices.

        A model whose cost grows with the candidates, not with the catalogue, does so here; the others pick from
        :meth:`score`.
        """
        return self.score(queries)[candidates.rows, candidates.values]

    def score_with_moments(
        self, queries: Queries, candidates: Ragged, n_items: int | None = None
    ) -> tuple[Floats, Floats, Floats]:
        """Return the scores of candidates and how all items score, by which scores of several models can be compared.

        Args:
            queries: ``n`` requests.
            candidates: ``n`` rows of item indices.
            n_items: how many items of the catalogue, from the first on, the moments are taken over; None for all.

        Returns:
            scores float32 ``[total]``, and of each request the mean and the standard deviation of the scores of the
            catalogue, float32 ``[n]`` each.
        """
        if type(self).score is Recommender.score:  # it scores candidates alone, and these stand for the catalogue
            given = self.score_candidates(queries, candidates)
            totals = (np.bincount(candidates.rows, power, len(queries)) for power in (given, given.astype(float) ** 2))
            mean, square = (total / np.maximum(candidates.lengths, 1) for total in totals)
            return given, mean.astype(np.float32), np.sqrt(np.maximum(square - mean**2, 0)).astype(np.float32)
        scores = self.score(queries)
        counted = scores[:, 1:] if n_items is None else scores[:, 1 : n_items + 1]
        return scores[candidates.rows, candidates.values], counted.mean(axis=1), counted.std(axis=1)

    def predict(self, queries: Queries, items: Ragged) -> Floats | None:
        """Return the predicted value (rating, say) of each query's items, float32 ``[total]``, on the scale of the log.

        None where the model predicts no values, only which items fit better.
        """
        return None

    def rank(self, queries: Queries, k: int, *, explain: bool = False) -> tuple[Slates, Candidates]:
        """Return the slates for a batch of requests that fits into memory, and what they were chosen from.

        Where a request names its candidates, these alone are scored. Exact: evaluation goes by it, where
        :meth:`recommend` may go by :meth:`retrieve`.

        Args:
            queries: ``n`` requests, in the terms of :attr:`item_ids`; all of them name candidates, or none does.
            k: how many items a slate has, at most.
            explain: whether to say why each item is there.
        """
        if queries.candidates is None:
            candidates = Candidates.of_catalogue(self.score(queries))
        else:
            named = queries.candidates.without_repeats()
            scores, mean, _ = self.score_with_moments(queries, named)
            candidates = Candidates.of_lists(named, scores, mean)
        hide_unwanted(candidates, queries)
        slates = Slates.of(candidates.top(k), queries.item_ids)
        return replace(slates, reasons=self.explain(queries, slates.items)) if explain else slates, candidates

    def retrieve(self, queries: Queries, k: int) -> Slates:
        """Return the best items, or nearly the best, for a batch of requests that fits into memory.

        A model that finds them without scoring all items does so here. It is what a pipeline asks of its retrievers,
        with ``k`` for the number of candidates.
        """
        return self.rank(queries, k)[0]

    def index_items(self) -> None:
        """Make :meth:`retrieve` quick, where there is a way; a pipeline asks it of its fitted retrievers."""
        return

    def recommend(self, queries: Queries, k: int = 10, *, explain: bool = False) -> Slates:
        """Return the ``k`` best items for each request, best first.

        Args:
            queries: what is asked; in the terms of another catalogue they are translated into this one's.
            k: how many items; a slate is shorter where fewer may be returned.
            explain: whether to say why each item is there.

        Raises:
            UsageError: ``k`` is below 1 or above the number of items in the catalogue.
            NotFittedError: there is nothing learnt yet.
        """
        self._require_fitted()
        check_k(k, len(self.item_ids))
        queries = queries.reindex(self.item_ids)
        batches = queries.batches(batch_size(self.item_ids.size))
        parts = [self._answer(batch, k, explain=explain) for batch in batches]
        return Slates.end_to_end(parts, k, self.item_ids, explained=explain)

    def _answer(self, queries: Queries, k: int, *, explain: bool) -> Slates:
        """Return the slates of :meth:`recommend` for one batch."""
        slates = self.retrieve(queries, k)
        return replace(slates, reasons=self.explain(queries, slates.items)) if explain else slates

    def similar(
        self, items: Sequence[str], k: int = 10, *, by: SimilarBy | None = None, allowed: Mask | None = None
    ) -> Slates:
        """Return the ``k`` items that are most like each of ``items`` (outer ids), never the item itself.

        Args:
            items: outer ids.
            k: how many.
            by: ``content``, what items are; ``behaviour``, what people did with them; ``both``, each counting half.
                None takes what the model knows, and a pipeline what is known of each item.
            allowed: bool ``[n_items + 1]``, what may be returned; None for all.

        Raises:
            UsageError: the model has no notion of such a similarity, or ``k`` is not in the catalogue's range.
            UnknownIdError: an item is not in the catalogue.
        """
        self._require_fitted()
        check_k(k, len(self.item_ids) - 1)
        if isinstance(items, str):
            raise UsageError(f"items is a list of ids; for one item write [{items!r}]")
        index = self.item_ids.index(items)
        if (unknown := np.flatnonzero(index == 0)).size:
            raise UnknownIdError(f"item {items[unknown[0]]!r} is not in the catalogue of this {self.name}")
        if by is not None and by not in SIMILAR_BY:
            raise UsageError(f"by is {by!r}; allowed: {', '.join(SIMILAR_BY)}")
        scores = self.similarity_by(index, by)
        if scores is None:
            how, which = f" by {by}" if by else "", _MODELS_THAT_COMPARE[by]
            raise UsageError(f"{self.name} cannot tell which items are similar{how}; ask {which}")
        candidates = Candidates.of_catalogue(scores)
        candidates.hide(Ragged(index, np.arange(len(index) + 1)))
        if allowed is not None:
            candidates.keep_only([allowed] * len(index))
        return Slates.of(candidates.top(k), self.item_ids)

    def similarity(self, items: Indices) -> Floats | None:
        """Return how like each item is to each of ``items``, float32 ``[n, n_items + 1]``, a new array.

        None where the model has no notion of similarity.
        """
        return None

    def similarity_by(self, items: Indices, by: SimilarBy | None) -> Floats | None:
        """Return what :meth:`similarity` does, by content, by behaviour or by both; None where it does not know that.

        Args:
            items: int32 ``[n]``.
            by: see :meth:`similar`.
        """
        return self.similarity(items) if by in (None, self.likeness_source) else None

    @property
    def parts(self) -> list[Recommender]:
        """The models that it is made of; none for a single model."""
        return []

    @property
    def fast_fallback(self) -> Recommender | None:
        """The quickest part that goes by what somebody did, for when the whole is too slow; None if there is none."""
        return next((part.fast_fallback for part in self.parts if part.fast_fallback is not None), None)

    def explain(self, queries: Queries, items: Indices) -> list[list[list[Reason]]]:
        """Return for each request, for each of its ``items`` (int32 ``[n, k]``), the reasons why it scored as it did.

        Without a method of its own, a model's reasons are the events whose :meth:`attributions` are largest.
        """
        explained: list[list[list[Reason]]] = []
        for row in range(len(queries)):
            query = queries.take([row])
            history = query.history(0)
            attributions = self.attributions(query, items[row]) if len(history) else None
            if attributions is None:
                explained.append([[] for _ in items[row]])
            else:
                explained.append([weightiest(history, attributions[:, place]) for place in range(items.shape[1])])
        return explained

    def attributions(self, query: Queries, items: Indices) -> Floats | None:
        """Return what each event of one history adds to the score of each item, float32 ``[n_history, k]``.

        Where the score is a sum over events, the columns add up to the items' scores. Where it is not, an event's part
        is what the score loses without it. None where neither is known.
        """
        return None

    def save(self, path: Path | str) -> None:
        """Write it to a directory, whole or not at all: options as JSON, arrays as safetensors, ids as Arrow.

        Raises:
            NotFittedError: there is nothing learnt yet.
        """
        self._require_fitted()
        with atomic_directory(path) as folder:
            self.item_ids.series.to_frame().write_ipc(folder / "items.arrow", compression="uncompressed")
            self._write(folder)


def load(path: Path | str, *, device: str | None = None) -> Recommender:
    """Read a recommender that :meth:`Recommender.save` wrote.

    Args:
        path: its directory.
        device: where models that are networks are to compute; None for the best there is.

    Raises:
        DataError: nothing was saved there, it is damaged, or a newer version of Poise wrote it.
    """
    path = Path(path)

    def prepare(part: Persistent) -> None:
        if isinstance(part, Recommender):
            part.item_ids = item_ids

    def finish(part: Persistent) -> None:
        if isinstance(part, Recommender):
            part._move_to(device)

    read_json(path / HEADER)  # says it where nothing was saved
    try:
        item_ids = Vocabulary._trusted(pl.read_ipc(path / "items.arrow")["id"])
        recommender = read(path, prepare, finish)
        if not isinstance(recommender, Recommender):
            raise DataError(f"{path} holds a {type(recommender).__name__}, which does not recommend")
        return recommender
    except PoiseError:
        raise
    except Exception as error:  # there is no end to what a damaged file can bring about
        raise DataError(f"the model in {path} is damaged ({one_line(error)}); fit it again") from error


def check_k(k: int, most: int) -> None:
    """Refuse a number of items that cannot be returned.

    Raises:
        UsageError: ``k`` is below 1 or above ``most``.
    """
    if not 1 <= k <= most:
        raise UsageError(f"k is {k}; it must lie between 1 and {most}, the number of items that can be returned")


def batch_size(width: int) -> int:
    """Return how many rows of ``width`` scores to hold in memory at once."""
    return int(np.clip(_SCORES_AT_ONCE // width, 1, 1024))
