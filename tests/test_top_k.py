from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from poise.top_k import top_k

FEW_VALUES = st.sampled_from([-np.inf, -1.0, -0.0, 0.0, 0.5, 2.0])
SCORES = arrays.arrays(np.float32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=FEW_VALUES)


@settings(max_examples=300, deadline=None)
@given(SCORES, st.integers(1, 15), st.integers(0, 3))
def test_top_k_agrees_with_a_full_sort(scores, k, seed):
    _check(scores, k, seed)


def _check(scores, k, seed=0):
    before = scores.copy()
    columns, values = top_k(scores, k, seed=seed)
    np.testing.assert_array_equal(scores, before)
    assert columns.dtype == np.int32
    assert values.dtype == np.float32
    assert columns.shape == values.shape == (len(scores), k)
    for row in range(len(scores)):
        best = np.sort(scores[row])[::-1]
        best = best[best > -np.inf][:k]
        np.testing.assert_array_equal(values[row, : len(best)], best)
        assert (values[row, len(best) :] == -np.inf).all()
        assert (columns[row, len(best) :] == 0).all()
        chosen = columns[row, : len(best)]
        assert len(set(chosen.tolist())) == len(chosen)
        np.testing.assert_array_equal(scores[row, chosen], best)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(60, 700), st.sampled_from([1, 2, 3, 40]))
def test_top_k_of_wide_rows_agrees_with_a_full_sort(seed, k, width, levels):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, size=(5, width)).astype(np.float32)
    scores[1, rng.random(width) < 0.98] = -np.inf
    scores[2] = -np.inf
    scores[3] = rng.random(width)
    _check(scores, k)


@pytest.mark.parametrize("width", [8, 3])  # wider than k, so that chance decides who gets in; and only the order
def test_ties_are_drawn_uniformly(width):
    scores = np.zeros((4_000, width), dtype=np.float32)
    scores[:, 0] = 1 if width == 8 else 0
    columns, _ = top_k(scores, 3)
    if width == 8:
        assert (columns[:, 0] == 0).all()
    for place in (1, 2):
        drawn = np.bincount(columns[:, place], minlength=width)[1 if width == 8 else 0 :]
        expected = drawn.sum() / len(drawn)
        chi_square = ((drawn - expected) ** 2 / expected).sum()
        assert chi_square < 25  # for 6 degrees of freedom, 1 in 3,000


def test_ties_of_a_wide_row_are_drawn_uniformly():
    scores = np.zeros((6_000, 300), dtype=np.float32)
    scores[:, ::50] = 1  # 6 columns
    columns, _ = top_k(scores, 3)
    drawn = np.bincount(columns.ravel(), minlength=300)
    assert drawn.sum() == drawn[::50].sum()
    assert ((drawn[::50] - 3_000) ** 2 / 3_000).sum() < 25


def test_a_tie_above_the_cut_off_is_in_random_order():
    scores = np.tile(np.array([3, 3, 3, 1, 0], dtype=np.float32), (3_000, 1))
    columns, _ = top_k(scores, 4)
    first = np.bincount(columns[:, 0], minlength=5)
    assert first[3:].sum() == 0
    assert first[:3].min() > 880
    assert (columns[:, 3] == 3).all()


def test_ties_follow_the_seed():
    scores = np.zeros((1, 50), dtype=np.float32)
    drawn = {tuple(top_k(scores, 5, seed=seed)[0][0]) for seed in range(20)}
    assert len(drawn) == 20
    np.testing.assert_array_equal(top_k(scores, 5, seed=7)[0], top_k(scores, 5, seed=7)[0])


@pytest.mark.parametrize("shape", [(0, 5), (3, 0)])
def test_top_k_of_rows_without_finite_scores(shape):
    columns, values = top_k(np.zeros(shape, dtype=np.float32), 2)
    assert columns.shape == (shape[0], 2)
    assert not columns.any()
    assert (values == -np.inf).all()
