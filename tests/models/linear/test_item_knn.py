from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import NearestNeighbors

from poise.data.queries import Queries
from poise.models import ItemKNN


def _single(model, data):
    """Return what a history of one item gives to all others, for each item, ``[n_items, n_items]``."""
    queries = Queries.from_histories([[item] for item in range(1, data.item_ids.size)], data.item_ids)
    return model.score(queries)[:, 1:]


def test_cosine_and_shrinkage(films):
    x = films.queries().matrix().toarray()[:, 1:]
    common = x.T @ x
    expected = cosine_similarity(x.T) * common / (common + 7.0)
    np.fill_diagonal(expected, 0)
    model = ItemKNN(neighbours=100, shrink=7.0).fit(films)
    np.testing.assert_allclose(_single(model, films), expected, rtol=1e-5, atol=1e-7)


def test_item_knn_scores_by_hand(log_of):
    """Items 1 and 2 have two people in common, of three and two: 2 / sqrt(6), and 2 / (2 + 3) of it."""
    data = log_of([[1, 2], [1, 2], [1, 3]])
    scores = _single(ItemKNN(shrink=3.0, decay=1.0).fit(data), data)
    np.testing.assert_allclose(scores[0], [0, 2 / np.sqrt(6) * 2 / 5, 1 / np.sqrt(3) / 4], rtol=1e-6)
    assert scores[1, 2] == 0


def test_the_nearest_neighbours_are_kept(log_of):
    rng = np.random.default_rng(1)
    weights = rng.random(15) + 0.2
    histories = [np.flatnonzero(rng.random(15) < weights * 0.6) + 1 for _ in range(301)]
    data = log_of([row.tolist() for row in histories if len(row)], 15)
    x = data.queries().matrix().toarray()[:, 1:]
    nearest = NearestNeighbors(n_neighbors=5, metric="cosine").fit(x.T)  # an item is its own first
    distance, index = nearest.kneighbors(x.T)
    expected = np.zeros((15, 15))
    np.put_along_axis(expected, index, 1 - distance, axis=1)
    np.fill_diagonal(expected, 0)
    model = ItemKNN(neighbours=4, shrink=0.0).fit(data)
    np.testing.assert_allclose(_single(model, data).T, expected, rtol=1e-4, atol=1e-6)  # column i: the neighbours of i
    slate = model.similar(["i003"], k=4)[0]
    assert [int(item[1:]) - 1 for item in slate.items] == index[2, 1:].tolist()


def test_equal_neighbours_at_the_cut_off_are_all_kept(log_of):
    data = log_of([[1, 2], [1, 3], [1, 4], [1, 5]])
    model = ItemKNN(neighbours=2).fit(data)
    assert len(set(_single(model, data)[1:, 0].tolist())) == 1  # an order by index would keep two of the four


@pytest.mark.parametrize("neighbours", [1, 3])
def test_item_knn_of_a_catalogue_larger_than_a_block(log_of, monkeypatch, neighbours, films):
    whole = ItemKNN(neighbours=neighbours).fit(films)
    monkeypatch.setattr("poise.models.linear.item_knn._BLOCK", 4)
    np.testing.assert_array_equal(_single(ItemKNN(neighbours=neighbours).fit(films), films), _single(whole, films))
