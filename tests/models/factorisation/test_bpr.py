from __future__ import annotations

import numpy as np

from poise.data.queries import Queries
from poise.models import BPR


def test_a_user_vector_is_the_weighted_sum_of_item_vectors(films):
    model = BPR(factors=5, iterations=40, decay=0.5).fit(films)
    history = [2, 7, 2, 4]
    weight = {7: 0.25, 2: 0.5, 4: 1.0}
    person = sum(weight[item] * model.vectors[item].astype(np.float64) for item in weight) / np.sqrt(1.75)
    expected = model.vectors @ person + model.item_vectors[:, -1]
    scores = model.score(Queries.from_histories([history], films.item_ids))[0]
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-6)


def test_bpr_learns_two_groups_of_users(films):
    model = BPR(factors=8, iterations=200, l2=0.001).fit(films)
    slates = model.recommend(films.queries(["u00", "u01"]), k=4)
    for parity, slate in enumerate(slates):
        assert sum(int(item[1:]) % 2 == parity for item in slate.items) >= 3


def test_without_a_history_bpr_recommends_popular_items(films):
    model = BPR(factors=3, iterations=20).fit(films)
    np.testing.assert_array_equal(
        model.score(Queries.from_histories([[]], films.item_ids))[0], model.item_vectors[:, -1]
    )
