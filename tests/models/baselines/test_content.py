from __future__ import annotations

import numpy as np
import pytest

from poise.data.queries import Queries
from poise.errors import DataError
from poise.models import Content


def test_content_scores_by_hand(films):
    vectors = films.vectors["text"].astype(np.float64)
    has_vector = vectors.any(axis=1)
    centred = np.where(has_vector[:, None], vectors - vectors[has_vector].mean(axis=0), 0)
    centred[has_vector] /= np.linalg.norm(centred[has_vector], axis=1, keepdims=True)
    person = 0.5 * centred[4] + centred[9]
    expected = centred @ person / np.linalg.norm(person)
    scores = Content(decay=0.5).fit(films).score(Queries.from_histories([[4, 9]], films.item_ids))[0]
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-6)


def test_items_without_events_are_recommended(films):
    model = Content().fit(films)
    assert not films.item_counts[23]  # i22: untouched, of the even half
    evens = [item + 1 for item in range(0, 22, 2)]
    queries = Queries.from_histories([evens], films.item_ids)
    assert model.recommend(queries, k=1)[0].items == ["i22"]
    assert model.score(queries)[0, 24] == 0  # i23 has no text
    assert model.score(Queries.from_histories([[24]], films.item_ids)).any() == np.False_


def test_missing_vectors_are_refused(films):
    with pytest.raises(DataError, match="no vectors 'image' .there are: text"):
        Content(vectors="image").fit(films)
    with pytest.raises(DataError, match="text"):
        Content(vectors="none").fit(films.with_vectors("none", np.zeros_like(films.vectors["text"])))
