from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from poise.evaluation.significance import Measured, bootstrap, compare, estimates, holm, randomisation_test


def test_intervals_have_their_nominal_coverage():
    rng = np.random.default_rng(0)
    truth, held = 0.3, 0
    for trial in range(200):
        values = (rng.random(150) < truth).astype(float)
        estimate = estimates([Measured(values)], resamples=300, seed=trial)[0]
        held += estimate.low <= truth <= estimate.high
    assert 0.90 <= held / 200 <= 0.985


def test_bootstrap_resamples_have_the_mean_and_the_standard_error():
    values = np.random.default_rng(1).normal(size=400)
    drawn = bootstrap([Measured(values)], resamples=4_000)[:, 0]
    assert drawn.mean() == pytest.approx(values.mean(), abs=0.01)
    assert drawn.std() == pytest.approx(values.std() / 20, rel=0.05)


def test_estimates_with_weights_missing_values_and_roots():
    values = np.array([4.0, 16.0, np.nan, 0.0])
    assert Measured(values).value == pytest.approx(20 / 3)
    assert Measured(values, np.array([1.0, 3.0, 5.0, 0.0])).value == pytest.approx(13.0)
    assert Measured(values, np.array([1.0, 3.0, 5.0, 0.0]), root=True).value == pytest.approx(np.sqrt(13.0))
    nothing = estimates([Measured(np.full(3, np.nan))], resamples=20)[0]
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()
    assert nothing.n == 0


def test_all_metrics_share_the_resamples_and_a_seed_repeats_them():
    values = np.random.default_rng(2).random(50)
    drawn = bootstrap(
        [Measured(values), Measured(values + 1), Measured(values, np.full(50, 2.0))], resamples=30, seed=4
    )
    np.testing.assert_allclose(drawn[:, 1] - drawn[:, 0], 1.0)
    np.testing.assert_allclose(drawn[:, 2], drawn[:, 0])
    np.testing.assert_allclose(
        drawn, bootstrap([Measured(values), Measured(values + 1), Measured(values)], resamples=30, seed=4)
    )
    assert (bootstrap([Measured(values)], resamples=30, seed=5) != drawn[:, :1]).any()


def test_p_values_are_uniform_under_the_null_hypothesis():
    rng = np.random.default_rng(3)
    p = np.array([randomisation_test(rng.normal(size=(40, 1)), flips=199, seed=trial)[0] for trial in range(300)])
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert (p <= 0.05).mean() < 0.09


def test_p_values_agree_with_the_t_test_and_the_exact_permutation_test():
    rng = np.random.default_rng(4)
    differences = rng.normal(0.2, 1, size=(100, 1))
    expected = stats.ttest_1samp(differences[:, 0], 0).pvalue
    assert randomisation_test(differences)[0] == pytest.approx(expected, abs=0.01)
    few = np.array([[1.0], [1.0], [1.0], [0.0], [1.0], [-1.0]])  # 2 of 32 flips reach 5, 10 + 2 reach 3
    assert randomisation_test(few)[0] == pytest.approx(12 / 32, abs=0.02)


def test_p_values_are_small_for_an_effect_and_1_for_none():
    rng = np.random.default_rng(5)
    assert randomisation_test(rng.normal(1, 1, size=(100, 1)))[0] == pytest.approx(1e-4)
    assert randomisation_test(np.zeros((10, 2))).tolist() == [1.0, 1.0]


def test_holm_by_hand():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]


def test_a_comparison_prints_its_result():
    rng = np.random.default_rng(6)
    values = rng.random(300)
    measured = {
        "good": Measured(values + 0.2),
        "same": Measured(values + 0.2 + rng.normal(0, 0.05, 300)),
        "bad": Measured(values + rng.normal(0, 0.05, 300)),
    }
    same, bad = compare("NDCG@10", "good", measured)
    assert not same.real
    assert "no difference shown between good and same" in same.verdict
    assert bad.real
    assert bad.difference.low < 0.2 < bad.difference.high
    assert bad.verdict.startswith("good is better than bad: NDCG@10 is 0.20")
    assert bad.p_holm >= bad.p
