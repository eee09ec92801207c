from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save_file

from poise.data.queries import Queries
from poise.errors import PoiseError
from poise.models import EASE, ItemKNN
from poise.recommender import load


def _closed_form(x, l2):
    """Steck 2019, equation 8, in double precision."""
    inverse = np.linalg.inv(x.T @ x + l2 * np.eye(x.shape[1]))
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


@pytest.mark.parametrize("l2", [0.5, 20.0, 500.0])
def test_ease_weights_are_the_closed_form(films, l2):
    x = np.zeros((films.user_ids.size, films.item_ids.size))
    x[films.events.user, films.events.item] = 1
    weights = _closed_form(x[:, 1:], l2)
    model = EASE(l2=l2, decay=1.0, left_out=0).fit(films)
    np.testing.assert_allclose(model.score(films.queries())[:, 1:], x[1:, 1:] @ weights, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(model.score(films.queries(["u00"]))[0, 1:], x[1, 1:] @ weights, rtol=1e-3, atol=1e-5)


def test_ease_of_a_catalogue_larger_than_a_block(log_of):
    rng = np.random.default_rng(0)
    histories = [rng.choice(1_300, size=12, replace=False) + 1 for _ in range(300)]
    data = log_of([row.tolist() for row in histories], 1_300)
    x = data.queries().matrix().toarray().astype(np.float64)[:, 1:]
    expected = x @ _closed_form(x, 10.0)
    scores = EASE(l2=10.0, decay=1.0, neighbours=1_300, left_out=0).fit(data).score(data.queries())[:, 1:]
    np.testing.assert_allclose(scores, expected, atol=2e-5)


def test_recency_weighs_the_history(films):
    model = EASE(l2=5.0, decay=0.5).fit(films)
    single = [model.score(Queries.from_histories([[item]], films.item_ids))[0] for item in (3, 8, 5)]
    together = model.score(Queries.from_histories([[3, 8, 5]], films.item_ids))[0]
    np.testing.assert_allclose(together, 0.25 * single[0] + 0.5 * single[1] + single[2], rtol=1e-5, atol=1e-6)


def test_a_singular_matrix_is_an_error(log_of):
    with pytest.raises(PoiseError, match="l2"):
        EASE(l2=1e-12).fit(log_of([[1, 2, 3], [1, 2, 3], [1, 2, 3]]))


def test_small_weights_are_left_out(films):
    whole = EASE(l2=5.0, decay=1.0, left_out=0).fit(films).weights.toarray()
    few = EASE(l2=5.0, decay=1.0, left_out=0, neighbours=3).fit(films).weights.toarray()
    share = EASE(l2=5.0, decay=1.0, left_out=0.1).fit(films).weights.toarray()
    for row, largest, held in zip(whole[1:], few[1:], share[1:], strict=True):
        third = np.sort(np.abs(row))[-3]
        np.testing.assert_array_equal(largest, np.where(np.abs(row) >= third, row, 0))
        lost = np.square(row[held == 0]).sum()
        assert lost <= 0.1 * np.square(row).sum() < lost + np.square(held[held != 0]).min(initial=np.inf)
        np.testing.assert_array_equal(held[held != 0], row[held != 0])


def test_many_requests_are_scored_in_parts(films, monkeypatch):
    model = EASE(l2=5.0).fit(films)
    at_once = model.score(films.queries())
    monkeypatch.setattr("poise.models.linear.item_item_model._AT_ONCE", 50)
    np.testing.assert_array_equal(model.score(films.queries()), at_once)


def test_a_model_that_kept_all_weights_is_still_read(films, tmp_path):
    model = EASE(l2=5.0, decay=1.0).fit(films)
    whole = EASE(l2=5.0, decay=1.0, left_out=0).fit(films).weights.toarray()
    model.save(tmp_path / "model")
    save_file({"weights": whole}, tmp_path / "model" / "arrays.safetensors")
    np.testing.assert_array_equal(load(tmp_path / "model").score(films.queries()), model.score(films.queries()))


def test_a_rare_item_beside_the_inverse_has_the_weights_of_the_closed_form(films):
    rarest = int(np.argsort(np.where(films.item_counts > 0, films.item_counts, 10**6), kind="stable")[0])
    touched = int((films.item_counts > 0).sum())
    whole = EASE(l2=5.0, left_out=0).fit(films)
    few = EASE(l2=5.0, left_out=0, items=touched - 1).fit(films)
    assert f"the {touched - 1} most frequent of {touched} items" in few.notes[0]
    assert not whole.notes
    exact, star = whole.weights.toarray(), few.weights.toarray()
    counts = films.item_counts
    left = int(np.argsort(-counts, kind="stable")[touched - 1])
    assert counts[left] == counts[rarest]
    np.testing.assert_allclose(star[left], exact[left], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(star[:, left], exact[:, left], rtol=1e-3, atol=1e-5)
    assert np.abs(star - exact).max() < 0.2 * np.abs(exact).max()


def test_items_that_the_memory_does_not_hold_are_refused(films, monkeypatch):
    monkeypatch.setattr("poise.models.linear.ease._memory", lambda: 1_000)
    assert EASE().unsupported_reason(films) is None  # it takes as many as fit
    assert "leave it out" in EASE(items=20).unsupported_reason(films)
    assert EASE(l2=5.0).fit(films).notes


def test_without_events_there_are_no_weights(films):
    nothing = films.select(np.zeros(films.n_events, dtype=np.bool_))
    assert EASE().fit(nothing).weights.shape == (films.item_ids.size, films.item_ids.size)
    assert ItemKNN().fit(nothing).weights.nnz == 0


def test_ease_of_a_catalogue_of_which_most_is_untouched(log_of):
    small, large = (EASE(l2=5.0, decay=0.9).fit(log_of([[1, 2, 3], [2, 3], [1, 3]], n)) for n in (3, 2_000))
    np.testing.assert_allclose(large.weights.toarray()[:4, :4], small.weights.toarray(), atol=1e-6)
    assert large.weights.nnz == small.weights.nnz
