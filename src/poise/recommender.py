"""The one interface of all that recommends: models, blends, pipelines. No exceptions."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self
from weakref import ref

import numpy as np
import polars as pl
from pydantic import ConfigDict

from poise.candidates import Candidates, hide_unwanted
from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.data.vocabulary import Vocabulary
from poise.errors import DataError, NotFittedError, PoiseError, UnknownIdError, UsageError, one_line
from poise.files import atomic_directory, read_json
from poise.options.fit_options import FitOptions
from poise.options.search_space import Space
from poise.options.selection import Selection
from poise.persistence import HEADER, Persistent, read
from poise.plugins import MODELS
from poise.slates import Reason, Slates, weightiest
from poise.types import Floats, Indices, Mask

OPTIONS = ConfigDict(extra="forbid", arbitrary_types_allowed=True, validate_default=True)
"""How a recommender's options are checked: a name or a value that does not fit is an error."""

_SCORES_AT_ONCE = 16_000_000  # floats that a batch of scores may take: 64 MB


class Recommender(Persistent, ABC):
    """Scores items for requests. A model is one subclass in one file: its options, ``_fit``, ``score`` and its arrays.

    A subclass is a dataclass whose fields are its options. What it learns goes into attributes of its own, which
    ``_arrays`` hands out for saving and ``_restore`` takes back. One that defines :meth:`score_candidates` in place of
    ``score`` is a ranker: its cost grows with the candidates that others bring. Each of the two gives the other.

    Attributes:
        search_space: where ``poise tune`` looks for better options, unless ``poise.toml`` says otherwise.
        item_ids: the catalogue that it was fitted on; the columns of its scores.
        data_fingerprint: of the data that it was fitted on.
        unscored: int32 ``[m]``, items without events and content, which it therefore puts below all others.
        selected: what it selected on the validation part: weights, a decay, when to stop. A subclass that selects
            something has a default of a :class:`~poise.options.selection.Selection` of its own.
        notes: what a user should know of the fit, a line each.
        metrics: what it measured on the validation part, by name.
    """

    entry_point_group = MODELS
    search_space: ClassVar[Space] = {}
    item_ids: Vocabulary
    data_fingerprint: str
    unscored: Indices = np.empty(0, dtype=np.int32)
    selected = Selection()
    notes: list[str]
    metrics: dict[str, float]
    _fitted_on: tuple[ref[Dataset], ref[Holdout] | None] | None = None

    @property
    def name(self) -> str:
        """What to call it in tables: the name of the class, unless it says otherwise."""
        return type(self).__name__

    @property
    def non_personalized(self) -> bool:
        """Whether all requests are scored alike, so that one stands for all of them."""
        return False

    @property
    def reads_users(self) -> bool:
        """Whether it reads the columns of the user, :attr:`Queries.users`."""
        return False

    def fit(self, data: Dataset, valid: Holdout | None = None, options: FitOptions = FitOptions()) -> Self:
        """Learn from all events of ``data``.

        Args:
            data: what may be learnt from: the training part of a split, or everything.
            valid: for recommenders that choose something (weights, when to stop): the validation part of that split.
            options: how and where to fit: device, seed, threads, callbacks.

        Returns:
            itself, fitted.

        Raises:
            DataError: it cannot learn from this data; see :meth:`unsupported_reason`.
        """
        self._require_learnable(data)
        self.selected, self.notes, self.metrics = type(self).selected, [], {}
        with options.limited_threads():
            self._fit(data, valid, options)
            self._fitted_on = (ref(data), None if valid is None else ref(valid))
            return self._fitted(data)

    def fit_once(self, data: Dataset, valid: Holdout | None = None, options: FitOptions = FitOptions()) -> Self:
        """Learn as :meth:`fit` does, unless it was fitted on these very objects: for parts of a whole."""
        if self._fitted_on is not None:
            fitted_data, fitted_valid = self._fitted_on
            if fitted_data() is data and (None if fitted_valid is None else fitted_valid()) is valid:
                return self
        return self.fit(data, valid, options)

    def refit(self, data: Dataset, options: FitOptions = FitOptions()) -> Self:
        """Learn anew from ``data``, the validation part included, and keep what was selected on validation."""
        self._require_fitted()
        self._require_learnable(data)
        self._fitted_on = None
        self.notes = []
        with options.limited_threads():
            self._refit(data, options)
            return self._fitted(data)

    def update(self, data: Dataset, valid: Holdout | None = None, options: FitOptions = FitOptions()) -> Self:
        """Continue from what was learnt, on a log and a catalogue that have grown, and keep what was selected.

        A model that learns step by step goes on from where it stands, on what is new and on some of what is old. One
        that is quick to fit is fitted anew.

        Args:
            data: all that there is by now, the old events too.
            valid: what to choose the best pass by; nothing is learnt from it. None takes the last pass.
            options: as of :meth:`fit`.

        Returns:
            itself. What shares arrays with it, see :meth:`extend_catalogue`, stays as it is.

        Raises:
            NotFittedError: there is nothing learnt yet.
            DataError: it cannot learn from this data; see :meth:`unsupported_reason`.
        """
        self._require_fitted()
        self._require_learnable(data)
        self._fitted_on = None
        with options.limited_threads():
            self._update(data, valid, options)
            return self._fitted(data)

    def extend_catalogue(self, data: Dataset) -> Self:
        """Return the same fitted model for a catalogue that has grown; nothing is learnt, and the model stays as it is.

        Items that the model knows keep their scores. A new item scores by its content where
        the model reads that, and otherwise as one without events. The two models share their arrays, so
        it takes milliseconds.

        Args:
            data: the catalogue, with the vectors of its items; its events are not looked at. Its items begin with those
                of the model, in the same order. Models of sequences and TwoTower take any catalogue.

        Raises:
            NotFittedError: there is nothing learnt yet.
            DataError: the catalogue does not begin with the model's own, or has no vectors of a kind that it reads.
            UsageError: the model cannot take new items.
        """
        self._require_fitted()
        grown = copy.copy(self)
        grown._grow(data)
        grown.item_ids = data.item_ids
        return grown

    def _grow(self, data: Dataset) -> None:
        """Make room for the items of ``data``, in a copy whose arrays are another model's too.

        :attr:`item_ids` are still those of the other model.
        """
        raise UsageError(f"{self.name} cannot take new items: fit it on the data that has them")

    def _count_added(self, data: Dataset) -> int:
        """Return how many items stand after those that the model knows; refuse a catalogue that begins otherwise."""
        if not data.item_ids.begins_with(self.item_ids):
            raise DataError(
                f"the items of {data.name!r} do not begin with the {len(self.item_ids):,} that this {self.name} knows, "
                "in the same order: put new items last, or fit it again"
            )
        return len(data.item_ids) - len(self.item_ids)

    def unsupported_reason(self, data: Dataset) -> str | None:
        """Return why it cannot learn from ``data``, in one line; None if it can."""
        return None

    def _update(self, data: Dataset, valid: Holdout | None, options: FitOptions) -> None:
        self._refit(data, options)

    def _refit(self, data: Dataset, options: FitOptions) -> None:
        self._fit(data, None, options)

    def _fitted(self, data: Dataset) -> Self:
        self.item_ids = data.item_ids
        self.data_fingerprint = data.fingerprint
        return self

    @abstractmethod
    def _fit(self, data: Dataset, valid: Holdout | None, options: FitOptions) -> None: ...

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

    def similar(self, items: Sequence[str], k: int = 10, *, allowed: Mask | None = None) -> Slates:
        """Return the ``k`` items that are most like each of ``items`` (outer ids), never the item itself.

        Args:
            items: outer ids.
            k: how many.
            allowed: bool ``[n_items + 1]``, what may be returned; None for all.

        Raises:
            UsageError: the model has no notion of similarity, or ``k`` is not in the catalogue's range.
            UnknownIdError: an item is not in the catalogue.
        """
        self._require_fitted()
        check_k(k, len(self.item_ids) - 1)
        if isinstance(items, str):
            raise UsageError(f"items is a list of ids; for one item write [{items!r}]")
        index = self.item_ids.index(items)
        if (unknown := np.flatnonzero(index == 0)).size:
            raise UnknownIdError(f"item {items[unknown[0]]!r} is not in the catalogue of this {self.name}")
        scores = self.similarity(index)
        if scores is None:
            raise UsageError(f"{self.name} cannot tell which items are similar; ask ItemKNN, EASE, ALS, BPR or Content")
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

    @property
    def selection(self) -> dict[str, Any]:
        """What it selected on the validation part, by name, as people read it; empty where nothing was."""
        return self.selected.to_dict()

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

    def _header(self) -> dict[str, Any]:
        return {
            "selected": self.selected.to_dict(),
            "notes": self.notes,
            "metrics": self.metrics,
            "data_fingerprint": self.data_fingerprint,
        }

    def _take_header(self, header: dict[str, Any]) -> None:
        self.data_fingerprint = header["data_fingerprint"]
        self.selected = type(self.selected).from_dict(header["selected"])
        self.notes, self.metrics = header["notes"], header["metrics"]

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the data it was fitted on: another process does not have it."""
        return {name: value for name, value in self.__dict__.items() if name != "_fitted_on"}

    def _note(self, line: str) -> None:
        """Note a line once."""
        if line not in self.notes:
            self.notes = [*self.notes, line]  # copies of the model share the list

    def _move_to(self, device: str | None) -> None:
        """Compute on that device from now on, None for the best there is; most models know only the processor."""
        return

    def _require_learnable(self, data: Dataset) -> None:
        if (unsupported_reason := self.unsupported_reason(data)) is not None:
            raise DataError(f"{self.name}: {unsupported_reason}")

    def _require_fitted(self) -> None:
        if not hasattr(self, "item_ids"):
            raise NotFittedError(f"{self.name} has learnt nothing yet: call fit(data) first")


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
