from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from poise.data.ragged import Ragged
from poise.evaluation.ratings import errors


def test_rating_metrics_agree_with_scikit_learn_and_leave_out_missing_values():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 6, 30)
    targets = Ragged(np.ones(lengths.sum(), np.int32), np.concatenate([[0], np.cumsum(lengths)]))
    actual = rng.integers(1, 6, lengths.sum()).astype(np.float32)
    predicted = rng.normal(3, 1, lengths.sum()).astype(np.float32)
    actual[rng.random(len(actual)) < 0.3] = np.nan
    has_value = ~np.isnan(actual)
    estimated = errors(predicted, actual, targets)
    expected = actual[has_value].astype(np.float64), predicted[has_value].astype(np.float64)
    assert estimated["RMSE"].value == pytest.approx(root_mean_squared_error(*expected), abs=1e-9)
    assert estimated["MAE"].value == pytest.approx(mean_absolute_error(*expected), abs=1e-9)
