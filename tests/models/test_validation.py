from __future__ import annotations

import numpy as np
import pytest

from poise.data.split import leave_last_n
from poise.models import EASE, validation
from poise.models.validation import mean_ndcg, sample


def _by_hand(model, holdout):
    total = 0.0
    for row in range(len(holdout)):
        items = model.recommend(holdout.queries.take([row]), k=10).items[0].tolist()
        targets = set(holdout.targets[row].tolist())
        gain = sum(1 / np.log2(rank + 1) for rank, item in enumerate(items, 1) if item in targets)
        total += gain / sum(1 / np.log2(rank + 1) for rank in range(1, min(10, len(targets)) + 1))
    return total / len(holdout)


def test_mean_ndcg_by_hand(films, monkeypatch):
    valid = leave_last_n(films, 2).valid
    model = EASE(l2=5.0, left_out=0).fit(valid.train)  # without ties
    expected = _by_hand(model, valid)
    assert mean_ndcg(model, valid) == pytest.approx(expected)
    monkeypatch.setattr(validation, "batch_size", lambda width: 7)
    assert mean_ndcg(model, valid) == pytest.approx(expected)


def test_a_validation_sample_is_a_part_of_the_requests(films, monkeypatch):
    valid = leave_last_n(films, 2).valid
    assert sample(valid) is valid
    monkeypatch.setattr(validation, "SAMPLE", 9)
    part = sample(valid)
    assert len(part) == len(part.targets) == 9
    users = part.queries.user.tolist()
    assert len(set(users)) == 9
    for row, user in enumerate(users):
        index = valid.queries.user.tolist().index(user)
        assert part.targets[row].tolist() == valid.targets[index].tolist()
        assert part.queries.history(row).tolist() == valid.queries.history(index).tolist()
    np.testing.assert_array_equal(sample(valid).queries.user, part.queries.user)
    assert sample(valid, seed=1).queries.user.tolist() != users
