from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from scipy import sparse

from poise.data import split
from poise.data.dataset import Dataset
from poise.data.ingest.indexing import index
from poise.data.queries import Queries
from poise.errors import DataError, UsageError
from poise.models.two_tower.towers import ItemTower, RequestTower
from poise.models.two_tower.two_tower import TwoTower
from poise.recommender import load
from poise.train.batches.request_batches import RequestBatches

N_ITEMS = 30
SMALL: dict[str, Any] = {
    "dim": 16,
    "dropout": 0.1,
    "negatives": 30,
    "batch_events": 64,
    "learning_rate": 1e-2,
    "epochs": 2,
    "max_length": 10,
}


def _towns(*, n_items: int = N_ITEMS, columns: bool = True) -> Dataset:
    """Return a log where people of three towns choose among a third of the items each, by day and by night others."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(120):
        for step in range(6):
            night = int(rng.integers(2))
            item = user % 3 + 3 * (2 * int(rng.integers(5)) + night)
            rows.append((f"u{user:03}", f"i{item:02}", step, "night" if night else "day"))
    events = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp", "hours"], orient="row")
    items = pl.DataFrame(
        {"item_id": [f"i{item:02}" for item in range(n_items)], "colour": [f"c{item % 3}" for item in range(n_items)]}
    )
    users = pl.DataFrame(
        {"user_id": [f"u{user:03}" for user in range(123)], "town": [f"t{user % 3}" for user in range(123)]}
    )
    if not columns:
        items, users = items.select("item_id"), users.select("user_id")
    return index(events, items, users, item_kinds={"colour": "category"}, user_kinds={"town": "category"})


@pytest.fixture(scope="module")
def towns() -> TwoTower:
    return TwoTower(**SMALL, context_columns=["hours"]).fit(_towns())


def _groups(model: TwoTower, queries: Queries, k: int = 5) -> Any:
    """Return the group of each item that is recommended, ``[n, k]``."""
    return (model.recommend(queries, k).items - 1) % 3


def test_user_columns_rank_for_users_without_a_history(towns: TwoTower) -> None:
    new = _towns().queries(["u120", "u121", "u122"])
    assert not new.lengths.any()
    np.testing.assert_array_equal(_groups(towns, new), [[0] * 5, [1] * 5, [2] * 5])
    stranger = replace(Queries.from_histories([[]], towns.item_ids), users=pl.DataFrame({"town": ["t1"]}))
    np.testing.assert_array_equal(_groups(towns, stranger), [[1] * 5])


def test_without_history_and_features_popular_items_come_first(towns: TwoTower) -> None:
    nobody = Queries.from_histories([[], []], towns.item_ids)
    for queries in (nobody, replace(nobody, users=pl.DataFrame({"town": [None, None]}, schema={"town": pl.String}))):
        np.testing.assert_array_equal(towns.score(queries), np.log1p([towns.counts] * 2).astype(np.float32))
    mixed = Queries.from_histories([[], [1, 4]], towns.item_ids)
    scores = towns.score(mixed)
    np.testing.assert_array_equal(scores[0], np.log1p(towns.counts).astype(np.float32))
    np.testing.assert_allclose(scores[1], towns.score(mixed.take([1]))[0], atol=1e-5)


def test_the_context_of_a_request_counts(towns: TwoTower) -> None:
    queries = replace(
        _towns().queries(["u120", "u120"], hide_seen=False), context=pl.DataFrame({"hours": ["day", "night"]})
    )
    items = towns.recommend(queries, 5).items - 1
    np.testing.assert_array_equal(items // 3 % 2, [[0] * 5, [1] * 5])


def test_the_history_counts(towns: TwoTower) -> None:
    queries = Queries.from_histories([[1], [2, 5], [3, 6, 9]], towns.item_ids)
    np.testing.assert_array_equal(_groups(towns, queries), [[0] * 5, [1] * 5, [2] * 5])


def test_unseen_labels_do_no_harm(towns: TwoTower) -> None:
    queries = replace(
        _towns().queries(["u120", "u003"]),
        users=pl.DataFrame({"town": ["atlantis", None], "age": [3, 4]}),
        context=pl.DataFrame({"device": ["tv", "tv"]}),
    )
    assert np.isfinite(towns.score(queries)).all()
    assert (_groups(towns, queries)[1] == 0).all()


@pytest.mark.parametrize("loss", ["sampled_softmax", "in_batch"])
def test_two_tower_learns_from_histories_alone(loss: str) -> None:
    parts = split.leave_last_out(_towns(columns=False), hide_seen=False)
    model = TwoTower(**SMALL, loss=loss).fit(parts.train, parts.valid)  # type: ignore[arg-type]
    assert 1 <= model.selected.epochs <= 2
    assert (_groups(model, parts.test.queries) == (parts.test.queries.user - 1)[:, None] % 3).mean() > 0.95
    nobody = _towns(columns=False).queries(["u120"])
    np.testing.assert_array_equal(model.score(nobody)[0], np.log1p(model.counts).astype(np.float32))


def test_extend_catalogue_ranks_new_items_by_their_columns(towns: TwoTower) -> None:
    grown = _towns(n_items=N_ITEMS + 3)
    model = towns.extend_catalogue(grown)
    queries = Queries.from_histories([[1, 4], [2, 5]], grown.item_ids)
    scores = model.score(queries)
    before = towns.score(Queries.from_histories([[1, 4], [2, 5]], towns.item_ids))
    np.testing.assert_array_equal(model.table[1 : N_ITEMS + 1], towns.table[1:])
    np.testing.assert_allclose(scores[:, 1 : N_ITEMS + 1], before[:, 1:], rtol=1e-5, atol=1e-5)
    new = scores[:, N_ITEMS + 1 :]  # one of each colour
    assert new.argmax(axis=1).tolist() == [0, 1]
    assert towns.item_ids.size == N_ITEMS + 1


def test_content_vectors_are_read_and_required(films: Dataset) -> None:
    model = TwoTower(**{**SMALL, "epochs": 1}, components=4).fit(films)
    assert model.table[23].any()  # nobody has touched it, but it has a text
    with pytest.raises(DataError, match="has no vectors 'text'"):
        model.extend_catalogue(replace(films, vectors={}))


def test_an_item_without_events_and_features_comes_last() -> None:
    data = _towns(n_items=N_ITEMS + 1, columns=False)
    model = TwoTower(**{**SMALL, "epochs": 1}).fit(data)
    scores = model.score(Queries.from_histories([[1, 4]], data.item_ids))[0, 1:]
    assert scores[-1] == scores.min()


def test_attributions_are_the_loss_of_score_without_an_event(towns: TwoTower) -> None:
    history = [3, 17, 4, 8, 1, 9, 2, 6, 5, 11, 12, 7]  # two more than it looks back on
    items = np.array([13, 1, 20], dtype=np.int32)
    attributions = towns.attributions(Queries.from_histories([history], towns.item_ids), items)
    assert not attributions[:2].any()
    whole = towns.score(Queries.from_histories([history], towns.item_ids))[0, items]
    for position in range(2, len(history)):
        rest = Queries.from_histories([history[2:position] + history[position + 1 :]], towns.item_ids)
        np.testing.assert_allclose(attributions[position], whole - towns.score(rest)[0, items], atol=1e-4)


def test_saved_and_loaded_it_scores_the_same_to_the_bit(towns: TwoTower, tmp_path: Path) -> None:
    towns.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert isinstance(again, TwoTower)
    queries = replace(_towns().queries(), context=pl.DataFrame({"hours": ["day", "night", None] * 41}))
    assert np.array_equal(towns.score(queries), again.score(queries))
    grown = _towns(n_items=N_ITEMS + 3)
    assert np.array_equal(
        towns.extend_catalogue(grown).score(grown.queries()), again.extend_catalogue(grown).score(grown.queries())
    )


def test_selected_columns_by_name() -> None:
    data = _towns()
    model = TwoTower(**{**SMALL, "epochs": 1}, user_columns=[], item_columns=["colour"]).fit(data)
    assert not model.user_features.width
    assert not model.context_features.width
    with pytest.raises(UsageError, match="no column 'place'"):
        TwoTower(**SMALL, context_columns=["place"]).fit(data)


def test_the_request_tower_by_hand() -> None:
    torch.manual_seed(0)
    tower = RequestTower(3, 0, 0, 4, 0.5).eval()
    items = torch.randn(5, 4)
    nothing = sparse.csr_array((3, 0), dtype=np.float32)
    offsets = np.array([0, 3, 3, 4])
    output = tower(items, torch.tensor([2, 1, 4, 3]), offsets, nothing, nothing)
    weights = torch.tensor([0.64, 0.8, 1.0])
    mean = (weights[:, None] * items[[2, 1, 4]]).sum(0) / weights.sum()
    for row, history in enumerate([mean, torch.zeros(4), items[3]]):
        torch.testing.assert_close(output[row], history + tower.layers(history))


def test_column_features_are_summed_by_weight() -> None:
    torch.manual_seed(0)
    tower = ItemTower(0, 3, 4, 0.5).eval()
    features = sparse.csr_array(np.array([[1, 0, -2], [0, 0, 0]], dtype=np.float32))
    assert tower.columns is not None
    x = torch.stack([tower.columns.weight[0] - 2 * tower.columns.weight[2], torch.zeros(4)])
    torch.testing.assert_close(tower(torch.zeros(2, 4), torch.zeros(2, 0), features), x + tower.layers(x))


@pytest.mark.parametrize("first", [True, False])
def test_each_event_is_a_target_once_a_pass(films: Dataset, first: bool) -> None:
    log = films.events
    batches = RequestBatches(log, size=50, max_length=4, first=first, seed=0, least_steps=12)
    epoch = list(batches.epoch(3))
    assert len(epoch) == len(batches) >= 12
    one_pass = epoch[: batches.steps]
    targets = np.sort(np.concatenate([batch.target for batch in one_pass]))
    firsts = log.offsets[1:-1][np.diff(log.offsets)[1:] > 0]
    np.testing.assert_array_equal(targets, np.arange(len(log)) if first else np.setdiff1d(np.arange(len(log)), firsts))
    for batch in epoch:
        begin = log.offsets[log.user[batch.target]]
        np.testing.assert_array_equal(batch.start, np.maximum(begin, batch.target - 4))
    for step in (0, 5, len(batches) - 1):  # taken up in the middle
        rest = list(batches.epoch(3, step))
        assert len(rest) == len(batches) - step
        for resumed, other in zip(rest, epoch[step:], strict=True):
            np.testing.assert_array_equal(resumed.target, other.target)
    again = next(batches.epoch(4))
    assert not np.array_equal(again.target, epoch[0].target)
