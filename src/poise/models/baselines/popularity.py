from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from annotated_types import Gt
from pydantic.dataclasses import dataclass

from poise.data.dataset import Dataset
from poise.data.event_log import EventLog, newest_of_pairs
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.durations import DAY
from poise.models.baselines.mean_values import mean_values
from poise.options.fit_options import FitOptions
from poise.options.search_space import Range, Space
from poise.recommender import OPTIONS, Recommender
from poise.slates import Reason
from poise.types import Doubles, Floats, Indices, Offsets


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class Popularity(Recommender):
    """What most people chose: overall, lately, or in the scenario of the request.

    The score is ``log(1 + people)``: each person counts once for an item, however often they come back to it, and by
    their newest event where an old one counts less. As a predictor of values it gives an item's mean value, drawn
    towards the overall mean where there are few.

    Args:
        half_life: the days after which a person counts half; None counts all alike. Needs timestamps.
        scenario: the context column by whose values to count apart; a request with an unknown value, or without one,
            gets the overall counts.
    """

    half_life: Annotated[float, Gt(0)] | None = None
    scenario: str | None = None

    search_space: ClassVar[Space] = {"half_life": Range(low=1.0, high=1000.0, log=True)}

    @property
    def name(self) -> str:
        """``Popularity``, or what it counts by."""
        lately = "" if self.half_life is None else f", half-life {self.half_life:g} d"
        where = "" if self.scenario is None else f", by {self.scenario}"
        return f"Popularity{lately}{where}"

    @property
    def non_personalized(self) -> bool:
        """See :attr:`Recommender.non_personalized`."""
        return self.scenario is None

    def _fit(self, data: Dataset, valid: Holdout | None, options: FitOptions) -> None:
        log = data.events
        width = data.item_ids.size
        counts = [self._people(log, log.newest_of_pairs, width)]  # row 0: everywhere
        self.scenarios: list[str] = []
        if self.scenario is not None:
            named = log.context[self.scenario].cast(str)
            self.scenarios = named.drop_nulls().unique().sort().to_list()
            codes = {name: code for code, name in enumerate(self.scenarios, 1)}
            of_event = np.array([codes.get(name, 0) for name in named])
            for code in codes.values():
                places = np.flatnonzero(of_event == code)
                newest = places[newest_of_pairs(log.user[places], log.item[places])]
                counts.append(self._people(log, newest, width))
        self._set_scores(np.log1p(np.stack(counts)).astype(np.float32))
        self.means = mean_values(log.item, log.value, width)

    def _people(self, log: EventLog, places: Offsets, width: int) -> Doubles:
        """Return how many people chose each item, by the places of their newest events, float64 ``[width]``."""
        weight = None
        if self.half_life is not None:
            weight = np.exp2((log.timestamp[places] - log.timestamp.max()) / (self.half_life * DAY))
        return np.bincount(log.item[places], weight, minlength=width).astype(np.float64)

    def _set_scores(self, scores: Floats) -> None:
        self.scores = scores  # [n_scenarios + 1, n_items + 1]
        self._moments: dict[int, tuple[Floats, Floats]] = {}

    def _grow(self, data: Dataset) -> None:
        added = self._count_added(data)
        self._set_scores(np.pad(self.scores, ((0, 0), (0, added))))
        self.means = np.pad(self.means, (0, added), constant_values=self.means[0])  # that of padding is the overall one

    def unsupported_reason(self, data: Dataset) -> str | None:
        """See :meth:`Recommender.unsupported_reason`: no timestamps, or no such context column."""
        if self.half_life is not None and not data.events.has_time:
            return f"half_life needs timestamps, and {data.name!r} has none"
        if self.scenario is not None and self.scenario not in data.events.context.columns:
            columns = ", ".join(data.events.context.columns) or "none"
            return f"events have no context column {self.scenario!r}; there are: {columns}"
        return None

    def score(self, queries: Queries) -> Floats:
        """See :meth:`Recommender.score`."""
        return self.scores[self._scenario_of(queries)]

    def score_candidates(self, queries: Queries, candidates: Ragged) -> Floats:
        """See :meth:`Recommender.score_candidates`."""
        return self.scores[self._scenario_of(queries)[candidates.rows], candidates.values]

    def score_with_moments(
        self, queries: Queries, candidates: Ragged, n_items: int | None = None
    ) -> tuple[Floats, Floats, Floats]:
        """See :meth:`Recommender.score_with_moments`."""
        scenario = self._scenario_of(queries)
        mean, deviation = self._moments_over(n_items or queries.n_items)
        return self.scores[scenario[candidates.rows], candidates.values], mean[scenario], deviation[scenario]

    def _scenario_of(self, queries: Queries) -> Offsets:
        """Return the row of :attr:`scores` that answers each request, int64 ``[n]``."""
        row = np.zeros(len(queries), dtype=np.int64)
        if self.scenario is not None and queries.context is not None and self.scenario in queries.context.columns:
            codes = {name: code for code, name in enumerate(self.scenarios, 1)}
            row = np.array([codes.get(name, 0) for name in queries.context[self.scenario].cast(str)], dtype=np.int64)
        return row

    def _moments_over(self, n_items: int) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of the first items' scores, float32 ``[n_scenarios + 1]`` each."""
        if n_items not in self._moments:
            scores = self.scores[:, 1 : n_items + 1]
            self._moments[n_items] = scores.mean(axis=1), scores.std(axis=1)
        return self._moments[n_items]

    def predict(self, queries: Queries, items: Ragged) -> Floats | None:
        """See :meth:`Recommender.predict`: the damped mean value of each item."""
        return None if np.isnan(self.means).all() else self.means[items.values]

    def explain(self, queries: Queries, items: Indices) -> list[list[list[Reason]]]:
        """See :meth:`Recommender.explain`."""
        return [[[Reason("popular")] for _ in row] for row in items]

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        names = json.dumps(self.scenarios).encode()
        return {"scores": self.scores, "means": self.means, "scenarios": np.frombuffer(names, dtype=np.uint8)}

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self._set_scores(arrays["scores"])
        self.means = arrays["means"]
        self.scenarios = json.loads(arrays["scenarios"].tobytes())
