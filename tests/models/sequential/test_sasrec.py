from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from poise.data import split
from poise.data.dataset import Dataset
from poise.data.ingest.indexing import index
from poise.data.queries import Queries
from poise.errors import DataError, UsageError
from poise.models.content_projection import PCAWhitening
from poise.models.sequential.sasrec import SASRec
from poise.options.fit_options import FitOptions
from poise.recommender import load
from poise.train import loop
from poise.train.loop import train

N_ITEMS = 20
SMALL: dict[str, Any] = {
    "dim": 16,
    "heads": 2,
    "dropout": 0.1,
    "negatives": 12,
    "batch_events": 64,
    "learning_rate": 1e-2,
    "epochs": 2,
    "min_lr_ratio": 1.0,
    "max_length": 10,
}


def _circle(items: int = N_ITEMS, users: int = 60, length: int = 8) -> Dataset:
    """Everybody goes round the same circle of items, from different places."""
    events = pl.DataFrame(
        {
            "user_id": [f"user {user:03}" for user in range(users) for _ in range(length)],
            "item_id": [f"item {(user + step) % items:02}" for user in range(users) for step in range(length)],
        }
    )
    catalogue = pl.DataFrame({"item_id": [f"item {position:02}" for position in range(N_ITEMS)]})
    return index(events, catalogue)


def _with_places(data: Dataset, width: int = 24) -> Dataset:
    """Give items vectors that say where on the circle they are."""
    angle = 2 * np.pi * np.arange(data.n_items)[:, None] / N_ITEMS
    turns = np.arange(1, width // 2 + 1)
    vectors = np.hstack([np.cos(angle * turns), np.sin(angle * turns)]).astype(np.float32)
    return data.with_vectors("text", np.vstack([np.zeros((1, width), np.float32), vectors]))


def _ask(model: SASRec, *histories: list[int]) -> Queries:
    return Queries.from_histories(histories, model.item_ids)


def _hit_rate(model: SASRec, parts: split.Split) -> float:
    best = model.recommend(parts.test.queries, 1).items[:, 0]
    return float((best == parts.test.targets.values).mean())


@pytest.fixture(scope="module")
def fused() -> SASRec:
    parts = split.leave_last_out(_with_places(_circle()))
    return SASRec(**SMALL).fit(parts.train, parts.valid)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"block": "classic"},
        {"loss": "full_softmax", "smoothing": 0.05},
        {"loss": "bce", "epochs": 4},
        {"loss": "gbce", "epochs": 8},
        {"loss": "bpr", "epochs": 4},
        {"loss": "in_batch"},
        {"negative_sampling": "popularity", "logq_correction": True},
    ],
    ids=str,
)
def test_sasrec_learns_the_next_item(options: dict[str, Any]) -> None:
    parts = split.leave_last_out(_circle())
    model = SASRec(**{**SMALL, **options}).fit(parts.train, parts.valid)
    slow = options.get("loss") in ("bce", "gbce")
    assert _hit_rate(model, parts) > (0.6 if slow else 0.9)  # by chance it would be .08


@pytest.mark.parametrize("items", ["fused", "text"])
def test_sasrec_learns_with_content(items: str) -> None:
    parts = split.leave_last_out(_with_places(_circle()))
    model = SASRec(**SMALL, items=items).fit(parts.train, parts.valid)
    assert model.content_pca.width
    assert not model.notes
    assert _hit_rate(model, parts) > 0.9


def test_scores_do_not_depend_on_the_rest_of_the_batch(fused: SASRec) -> None:
    histories = [[3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [7, 3], [], [5, 6, 7, 8]]
    together = fused.score(_ask(fused, *histories))
    for row, history in enumerate(histories):
        np.testing.assert_allclose(fused.score(_ask(fused, history))[0], together[row], atol=1e-4)


def test_saved_and_loaded_it_scores_the_same_to_the_bit(fused: SASRec, tmp_path: Path) -> None:
    fused.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert isinstance(again, SASRec)
    assert asdict(again) == asdict(fused)
    assert again.selected == fused.selected
    queries = _ask(fused, [1, 2, 3], [9])
    assert np.array_equal(fused.score(queries), again.score(queries))
    data = _with_places(_circle())
    assert np.array_equal(fused.extend_catalogue(data).score(queries), again.extend_catalogue(data).score(queries))


def test_equal_seeds_bring_equal_scores() -> None:
    parts = split.leave_last_out(_with_places(_circle()))
    queries = parts.test.queries
    scores = [SASRec(**{**SMALL, "epochs": 1}, seed=seed).fit(parts.train).score(queries) for seed in (1, 1, 2)]
    assert np.array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])


def _without(data: Dataset, item: int) -> Dataset:
    """Leave out the events of those who met the item, so that nobody did."""
    touched_by = np.unique(data.events.user[data.events.item == item])
    return data.select(~np.isin(data.events.user, touched_by))


