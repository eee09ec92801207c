"""What learns from data: models, blends, pipelines. How it is fitted, fitted again, and goes on learning."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Any, Self
from weakref import ref

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.vocabulary import Vocabulary
from poise.errors import DataError, NotFittedError, UsageError
from poise.options.fit_options import FitOptions
from poise.options.selection import Selection
from poise.persistence import Persistent


class Fittable(Persistent, ABC):
    """Learns from a data set. A subclass is a dataclass whose fields are its options, and has ``_fit``.

    Attributes:
        item_ids: the catalogue that it was fitted on; the columns of its scores.
        data_fingerprint: of the data that it was fitted on.
        selected: what it selected on the validation part: weights, a decay, when to stop. A subclass that selects
            something has a default of a :class:`~poise.options.selection.Selection` of its own.
        notes: what a user should know of the fit, a line each.
        metrics: what it measured on the validation part, by name.
    """

    item_ids: Vocabulary
    data_fingerprint: str
    selected = Selection()
    notes: list[str]
    metrics: dict[str, float]
    _fitted_on: tuple[ref[Dataset], ref[Holdout] | None] | None = None

    @property
    def name(self) -> str:
        """What to call it in tables: the name of the class, unless it says otherwise."""
        return type(self).__name__

    @property
    def selection(self) -> dict[str, Any]:
        """What it selected on the validation part, by name, as people read it; empty where nothing was."""
        return self.selected.to_dict()

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
