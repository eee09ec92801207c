"""The one interface of whatever recommends: models, blends, pipelines. No exceptions."""

from __future__ import annotations

import copy
import dataclasses
import importlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import ConfigDict

from poise._version import __version__
from poise.arrays import read_arrays
from poise.candidates import Candidates, hide_unwanted
from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.data.vocabulary import Vocabulary
from poise.errors import DataError, NotFittedError, PoiseError, UnknownIdError, UsageError, one_line
from poise.files import atomic_directory, read_json, write_json
from poise.slates import Reason, Slates
from poise.types import Floats, Indices, Mask

OPTIONS = ConfigDict(extra="forbid", arbitrary_types_allowed=True, validate_default=True)
"""How a recommender's options are checked: a name or a value that does not fit is an error."""

FORMAT = 1
_SCORES_AT_ONCE = 16_000_000  # floats that a batch of scores may take: 64 MB
_REASON_ITEMS = 2


class Recommender(ABC):
    """Says who would like what. A model is one subclass in one file: its options, ``_fit``, ``score`` and its arrays.

    A subclass is a dataclass whose fields are its options. What it learns goes into attributes of its own, which
    ``_arrays`` hands out for saving and ``_restore`` takes back.

    Attributes:
        item_ids: the catalogue that it was fitted on; the columns of its scores.
        data_fingerprint: of the data that it was fitted on.
        chosen: what it decided on the validation part: weights, a decay, when to stop.
    """

    kinds: ClassVar[dict[str, type[Recommender]]] = {}
    item_ids: Vocabulary
    data_fingerprint: str
    unscored: Indices = np.empty(0, dtype=np.int32)
    selected: dict[str, Any]
    _learnt_from: tuple[Dataset | None, Holdout | None] = (None, None)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        Recommender.kinds[f"{cls.__module__}.{cls.__name__}"] = cls

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
        """Whether it goes by what the columns say of who asks, :attr:`Queries.users`."""
        return False

    def fit(self, data: Dataset, valid: Holdout | None = None) -> Self:
        """Learn from all events of ``data``.

        Args:
            data: what may be learnt from: the training part of a split, or everything.
            valid: for recommenders that choose something (weights, when to stop): the validation part of that split.

        Returns:
            itself, fitted.

        Raises:
            DataError: it cannot learn from this data; see :meth:`unsupported_reason`.
        """
        self._require_learnable(data)
        self.selected = {}
        self._fit(data, valid)
        self._learnt_from = (data, valid)
        return self._fitted(data)

    def fit_once(self, data: Dataset, valid: Holdout | None = None) -> Self:
        """Learn as :meth:`fit` does, unless these very objects are what it has learnt from: for parts of a whole."""
        learnt, checked = self._learnt_from
        return self if learnt is data and checked is valid else self.fit(data, valid)

    def refit(self, data: Dataset) -> Self:
        """Learn anew from ``data``, the validation part included, and keep what was chosen on validation."""
        self._require_fitted()
        self._require_learnable(data)
        self._learnt_from = (None, None)
        self._refit(data)
        return self._fitted(data)

    def update(self, data: Dataset, valid: Holdout | None = None) -> Self:
        """Continue from what was learnt, on a log and a catalogue that have grown, and keep what was chosen.

        A model that learns step by step goes on from where it stands, on what is new and on some of what is old. One
        that is quick to fit is fitted anew.

        Args:
            data: all that there is by now, the old events too.
            valid: what to choose the best pass by; nothing is learnt from it. None takes the last pass.

        Returns:
            itself. What shares arrays with it, see :meth:`extend_catalogue`, stays as it is.

        Raises:
            NotFittedError: there is nothing learnt yet.
            DataError: it cannot learn from this data; see :meth:`unsupported_reason`.
        """
        self._require_fitted()
        self._require_learnable(data)
        self._learnt_from = (None, None)
        self._update(data, valid)
        return self._fitted(data)

    def extend_catalogue(self, data: Dataset) -> Self:
        """Return the same fitted model for a catalogue that has grown; nothing is learnt, and the model stays as it is.

        Items that the model knows keep their scores. An item that it has not met scores by what its content means,
        where the model reads that, and otherwise as one that nobody has touched. The two models share their arrays, so
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
        grown.selected = dict(self.selected)
        grown._learnt_from = (None, None)
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
        if not begins_with(data.item_ids, self.item_ids):
            raise DataError(
                f"the items of {data.name!r} do not begin with the {len(self.item_ids):,} that this {self.name} knows, "
                "in the same order: put new items last, or fit it again"
            )
        return len(data.item_ids) - len(self.item_ids)

    def unsupported_reason(self, data: Dataset) -> str | None:
        """Return why it cannot learn from ``data``, in one line; None if it can."""
        return None

    def _update(self, data: Dataset, valid: Holdout | None) -> None:
        self._refit(data)

    def _refit(self, data: Dataset) -> None:
        self._fit(data, None)

    def _fitted(self, data: Dataset) -> Self:
        self.item_ids = data.item_ids
        self.data_fingerprint = data.fingerprint
        return self

    @abstractmethod
    def _fit(self, data: Dataset, valid: Holdout | None) -> None: ...

    def score(self, queries: Queries) -> Floats:
        """Return how well each item fits each request, float32 ``[n, n_items + 1]``: a new array.

        Column 0 is padding and means nothing. Seen and excluded items are scored like all others; :meth:`rank` hides
        them. The queries must be in the terms of :attr:`item_ids`. A model that only scores candidates scores all items
        as such.
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
        known = scores[:, 1:] if n_items is None else scores[:, 1 : n_items + 1]
        return scores[candidates.rows, candidates.values], known.mean(axis=1), known.std(axis=1)

    def predict(self, queries: Queries, items: Ragged) -> Floats | None:
        """Return the predicted value (rating, say) of each query's items, float32 ``[total]``, on the scale of the log.

        None where the model predicts no values, only which items fit better.
        """
        return None

    def rank(self, queries: Queries, k: int, *, explain: bool = False) -> tuple[Slates, Candidates]:
        """Return the slates for a batch of requests that fits into memory, and what they were chosen from.

        Where a request names its candidates, these alone are scored.
        """
        if queries.candidates is None:
            candidates = Candidates.of_catalogue(self.score(queries))
        else:
            named = without_repeats(queries.candidates)
            scores, mean, _ = self.score_with_moments(queries, named)
            candidates = Candidates.of_lists(named, scores, mean)
        hide_unwanted(candidates, queries)
        slates = Slates.of(candidates.top(k), queries.item_ids)
        return replace(slates, reasons=self.explain(queries, slates.items)) if explain else slates, candidates

    def retrieve(self, queries: Queries, k: int) -> Slates:
        """Return the best items, or nearly the best, for a batch of requests that fits into memory.

        A model that finds them without scoring all items does so here.
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

    def _write(self, folder: Path) -> None:
        from safetensors.numpy import save_file

        options: dict[str, Any] = {}
        parts: dict[str, str | list[str]] = {}
        for option in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, option.name)
            if isinstance(value, Recommender):
                parts[option.name] = option.name
                _write_part(value, folder / option.name)
            elif isinstance(value, list) and value and isinstance(value[0], Recommender):
                parts[option.name] = [f"{option.name}.{at}" for at in range(len(value))]
                for part, part_name in zip(value, parts[option.name], strict=True):
                    _write_part(part, folder / part_name)
            else:
                options[option.name] = self._option_to_json(option.name, value)
        header = {
            "format": FORMAT,
            "poise": __version__,
            "kind": type(self).__name__,
            "module": type(self).__module__,
            "options": options,
            "parts": parts,
            "selected": self.selected,
            "data_fingerprint": self.data_fingerprint,
        }
        write_json(folder / "model.json", header)
        save_file(
            {name: np.ascontiguousarray(array) for name, array in self._arrays().items()}, folder / "arrays.safetensors"
        )

    def _option_to_json(self, name: str, value: Any) -> Any:
        """Return an option as JSON can hold it, of which the constructor makes it again."""
        return value

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return what was learnt, by name."""
        return {}

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """Take back what :meth:`_arrays` gave; :attr:`item_ids` is already there."""
        return

    def _require_learnable(self, data: Dataset) -> None:
        if (unsupported_reason := self.unsupported_reason(data)) is not None:
            raise DataError(f"{self.name}: {unsupported_reason}")

    def _require_fitted(self) -> None:
        if not hasattr(self, "item_ids"):
            raise NotFittedError(f"{self.name} has learnt nothing yet: call fit(data) first")


