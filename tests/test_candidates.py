"""Candidates in both forms: what is hidden, what is kept, what the best are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from poise.candidates import Candidates
from poise.data.ragged import Ragged

SCORES = arrays.arrays(np.float32, (3, 9), elements=st.integers(-50, 50).map(float), unique=True)
ROWS = st.lists(st.lists(st.integers(1, 8), max_size=5), min_size=3, max_size=3)


def both(scores: np.ndarray) -> tuple[Candidates, Candidates]:
    """Return the same candidates as a catalogue and as lists, in which they stand in another order."""
    order = np.random.default_rng(0).permutation(np.arange(1, 9)).astype(np.int32)
    rows = np.tile(order, 3)
    picked = scores[np.repeat(np.arange(3), 8), rows]
    lists = Candidates.of_lists(Ragged(rows, np.arange(4) * 8), picked, scores[:, 1:].mean(axis=1))
    return Candidates.of_catalogue(scores.copy()), lists


@given(SCORES, ROWS, ROWS, st.integers(1, 12))
def test_both_forms_hide_keep_and_choose_alike(scores, hidden, allowed, k):
    masks = [np.isin(np.arange(9), row) for row in allowed]
    slates = []
    for candidates in both(scores):
        np.testing.assert_allclose(candidates.mean, scores[:, 1:].mean(axis=1), rtol=1e-5, atol=1e-5)
        assert (candidates.best == scores[:, 1:].max(axis=1)).all()
        candidates.hide(Ragged.from_rows(hidden))
        candidates.keep_only(masks)
        slates.append(candidates.top(k))
        dense = candidates.dense(9)
        for row in range(3):
            shown = [item for item in range(1, 9) if masks[row][item] and item not in hidden[row]]
            best = sorted(shown, key=lambda item: -scores[row, item])[:k]
            assert slates[-1].items[row].tolist() == best + [0] * (k - len(best))
            assert np.flatnonzero(dense[row] > -np.inf).tolist() == shown
    np.testing.assert_array_equal(slates[0].scores, slates[1].scores)


@given(SCORES, ROWS, st.integers(1, 8))
def test_what_is_hidden_in_a_slate_leaves_no_gap(scores, hidden, k):
    slates = both(scores)[1].top(8)
    slates.hide(Ragged.from_rows(hidden))
    cut = slates.top(k)
    for row in range(3):
        unhidden = [item for item in slates.items[row].tolist() if item not in hidden[row]][:k]
        assert cut.items[row].tolist() == unhidden + [0] * (k - len(unhidden))


def test_columns_of_items_are_told_in_both_forms():
    scores = np.arange(27, dtype=np.float32).reshape(3, 9)
    catalogue, lists = both(scores)
    wanted = np.array([2, 7], dtype=np.int32)
    assert np.flatnonzero(catalogue.is_among(wanted)[0]).tolist() == [2, 7]
    assert np.sort(lists.items[lists.is_among(wanted)].reshape(3, 2), axis=1).tolist() == [[2, 7]] * 3


def test_sources_and_probabilities_go_with_their_items():
    rows = Ragged.from_rows([[4, 6, 2], [5]])
    candidates = Candidates.of_lists(
        rows,
        np.array([1, 3, 2, 9], dtype=np.float32),
        np.zeros(2, dtype=np.float32),
        sources=np.array([0, 1, 0, 1], dtype=np.uint8),
        source_names=["Popularity", "EASE"],
    )
    top = candidates.top(3)
    assert top.items.tolist() == [[6, 2, 4], [5, 0, 0]]
    assert top.sources[top.items > 0].tolist() == [1, 0, 0, 1]
    assert top.take(np.array([1])).items.tolist() == [[5, 0, 0]]
