from __future__ import annotations

import numpy as np
import pytest

from poise.errors import UsageError
from poise.evaluation import cross_validate
from poise.models.baselines.random import Random


@pytest.fixture
def data(make_holdout):
    rng = np.random.default_rng(0)
    histories = [rng.choice(np.arange(1, 31), 10, replace=False).tolist() for _ in range(40)]
    return make_holdout(histories, [[1]] * 40, 30).train


def test_the_mean_and_interval_are_those_of_the_folds(data):
    folds = cross_validate({"a": Random, "b": lambda: Random(seed=1)}, data, folds=4, k=5, resamples=20)
    values = np.array([fold.estimates["a"]["Recall@5"].value for fold in folds.folds])
    estimate = folds.estimates()["a"]["Recall@5"]
    half = 3.182446305284263 * values.std(ddof=1) / 2  # Student's t, 3 degrees of freedom
    assert estimate.value == pytest.approx(values.mean())
    assert (estimate.low, estimate.high) == pytest.approx((values.mean() - half, values.mean() + half))
    assert folds.frame().filter(model="b", metric="Recall@5")["folds"].to_list() == [4]
    assert "Recall@5" in folds.text()


def test_cross_validation_is_repeatable_with_a_seed(data):
    first = cross_validate(Random, data, folds=3, seed=1, k=5, resamples=10)
    again = cross_validate(Random, data, folds=3, seed=1, k=5, resamples=10)
    other = cross_validate(Random, data, folds=3, seed=2, k=5, resamples=10)
    assert first.frame().equals(again.frame())
    assert not first.frame().equals(other.frame())


def test_too_few_folds(data):
    with pytest.raises(UsageError, match="folds is 2"):
        cross_validate(Random, data, folds=2)