def load(path: Path | str) -> Recommender:
    """Read a recommender that :meth:`Recommender.save` wrote.

    Raises:
        DataError: nothing was saved there, it is damaged, or a newer version of Poise wrote it.
    """
    path = Path(path)
    header = read_json(path / "model.json")
    try:
        if header["format"] > FORMAT:
            raise DataError(
                f"{path} was written by Poise {header['poise']}, newer than this {__version__}: upgrade to read it"
            )
        item_ids = Vocabulary._trusted(pl.read_ipc(path / "items.arrow")["id"])
        return _read(path, item_ids)
    except PoiseError:
        raise
    except Exception as error:  # there is no end to what a damaged file can bring about
        raise DataError(f"the model in {path} is damaged ({one_line(error)}); fit it again") from error


def _read(folder: Path, item_ids: Vocabulary) -> Recommender:
    header = read_json(folder / "model.json")
    parts: dict[str, Any] = {}
    for option, names in header["parts"].items():
        parts[option] = (
            _read(folder / names, item_ids)
            if isinstance(names, str)
            else [_read(folder / name, item_ids) for name in names]
        )
    recommender = _kind(header)(**header["options"], **parts)
    recommender.item_ids = item_ids
    recommender.data_fingerprint = header["data_fingerprint"]
    recommender.selected = header["selected"]
    recommender._restore(read_arrays(folder / "arrays.safetensors"))
    return recommender


def _kind(header: dict[str, Any]) -> type[Recommender]:
    """Return the class that a model was saved as. Only modules of Poise are imported on a file's word."""
    if header["module"].startswith("poise."):
        importlib.import_module(header["module"])
    found = Recommender.kinds.get(f"{header['module']}.{header['kind']}")
    if found is None:
        raise DataError(
            f"the model is of the kind {header['kind']!r}, which is not known here: import {header['module']} first"
        )
    return found


def _write_part(part: Recommender, folder: Path) -> None:
    folder.mkdir()
    part._write(folder)


def without_repeats(candidates: Ragged) -> Ragged:
    """Return the same rows with each item once and without padding."""
    return Ragged.from_rows([np.unique(row[row > 0]) for row in (candidates[row] for row in range(len(candidates)))])


def begins_with(item_ids: Vocabulary, first: Vocabulary) -> bool:
    """Tell whether a catalogue begins with another one, in the same order."""
    return item_ids is first or item_ids.series.head(len(first)).equals(first.series)


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
