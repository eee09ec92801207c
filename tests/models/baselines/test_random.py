from __future__ import annotations

import numpy as np

from poise.models import Random


def test_random_scores_are_uniform_and_follow_the_seed(films):
    queries = films.queries()
    scores = Random(seed=1).fit(films).score(queries)
    assert scores.min() >= 0
    assert scores.max() < 1
    assert abs(scores.mean() - 0.5) < 0.03
    np.testing.assert_array_equal(scores, Random(seed=1).fit(films).score(queries))
    assert not np.array_equal(scores, Random(seed=2).fit(films).score(queries))


def test_users_get_different_random_items(films):
    slates = Random().fit(films).recommend(films.queries(hide_seen=False), k=5)
    assert len({tuple(slate.items) for slate in slates}) == len(slates)
