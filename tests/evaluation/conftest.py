from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
import pytest

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.ingest.indexing import index
from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.options.fit_options import FitOptions
from poise.recommender import Recommender
from poise.types import Floats


class Fixed(Recommender):
    """Gives the scores it was made with, a row a user; and, if there are any, predicted values of items."""

    def __init__(self, scores: object, values: object = None, name: str = "Fixed") -> None:
        self.table = np.asarray(scores, dtype=np.float32)  # [n_users + 1, n_items + 1]
        self.values = None if values is None else np.asarray(values, dtype=np.float32)
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def _fit(self, data: Dataset, valid: Holdout | None, options: FitOptions) -> None:
        pass

    def score(self, queries: Queries) -> Floats:
        return self.table[queries.user].copy()

    def predict(self, queries: Queries, items: Ragged) -> Floats | None:
        return None if self.values is None else self.values[items.values]


MakeHoldout = Callable[..., Holdout]


@pytest.fixture
def make_holdout() -> MakeHoldout:
    """Return a function that makes a holdout of item indices (from 1): the past of each user, and what came then."""

    def make(
        histories: Sequence[Sequence[int]],
        targets: Sequence[Sequence[int]],
        n_items: int,
        *,
        values: Sequence[float] | None = None,
        genres: Sequence[Sequence[str]] | None = None,
        users: pl.DataFrame | None = None,
        hide_seen: bool = True,
    ) -> Holdout:
        names = [f"item {position:03}" for position in range(1, n_items + 1)]
        events = pl.DataFrame(
            {
                "user_id": [f"user {user:04}" for user, row in enumerate(histories) for _ in row],
                "item_id": [names[item - 1] for row in histories for item in row],
            },
            schema={"user_id": pl.String, "item_id": pl.String},
        )
        items = pl.DataFrame({"item_id": names, "title": [f"<{name}> & co" for name in names]})
        if genres is not None:
            items = items.with_columns(pl.Series("genres", genres, dtype=pl.List(pl.String)))
        if users is None:
            users = pl.DataFrame({"user_id": [f"user {user:04}" for user in range(len(histories))]})
        else:
            users = users.insert_column(
                0, pl.Series("user_id", [f"user {position:04}" for position in range(len(histories))])
            )
        data = index(
            events,
            items,
            users,
            item_kinds={"title": "text"} | ({} if genres is None else {"genres": "categories"}),
            user_kinds=dict.fromkeys(users.columns[1:], "category"),
            title_column="title",
        )
        packed = Ragged.from_rows(targets)
        rated = np.full(len(packed.values), np.nan) if values is None else np.asarray(values)
        queries = data.queries(hide_seen=hide_seen)
        return Holdout("test", data, queries, packed, rated.astype(np.float32))

    return make


@pytest.fixture
def fixed() -> type[Fixed]:
    """Return the class of a recommender with known scores."""
    return Fixed