def test_an_item_without_events_is_ranked_by_its_content() -> None:
    data = _with_places(_circle(items=N_ITEMS - 1, users=200))
    vectors = data.vectors["text"].copy()
    new, like = N_ITEMS, 8
    vectors[new] = vectors[like] + 0.01
    data = data.with_vectors("text", vectors)
    model = SASRec(**{**SMALL, "epochs": 4}, id_dropout=0.3).fit(data)
    assert not model.counts[new]
    ranked = np.argsort(-model.score(_ask(model, [5, 6, 7]))[0, 1:]) + 1
    assert {like, new} <= set(ranked[:3].tolist())
    elsewhere = np.argsort(-model.score(_ask(model, [14, 15, 16]))[0, 1:]) + 1
    assert new not in elsewhere[:8]


def test_an_item_without_events_and_content_comes_last() -> None:
    data = _circle()
    train_data = _without(data, 12)
    model = SASRec(**SMALL).fit(train_data)
    assert "new items cannot be ranked" in model.notes[0]
    scores = model.score(_ask(model, [10, 11]))[0, 1:]
    assert scores[11] == scores.min()
    assert np.isfinite(scores).all()


def test_extend_catalogue_ranks_new_items_at_once() -> None:
    whole = _with_places(_circle(users=200, length=6))
    n_old = 15
    early = index(
        pl.DataFrame(
            {
                "user_id": [f"user {user:03}" for user in range(200) for _ in range(5)],
                "item_id": [f"item {(user % 11) + step:02}" for user in range(200) for step in range(5)],
            }
        ),
        pl.DataFrame({"item_id": [f"item {position:02}" for position in range(n_old)]}),
    ).with_vectors("text", whole.vectors["text"][: n_old + 1])
    model = SASRec(**{**SMALL, "epochs": 4}, id_dropout=0.3).fit(early)
    grown = model.extend_catalogue(whole)
    queries = Queries.from_histories([[5, 6, 7]], whole.item_ids)
    scores = grown.score(queries)
    assert scores.shape == (1, N_ITEMS + 1)
    np.testing.assert_allclose(scores[0, : n_old + 1], model.score(_ask(model, [5, 6, 7]))[0], rtol=1e-5, atol=1e-5)
    assert np.unique(scores[0, n_old + 1 :]).size == N_ITEMS - n_old
    assert model.item_ids.size == n_old + 1
    with pytest.raises(DataError, match="has no vectors 'text'"):
        model.extend_catalogue(_circle())


def test_items_text_without_vectors_is_refused() -> None:
    with pytest.raises(DataError, match=r"has no vectors 'text'; encode the catalogue"):
        SASRec(**SMALL, items="text").fit(_circle())


def test_heads_must_divide_the_dimension() -> None:
    with pytest.raises(UsageError, match="heads"):
        SASRec(dim=10, heads=4)


def test_refit_keeps_the_number_of_epochs() -> None:
    parts = split.leave_last_out(_with_places(_circle()))
    model = SASRec(**{**SMALL, "epochs": 5, "patience": 1}).fit(parts.train, parts.valid)
    chosen = model.selected
    assert chosen.epochs is not None
    assert 1 <= chosen.epochs < 5
    assert 0 < model.metrics["NDCG@10"] <= 1
    model.refit(parts.train_and_valid)
    assert model.selected == chosen
    assert _hit_rate(model, parts) > 0.9


def test_a_killed_fit_resumes_from_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    parts = split.leave_last_out(_with_places(_circle()))
    options = {**SMALL, "epochs": 1}
    expected = SASRec(**options).fit(parts.train).score(parts.test.queries)
    steps = 0

    def killed(*given: Any, **options: Any) -> Any:
        loss = given[2]

        def counting(batch: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == 40:
                raise KeyboardInterrupt
            return loss(batch)

        return train(given[0], given[1], counting, *given[3:], **options)

    monkeypatch.setattr(loop, "train", killed)
    checkpointed = FitOptions(checkpoint_folder=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        SASRec(**options).fit(parts.train, options=checkpointed)
    assert list(tmp_path.glob("*.pt"))
    again = SASRec(**options).fit(parts.train, options=checkpointed).score(parts.test.queries)
    assert steps < 40 + 100
    assert np.array_equal(again, expected)
    assert not list(tmp_path.glob("*.pt"))


def test_pca_whitening_is_centred_and_standardised_on_training_items() -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(300, 6)) @ rng.normal(size=(6, 6)) + 3).astype(np.float32)
    vectors[0] = vectors[7] = 0
    learnt = np.arange(300) < 200
    projected = PCAWhitening.of(vectors, learnt, 4).project(vectors)
    assert projected.shape == (300, 4)
    assert not projected[0].any()
    assert not projected[7].any()
    inside = projected[learnt & vectors.any(axis=1)]
    np.testing.assert_allclose(inside.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(inside, rowvar=False), np.eye(4), atol=1e-4)
