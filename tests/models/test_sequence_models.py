"""What holds for every model that reads events in order; what is of one of them alone stands in a file of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from poise.data import split
from poise.data.dataset import Dataset
from poise.data.ingest.indexing import index
from poise.data.queries import Queries
from poise.models import HSTU, BERT4Rec, GRU4Rec, SASRec
from poise.models.sequential.gru4rec import Recurrent
from poise.models.sequential.hstu import PointwiseTransducer
from poise.models.sequential.sasrec import Transformer
from poise.models.sequential.sequence_model import SequenceModel
from poise.train.batches.sequences import EventTensors

KINDS = [GRU4Rec, BERT4Rec, HSTU, SASRec]
N_ITEMS = 20
HOUR = 3_600_000  # milliseconds
SMALL: dict[str, Any] = {
    "dim": 16,
    "dropout": 0.1,
    "negatives": 12,
    "batch_events": 64,
    "learning_rate": 1e-2,
    "max_length": 10,
    "min_lr_ratio": 1.0,
}


def _circle(n_items: int = N_ITEMS, users: int = 60, length: int = 8, *, time_features: bool = False) -> Dataset:
    """Everybody goes round the same circle of items, from different places; vectors say where each item is."""
    people, steps = np.repeat(np.arange(users), length), np.tile(np.arange(length), users)
    events = pl.DataFrame(
        {
            "user_id": [f"user {user:03}" for user in people],
            "item_id": [f"item {item:02}" for item in (people + steps) % min(n_items, N_ITEMS)],
            "behaviour": np.where(steps % 3, "view", "like"),
        }
    )
    if time_features:
        events = events.with_columns(timestamp=pl.Series(1_700_000_000_000 + steps * (1 + people % 5) * HOUR))
    data = index(events, pl.DataFrame({"item_id": [f"item {position:02}" for position in range(n_items)]}))
    angle = 2 * np.pi * np.arange(n_items)[:, None] / N_ITEMS
    turns = np.arange(1, 13)
    vectors = np.hstack([np.cos(angle * turns), np.sin(angle * turns)]).astype(np.float32)
    return data.with_vectors("text", np.vstack([np.zeros((1, 24), np.float32), vectors]))


def _ask(model: SequenceModel, *histories: list[int]) -> Queries:
    return Queries.from_histories(histories, model.item_ids)


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.__name__)
def fitted(request: pytest.FixtureRequest) -> SequenceModel:
    """Return each of the models in its turn, fitted on the circle without a clock."""
    parts = split.leave_last_out(_circle())
    more = {"epochs": 20, "patience": 20} if request.param is BERT4Rec else {"epochs": 2}  # told a fifth as much a step
    model = request.param(**SMALL, **more).fit(parts.train, parts.valid)
    assert isinstance(model, SequenceModel)
    return model


def test_sequence_models_learn_the_next_item(fitted: SequenceModel) -> None:
    test = split.leave_last_out(_circle()).test
    best = fitted.recommend(test.queries, 1).items[:, 0]
    assert (best == test.targets.values).mean() > 0.7  # by chance it would be .08; processors differ


def test_only_the_last_max_length_events_count(fitted: SequenceModel) -> None:
    recent = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    scores = fitted.score(_ask(fitted, recent, [15, 16, *recent], [2, *recent[1:]]))
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-4)
    assert not np.allclose(scores[0], scores[2], atol=1e-4)


def test_without_a_history_popular_items_come_first(fitted: SequenceModel) -> None:
    scores = fitted.score(_ask(fitted, [], [3]))
    np.testing.assert_allclose(scores[0], np.log1p(fitted.counts), rtol=1e-6)


def test_attributions_are_the_loss_of_score_without_an_event(fitted: SequenceModel) -> None:
    history = [3, 17, 4, 8, 1, 9, 2, 6, 5, 11, 12, 7]  # two more than it looks back on
    items = np.array([13, 1, 20], dtype=np.int32)
    actual = fitted.attributions(_ask(fitted, history), items)
    assert not actual[:2].any()
    whole = fitted.score(_ask(fitted, history))[0, items]
    for position in range(2, len(history)):
        rest = fitted.score(_ask(fitted, history[2:position] + history[position + 1 :]))[0, items]
        np.testing.assert_allclose(actual[position], whole - rest, atol=1e-5)
    single = fitted.attributions(_ask(fitted, [4]), items)
    np.testing.assert_allclose(single[0], fitted.score(_ask(fitted, [4]))[0, items], atol=1e-5)


def test_extend_catalogue_keeps_the_scores_of_old_items(fitted: SequenceModel) -> None:
    grown = fitted.extend_catalogue(_circle(N_ITEMS + 2))
    before = fitted.score(_ask(fitted, [5, 6, 7], [9]))
    after = grown.score(_ask(grown, [5, 6, 7], [9]))
    np.testing.assert_allclose(after[:, : N_ITEMS + 1], before, rtol=1e-5, atol=1e-5)
    assert (after[:, N_ITEMS + 1 :].std(axis=1) > 0).all()


@pytest.mark.parametrize("time_features", ["none", "history", "request"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_only_the_times_of_time_features_change_scores(
    kind: type[SequenceModel], time_features: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("poise.models.sequential.sequence_model.LEAST_STEPS", 1)
    data = _circle(time_features=True)
    model = kind(**SMALL, epochs=1, time_features=time_features).fit(data)
    queries = data.queries(["user 007", "user 019"])
    request_times = queries.events.timestamp[queries.stop - 1] + HOUR
    later = replace(queries, time=request_times + 50 * HOUR)
    queries = replace(queries, time=request_times)
    times = queries.events.timestamp.copy()
    times[queries.stop - 2] -= HOUR // 2
    closer = replace(queries, events=replace(queries.events, timestamp=times))
    scores = model.score(queries)
    assert np.isfinite(model.score(replace(queries, time=None))).all()
    assert np.array_equal(scores, model.score(closer)) == (time_features == "none")
    assert np.array_equal(scores, model.score(later)) == (time_features != "request")


@pytest.mark.parametrize(
    "body",
    [
        lambda: Recurrent(16, 2, 0.2),
        lambda: PointwiseTransducer(16, 2, 2, 10, 0.2, "history"),
        lambda: Transformer(16, 2, 2, 10, 0.2, "ligr"),
        lambda: Transformer(16, 2, 2, 10, 0.2, "classic"),
    ],
    ids=["Recurrent", "PointwiseTransducer", "Transformer, ligr", "Transformer, classic"],
)
def test_later_events_do_not_change_earlier_predictions(body: Any) -> None:
    torch.manual_seed(0)
    network = body().eval()
    x, changed = torch.randn(2, 3, 10, 16)
    changed[:, :6] = x[:, :6]
    times = torch.arange(10).repeat(3, 1) * HOUR
    items = torch.ones(3, 10, dtype=torch.int64)
    events = EventTensors(items, items, times, times)
    other = torch.where(torch.arange(10) < 6, times, times + 9 * HOUR)
    read = network(x, events)
    changed_read = network(changed, EventTensors(items, items, other, other))
    torch.testing.assert_close(read[:, :6], changed_read[:, :6])
    assert not torch.allclose(read[:, 6:], changed_read[:, 6:], atol=0.05)
    cut = EventTensors(*(column[:, :6] for column in (items, items, times, times)))
    torch.testing.assert_close(read[:, :6], network(x[:, :6], cut))
