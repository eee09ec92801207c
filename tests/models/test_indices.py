from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from pydantic.dataclasses import dataclass

from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.data.vocabulary import Vocabulary
from poise.models import inner_product
from poise.models.cluster_index import ClusterIndex
from poise.models.hnsw_index import HNSWIndex
from poise.models.inner_product import InnerProduct
from poise.models.two_tower.two_tower import TwoTower
from poise.persistence import Persistent
from poise.pipeline import Pipeline
from poise.recommender import OPTIONS, load

N_ITEMS, DIM = 3_000, 32


def _vectors(n: int, seed: int) -> Any:
    """Return points about 40 centres, of different lengths."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(7).normal(size=(40, DIM))
    points = centres[rng.integers(40, size=n)] + 0.7 * rng.normal(size=(n, DIM))
    return (points * rng.lognormal(0, 0.3, (n, 1))).astype(np.float32)


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class Sums(InnerProduct):
    """Expects the sum of the vectors of a history."""

    def _fit(self, data: Any, valid: Any, options: Any) -> None:
        vectors = np.vstack([np.zeros((1, DIM), np.float32), _vectors(data.n_items, 0)])
        self._set_vectors(torch.from_numpy(vectors), np.arange(data.n_items + 1))

    def encode_queries(self, queries: Queries) -> torch.Tensor:
        return torch.from_numpy(queries.matrix() @ self.table.numpy())


@pytest.fixture(scope="module")
def exact() -> Any:
    model = Sums()
    vectors = np.vstack([np.zeros((1, DIM), np.float32), _vectors(N_ITEMS, 0)])
    model._set_vectors(torch.from_numpy(vectors), np.arange(N_ITEMS + 1))
    model.item_ids = Vocabulary([f"i{item:04}" for item in range(1, N_ITEMS + 1)])
    yield model
    del Persistent.kinds[f"{__name__}.Sums"]


Index = type[HNSWIndex] | type[ClusterIndex]


def _index_by(kind: Index, model: Sums, exact: Sums) -> None:
    """Give a model an index of its vectors."""
    built = kind.build(exact.table.numpy()[1:], np.arange(1, N_ITEMS + 1, dtype=np.int32))
    model._set_indices(**{"neighbour_index" if kind is HNSWIndex else "clusters": built})  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=[HNSWIndex, ClusterIndex])
def kind(request: pytest.FixtureRequest) -> Index:
    """Return a kind of index: each in its turn."""
    of_kind: Index = request.param
    return of_kind


@pytest.fixture(scope="module")
def indexed(exact: Sums, kind: Index) -> Sums:
    model = Sums()
    model._set_vectors(exact.table, exact.counts)
    _index_by(kind, model, exact)
    model.item_ids = exact.item_ids
    return model


@pytest.fixture(scope="module")
def queries(exact: Sums) -> Queries:
    rng = np.random.default_rng(1)
    histories = [rng.integers(1, N_ITEMS + 1, size=size % 5 + 1) for size in range(100)]
    return Queries.from_histories([*histories, []], exact.item_ids)


def _recall(retrieved: Any, expected: Any) -> float:
    return float(
        np.mean([len(np.intersect1d(row, other)) / len(other) for row, other in zip(retrieved, expected, strict=True)])
    )


@pytest.mark.parametrize("hide_seen", [True, False])
def test_the_index_retrieves_what_exact_search_does(
    exact: Sums, indexed: Sums, queries: Queries, hide_seen: bool
) -> None:
    queries = replace(queries, hide_seen=hide_seen)
    expected, retrieved = exact.recommend(queries, 10), indexed.recommend(queries, 10)
    assert _recall(retrieved.items, expected.items) > 0.95
    same = retrieved.items == expected.items
    np.testing.assert_allclose(
        retrieved.scores[same], expected.scores[same], rtol=1e-4
    )  # exact, though found by halves
    assert (np.diff(retrieved.scores, axis=1) <= 0).all()
    seen = queries.histories()[1]
    assert any(np.isin(seen[row], retrieved.items[row]).any() for row in range(100)) != hide_seen
    np.testing.assert_array_equal(retrieved.items[-1], expected.items[-1])  # without a history: the most popular


def test_retrieve_uses_the_index(indexed: Sums, kind: Index, queries: Queries, monkeypatch: pytest.MonkeyPatch) -> None:
    searches = []
    search = kind.search
    monkeypatch.setattr(
        kind, "search", lambda self, vectors, k: searches.append(len(vectors)) or search(self, vectors, k)
    )
    Pipeline(ranker=indexed, retrievers=[indexed], candidates=20).score(queries)
    assert searches == [100]
    searches.clear()
    indexed.recommend(queries, 1_001)
    allowed = Ragged.from_rows([[1, 2, 3]] * len(queries))
    slates = indexed.recommend(replace(queries, candidates=allowed), 5)
    assert set(slates.items.ravel().tolist()) <= {0, 1, 2, 3}
    assert not searches


def test_where_nearly_all_items_are_hidden_search_is_exact(exact: Sums, indexed: Sums) -> None:
    history = np.arange(1, N_ITEMS - 4)
    queries = Queries.from_histories([history, [3]], exact.item_ids)
    slates = indexed.recommend(queries, 20)
    np.testing.assert_array_equal(slates.items[0], exact.recommend(queries, 20).items[0])
    assert (slates.items[0] > 0).sum() == 5
    assert (slates.items[1] > 0).all()


def test_items_outside_the_index_are_retrieved_too(exact: Sums, kind: Index, queries: Queries) -> None:
    """Every third item is new, and the old ones have other places now; some are gone."""
    order = np.random.default_rng(2).permutation(N_ITEMS) + 1
    old = np.concatenate([[0], np.where(np.arange(N_ITEMS) % 3 == 0, 0, order)])
    now = Sums()
    now._set_vectors(exact.table, exact.counts)
    _index_by(kind, now, exact)
    now._move_vectors(old, exact.table[torch.from_numpy(order[::3])])
    now.item_ids = exact.item_ids
    assert torch.equal(now.table, exact.table[torch.from_numpy(np.append(0, order))])
    assert len(now.uncovered) == N_ITEMS // 3
    plain = Sums()
    plain._set_vectors(now.table, now.counts)
    plain.item_ids = exact.item_ids
    assert _recall(now.recommend(queries, 10).items, plain.recommend(queries, 10).items) > 0.95


def test_a_large_catalogue_gets_an_index_and_it_is_saved(
    films: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"dim": 8, "components": 4, "max_length": 6, "epochs": 1, "negatives": 8}
    plain = TwoTower(**options).fit(films)
    assert plain.neighbour_index is None
    monkeypatch.setattr(inner_product, "INDEXED_FROM", 10)
    model = TwoTower(**options).fit(films)
    queries = films.queries()
    slates = model.recommend(queries, 5, explain=True)
    expected = plain.recommend(queries, 5, explain=True)
    np.testing.assert_array_equal(slates.items, expected.items)
    np.testing.assert_allclose(slates.scores, expected.scores, rtol=1e-4, atol=1e-5)
    assert slates.reasons is not None
    assert [[bool(reasons) for reasons in row] for row in slates.reasons] == [
        [bool(reasons) for reasons in row] for row in expected.reasons or []
    ]
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert isinstance(again, TwoTower)
    assert again.neighbour_index is not None
    once_more = again.recommend(queries, 5)
    np.testing.assert_array_equal(once_more.items, slates.items)
    np.testing.assert_array_equal(once_more.scores, slates.scores)


def test_a_retriever_is_indexed_by_clusters_that_are_saved(
    films: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inner_product, "RETRIEVED_FROM", 10)
    options: dict[str, Any] = {"dim": 8, "components": 4, "max_length": 6, "epochs": 1, "negatives": 8}
    pipeline = Pipeline(ranker=TwoTower(**options), retrievers=[TwoTower(**options)], candidates=9).fit(films)
    assert pipeline.ranker.clusters is None
    assert pipeline.retrievers[0].clusters is not None
    pipeline.save(tmp_path / "pipeline")
    again = load(tmp_path / "pipeline")
    assert isinstance(again, Pipeline)
    queries = films.queries()
    np.testing.assert_array_equal(again.recommend(queries, 5).items, pipeline.recommend(queries, 5).items)
    clusters, same = (fitted.retrievers[0].clusters for fitted in (pipeline, again))
    np.testing.assert_array_equal(clusters.items, same.items)
    np.testing.assert_allclose(clusters.centroids, same.centroids, rtol=1e-5)


def test_filters_leave_as_many_as_are_wanted(exact: Sums, indexed: Sums, queries: Queries) -> None:
    few, many = (np.arange(N_ITEMS + 1) % step == 0 for step in (200, 3))
    filtered = replace(queries, allowed=[few if row % 2 else many for row in range(len(queries))])
    expected, retrieved = exact.recommend(filtered, 10), indexed.recommend(filtered, 10)
    assert (retrieved.items > 0).all()
    assert _recall(retrieved.items, expected.items) > 0.9
    for row, mask in enumerate(filtered.allowed or []):
        assert mask[retrieved.items[row]].all()


def test_clusters_hold_each_vector_once_and_none_is_much_larger_than_the_others(exact: Sums) -> None:
    items = np.arange(1, N_ITEMS + 1, dtype=np.int32)
    index = ClusterIndex.build(exact.table.numpy()[1:], items)
    assert np.sort(index.items).tolist() == items.tolist()
    assert torch.equal(index.vectors, exact.table[torch.from_numpy(index.items)])
    sizes = np.diff(index.offsets)
    assert sizes.min() > 0
    assert sizes.max() <= 2 * N_ITEMS / round(2 * N_ITEMS**0.5) + 1
    first, second = index.offsets[3:5]
    torch.testing.assert_close(index.centroids[3], index.vectors[first:second].mean(dim=0))


@pytest.mark.parametrize("n", [1, 2, 7])
def test_a_few_vectors_are_all_found(n: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32)
    for index in (kind.build(vectors, np.arange(1, n + 1, dtype=np.int32)) for kind in (HNSWIndex, ClusterIndex)):
        retrieved = index.search(vectors, 5)
        items = retrieved if isinstance(index, HNSWIndex) else retrieved[0]
        expected = np.argsort(-(vectors @ vectors.T), axis=1)[:, :5] + 1
        assert [row[row > 0].tolist() for row in items] == expected.tolist()
