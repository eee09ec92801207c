"""Learning on: what is new is learnt, what is old is not forgotten."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from poise.data.dataset import Dataset
from poise.data.ingest.indexing import index
from poise.data.queries import Queries
from poise.models import BERT4Rec, GRU4Rec, SASRec
from poise.models.sequential.sequence_model import SequenceModel

OLD, NEW = 20, 6  # items: the old ones are a circle, the new ones another
DAY = 86_400_000  # milliseconds
SMALL: dict[str, Any] = {
    **{"dim": 16, "dropout": 0.1, "negatives": 12, "batch_events": 64, "learning_rate": 1e-2},
    **{"max_length": 10, "min_lr_ratio": 1.0},
}


def _two_circles(*, later: bool) -> Dataset:
    """Sixty people go round the old circle; later on twenty others go round the new one."""
    rows = [(f"old {user:02}", (user + step) % OLD, step) for user in range(60) for step in range(8)]
    if later:
        rows += [
            (f"people {user:02}", OLD + (user + step) % NEW, 100 + step) for user in range(20) for step in range(8)
        ]
    events = pl.DataFrame(
        {
            "user_id": [who for who, _, _ in rows],
            "item_id": [f"item {item:02}" for _, item, _ in rows],
            "timestamp": [DAY * (1 + step) for _, _, step in rows],
        }
    )
    size = OLD + NEW if later else OLD
    data = index(events, pl.DataFrame({"item_id": [f"item {position:02}" for position in range(size)]}))
    vectors = np.random.default_rng(0).normal(size=(OLD + NEW + 1, 24)).astype(np.float32)
    vectors[0] = 0
    return data.with_vectors("text", vectors[: size + 1])


def _right(model: SequenceModel, first: int, size: int) -> float:
    """Return how often the next item of a circle comes first."""
    steps = np.arange(size)
    histories = [first + (position + np.arange(4)) % size + 1 for position in steps]
    best = model.recommend(Queries.from_histories(histories, model.item_ids), 1).items[:, 0]
    return float((best == first + (steps + 4) % size + 1).mean())


@pytest.mark.parametrize(
    ("kind", "items", "passes"),
    [(SASRec, "fused", 30), (SASRec, "text", 30), (SASRec, "id", 120), (GRU4Rec, "fused", 30)],
)
def test_update_learns_new_items_and_keeps_old_ones(
    kind: type[SequenceModel], items: Any, passes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = kind(**SMALL, items=items, epochs=3).fit(_two_circles(later=False))
    assert _right(model, 0, OLD) > 0.9
    data = _two_circles(later=True)
    grown = model.extend_catalogue(data)
    old = _right(grown, 0, OLD)
    assert _right(grown, OLD, NEW) < 0.6
    monkeypatch.setattr(
        "poise.models.sequential.sequence_model.UPDATE_PASSES", passes
    )  # there are but a few steps in a pass here
    grown.update(data)
    assert _right(grown, OLD, NEW) > 0.9
    assert _right(grown, 0, OLD) >= old - 0.05
    assert _right(model, 0, OLD) > 0.9


def test_update_without_replay_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("poise.models.sequential.sequence_model.UPDATE_PASSES", 40)
    monkeypatch.setattr("poise.models.sequential.sequence_model.UPDATE_RATE", 1.0)
    data = _two_circles(later=True)
    model = SASRec(**SMALL, epochs=3).fit(_two_circles(later=False))
    updated = model.extend_catalogue(data).update(data)
    monkeypatch.setattr("poise.train.batches.replay.REPLAY", -1.0)
    lost = model.extend_catalogue(data).update(data)
    assert _right(updated, 0, OLD) > 0.9
    assert _right(lost, 0, OLD) < _right(updated, 0, OLD) - 0.2


@pytest.mark.parametrize("kind", [SASRec, BERT4Rec])
def test_update_without_new_events_changes_nothing(kind: type[SequenceModel]) -> None:
    data = _two_circles(later=False)
    model = kind(**SMALL, epochs=1).fit(data)
    queries = data.queries()
    before = model.score(queries)
    np.testing.assert_allclose(model.update(data).score(queries), before, rtol=1e-4, atol=1e-5)


def test_update_selects_the_best_pass_on_validation() -> None:
    from poise.data.split import since

    data = _two_circles(later=True)
    model = SASRec(**SMALL, epochs=1).fit(_two_circles(later=False)).extend_catalogue(data)
    held = since(data, DAY * 106)
    model.update(held.train, held)
    assert model.data_fingerprint == held.train.fingerprint
    assert model.until == DAY * 105
