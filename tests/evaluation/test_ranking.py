from __future__ import annotations

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import AP, RR, P, R, Success, nDCG
from sklearn.metrics import dcg_score, f1_score, ndcg_score, roc_auc_score

from poise.data.ragged import Ragged
from poise.evaluation import ranking

CUTOFFS = (1, 3, 5, 10, 20)


def random_lists(seed, n=60, n_items=40, k=20, most_targets=30):
    """Slates of distinct items, some short, and targets."""
    rng = np.random.default_rng(seed)
    items = np.array([rng.permutation(np.arange(1, n_items + 1))[:k] for _ in range(n)], dtype=np.int32)
    for row, length in enumerate(rng.integers(0, k + 1, n)):
        if row % 4 == 0:
            items[row, length:] = 0
    targets = Ragged.from_rows(
        [rng.choice(np.arange(1, n_items + 1), size=rng.integers(1, most_targets), replace=False) for _ in range(n)]
    )
    hits = ranking.hit_matrix(items, ranking.target_mask(targets, n_items + 1))
    return items, targets, hits


def reference(items, targets, measures):
    """Figures by request of trec_eval, through ir_measures."""
    qrels = [ir_measures.Qrel(str(row), str(item), 1) for row in range(len(targets)) for item in targets[row]]
    run = [
        ir_measures.ScoredDoc(str(row), str(item), float(-rank))
        for row in range(len(items))
        for rank, item in enumerate(items[row])
        if item
    ]
    actual = {measure: np.zeros(len(items)) for measure in measures}
    for metric in ir_measures.iter_calc(measures, qrels, run):
        actual[metric.measure][int(metric.query_id)] = metric.value
    return actual


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_trec_eval_on_the_same_lists(seed):
    items, targets, hits = random_lists(seed)
    lengths = targets.lengths
    theirs = reference(items, targets, [m @ k for m in (P, R, nDCG, AP, RR, Success) for k in CUTOFFS])
    for k in CUTOFFS:
        for name, measure in (("Precision", P), ("Recall", R), ("NDCG", nDCG), ("MRR", RR), ("HitRate", Success)):
            np.testing.assert_allclose(
                ranking.AT_K[name](hits, lengths, k), theirs[measure @ k], rtol=0, atol=1e-9, err_msg=f"{name}@{k}"
            )
        # map_cut divides by the number of targets, MAP here by min(k, targets): the documented difference
        ours = ranking.average_precision(hits, lengths, k) * np.minimum(k, lengths) / lengths
        np.testing.assert_allclose(ours, theirs[AP @ k], rtol=0, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scikit_learn_on_the_same_lists(seed):
    items, targets, hits = random_lists(seed)
    n, n_items, k = len(items), 40, 10
    truth = ranking.target_mask(targets, n_items + 1)[:, 1:]
    scores = np.full((n, n_items + 1), -100.0)
    for row in range(n):
        scores[row, items[row]] = -np.arange(items.shape[1])
    full = (items[:, :k] > 0).all(axis=1)  # scikit-learn knows no short lists
    shown = np.zeros((n, n_items + 1), dtype=bool)
    np.put_along_axis(shown, items[:, :k].astype(np.int64), True, axis=1)
    for row in np.flatnonzero(full):
        row_arguments = (hits[[row]], targets.lengths[[row]], k)
        assert ranking.ndcg(*row_arguments)[0] == pytest.approx(
            ndcg_score(truth[[row]], scores[[row], 1:], k=k), abs=1e-9
        )
        assert ranking.dcg(*row_arguments)[0] == pytest.approx(
            dcg_score(truth[[row]], scores[[row], 1:], k=k), abs=1e-9
        )
        assert ranking.f1(*row_arguments)[0] == pytest.approx(
            f1_score(truth[row], shown[row, 1:], zero_division=0), abs=1e-9
        )


@pytest.mark.parametrize("levels", [3, 1_000_000])
def test_auc_agrees_with_scikit_learn_with_and_without_ties(levels):
    rng = np.random.default_rng(levels)
    n, width = 50, 31
    scores = rng.integers(0, levels, (n, width)).astype(np.float32)
    allowed = rng.random((n, width)) < 0.8
    allowed[:, 0] = False
    targets = Ragged.from_rows(
        [rng.choice(np.flatnonzero(row), size=rng.integers(1, 8), replace=False) for row in allowed]
    )
    actual = ranking.auc(scores, targets, allowed)
    for row in range(n):
        truth = np.isin(np.arange(width), targets[row])
        expected = roc_auc_score(truth[allowed[row]], scores[row][allowed[row]])
        assert actual[row] == pytest.approx(expected, abs=1e-9)


def test_auc_of_unscored_items_is_that_of_chance():
    scores = np.array([[0, 5, -np.inf, -np.inf, -np.inf]], dtype=np.float32)
    allowed = np.array([[False, True, True, True, True]])
    actual = ranking.auc(scores, Ragged.from_rows([[2]]), allowed)
    assert actual[0] == pytest.approx((0 + 0.5 + 0.5) / 3)


def test_auc_is_undefined_without_other_items():
    scores = np.zeros((1, 3), dtype=np.float32)
    assert np.isnan(ranking.auc(scores, Ragged.from_rows([[1]]), np.array([[False, True, False]]))).all()


def test_metrics_of_a_slate_by_hand():
    hits = np.array([[False, True, False, True, False]])
    three = np.array([3])
    assert ranking.precision(hits, three, 4)[0] == 2 / 4
    assert ranking.recall(hits, three, 4)[0] == 2 / 3
    assert ranking.f1(hits, three, 4)[0] == pytest.approx(2 * (1 / 2) * (2 / 3) / (1 / 2 + 2 / 3))
    assert ranking.reciprocal_rank(hits, three, 4)[0] == 1 / 2
    assert ranking.reciprocal_rank(hits, three, 1)[0] == 0
    assert ranking.hit_rate(hits, three, 1)[0] == 0
    assert ranking.average_precision(hits, three, 4)[0] == pytest.approx((1 / 2 + 2 / 4) / 3)
    assert ranking.average_precision(hits, three, 2)[0] == pytest.approx((1 / 2) / 2)
    gain = 1 / np.log2(3) + 1 / np.log2(5)
    assert ranking.dcg(hits, three, 4)[0] == pytest.approx(gain)
    assert ranking.ndcg(hits, three, 4)[0] == pytest.approx(gain / (1 + 1 / np.log2(3) + 1 / np.log2(4)))


def test_padding_is_never_a_hit():
    mask = ranking.target_mask(Ragged.from_rows([[0, 2]]), 4)
    assert ranking.hit_matrix(np.array([[0, 2, 0]], dtype=np.int32), mask).tolist() == [[False, True, False]]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_metrics_lie_between_0_and_1_and_a_perfect_slate_gets_1(seed, most):
    _, targets, hits = random_lists(seed, n=12, most_targets=most + 1)
    lengths = targets.lengths
    order = np.random.default_rng(seed).permutation(len(hits))
    perfect = np.arange(20) < lengths[:, None]
    previous = np.zeros(len(hits))
    for k in CUTOFFS:
        for name, metric in ranking.AT_K.items():
            actual = metric(hits, lengths, k)
            assert (actual >= 0).all()
            assert name == "DCG" or (actual <= 1 + 1e-12).all()
            np.testing.assert_array_equal(metric(hits[order], lengths[order], k), actual[order])
        for name in ("NDCG", "MAP", "MRR", "HitRate"):
            np.testing.assert_allclose(ranking.AT_K[name](perfect, lengths, k), 1.0)
        recall = ranking.recall(hits, lengths, k)
        assert (recall >= previous).all()
        previous = recall
