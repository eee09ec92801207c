from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, sparse

from poise.data.queries import Queries
from poise.models import ALS


@pytest.mark.parametrize("decay", [1.0, 0.6])
def test_folding_in_minimises_the_stated_objective(films, decay):
    """Hu, Koren and Volinsky 2008: Σ c (p - x·y)² + l2 ||x||², minimised by a general method."""
    model = ALS(factors=4, iterations=5, confidence=7.0, l2=3.0, decay=decay).fit(films)
    history = [3, 5, 3, 9, 14]
    confidence, preference = np.ones(25), np.zeros(25)
    for index, item in enumerate(history):
        confidence[item] = 1 + 7.0 * decay ** (len(history) - 1 - index)
        preference[item] = 1
    vectors = model.item_vectors.astype(np.float64)
    assert not vectors[0].any()

    def loss(x):
        return (confidence * (preference - vectors @ x) ** 2).sum() + 3.0 * (x**2).sum()

    best = optimize.minimize(loss, np.zeros(4), tol=1e-12).x
    scores = model.score(Queries.from_histories([history], films.item_ids))[0]
    np.testing.assert_allclose(scores, vectors @ best, rtol=1e-3, atol=1e-5)


def test_folding_in_agrees_with_implicit(films):
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    model = ALS(factors=8, iterations=6, confidence=9.0, l2=2.0, decay=1.0, seed=4).fit(films)
    matrix = sparse.csr_matrix(films.queries().matrix())
    with threadpool_limits(1, "blas"):
        theirs = AlternatingLeastSquares(factors=8, regularization=2.0, alpha=10.0, iterations=6, random_state=4)
        theirs.fit(matrix, show_progress=False)
        people = theirs.recalculate_user(np.arange(matrix.shape[0]), matrix)
    np.testing.assert_array_equal(theirs.item_factors, model.item_vectors)
    has_history = films.queries().lengths > 0
    np.testing.assert_allclose(
        model.score(films.queries())[has_history], (people @ theirs.item_factors.T)[has_history], rtol=1e-3, atol=1e-4
    )


def test_seeds_differ(films):
    scores = [ALS(factors=6, iterations=3, seed=seed).fit(films).score(films.queries()) for seed in (0, 1)]
    assert not np.allclose(*scores)
