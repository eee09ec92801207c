"""A step of the policy: it reads scored candidates and the requests, and hands on candidates, in the end slates."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Self

import numpy as np

from poise.candidates import Candidates
from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.errors import UsageError, one_line, suggest
from poise.persistence import Persistent
from poise.plugins import POLICIES, entry_points_of, load_entry_point
from poise.recommender import Recommender
from poise.slates import Reason, Slates
from poise.types import Mask

BUILT_IN = {"HideSeen": "hide_seen", "ColdStartBoost": "cold_start_boost", "ExploreUnknown": "explore_unknown"}
"""The file of each of Poise's own steps."""


@dataclasses.dataclass(frozen=True)
class PolicyRequest:
    """What a step knows of the requests besides the candidates.

    Attributes:
        queries: the requests: of whom, when and where, and what they rule out.
        k: how many items a slate has, at most.
        personalized: bool ``[n]``, whether the scores are each person's own: not where nothing is known of the user,
            nor where what is popular stands in for a model that did not answer.
        rng: the source of chance; None where nothing may be drawn, as when a pipeline is measured.
    """

    queries: Queries
    k: int
    personalized: Mask
    rng: np.random.Generator | None = None


class PolicyStep(Persistent, ABC):
    """One decision about what is shown. A step is one subclass in one file: its options, and :meth:`apply`.

    A subclass is a dataclass whose fields are its options. What it learns goes into attributes of its own, which
    ``_arrays`` hands out for saving and ``_restore`` takes back. Learning is done in :meth:`fit` and :meth:`refit`;
    :meth:`apply` must leave the step as it is, since several threads may call it.
    """

    entry_point_group = POLICIES

    @property
    def name(self) -> str:
        """What to call it: the name of the class."""
        return type(self).__name__

    @property
    def options(self) -> dict[str, Any]:
        """Its options, by name."""
        return {option.name: getattr(self, option.name) for option in dataclasses.fields(self)}  # type: ignore[arg-type]

    @property
    def selection(self) -> dict[str, Any]:
        """What it selected on the validation part, by name; empty where nothing was."""
        return {}

    @property
    def metrics(self) -> dict[str, float]:
        """What it measured on the validation part, by name."""
        return {}

    def fit(self, ranker: Recommender, data: Dataset, valid: Holdout | None) -> None:
        """Learn what it needs, after the ranker has learnt, and select on the validation part.

        Args:
            ranker: the fitted ranker of the pipeline.
            data: what may be learnt from.
            valid: what to select by; None where there is no validation part.
        """
        return

    def refit(self, data: Dataset) -> None:
        """Learn anew from all events, and keep what was selected on validation."""
        return

    def extend_catalogue(self, data: Dataset, n_added: int) -> Self:
        """Return the same step for a catalogue that has grown by ``n_added`` items, the last ones of ``data``.

        A step with an array of ``n_items + 1`` returns a copy whose array is longer; this one stays as it is.
        """
        return self

    @abstractmethod
    def apply(self, candidates: Candidates, request: PolicyRequest) -> Candidates:
        """Return the candidates with this decision taken: scores changed, hidden (minus infinity), or made a slate.

        Whatever draws takes its chance from ``request.rng`` and sets the probability with which each item is shown.

        Args:
            candidates: of ``n`` requests, as the step before left them; the arrays may be written into.
            request: what is known of these requests.
        """

    def explain(
        self, reasons: list[list[list[Reason]]], slates: Slates, queries: Queries, ranker: Recommender
    ) -> list[list[list[Reason]]]:
        """Return the reasons for each item of each slate, with those of this step among them.

        Args:
            reasons: for each request, for each of its items, those of the ranker and the steps before; may be changed.
            slates: what was shown, of ``n`` requests.
            queries: the requests.
            ranker: that scored the items.
        """
        return reasons


def make_step(name: str, options: Mapping[str, Any]) -> PolicyStep:
    """Return a step by its name: one of Poise's own, or one that an installed package declares.

    Raises:
        UsageError: there is no such step, or it does not take these options.
    """
    declared = entry_points_of(POLICIES)
    if name in declared:
        kind: type[PolicyStep] = load_entry_point(POLICIES, name)
    elif name in BUILT_IN:
        kind = getattr(import_module(f"poise.policy.{BUILT_IN[name]}"), name)
    else:
        names = [*BUILT_IN, *declared]
        raise UsageError(f"there is no policy step {name!r}.{suggest(name, names)} There are {', '.join(names)}")
    try:
        return kind(**options)
    except TypeError as error:
        raise UsageError(f"policy step {name}: {one_line(error)}") from None
