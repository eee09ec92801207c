from __future__ import annotations

import numpy as np
import pytest

from poise.data.split import leave_last_n
from poise.models import EASE, validation
from poise.models.validation import choose, mean_ndcg, sample


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


def _noisy(means, n, seed=0):
    """Return options whose measured gains have the given means, with chance that they share and some of their own."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, 0.2, n)
    gains = {mean: mean + shared + rng.normal(0, 0.1, n) for mean in means}
    asked = []

    def measure(option, part):
        asked.append((option, len(part)))
        return gains[option][part.queries.user]

    return measure, asked


def test_options_are_measured_until_the_difference_is_told(log_of, monkeypatch):
    monkeypatch.setattr(validation, "SAMPLE", 100)
    split = leave_last_n(log_of([[1, 2, 3, 4]] * 4_000), 1)
    means = [0.5, 0.48, 0.3, 0.1]
    measure, asked = _noisy(means, 4_001)
    choice = choose(means, measure, split.valid)
    assert choice.best == 0.5
    of = {mean: sum(n for option, n in asked if option == mean) for mean in means}
    assert of[0.1] == of[0.3] == 100  # far behind
    assert of[0.5] == of[0.48] == choice.requests > 100
    assert choice.ndcg == pytest.approx(means, abs=0.06)
    assert sorted(choice.ndcg, reverse=True) == choice.ndcg


def test_options_that_do_not_differ_are_measured_on_all_requests(log_of, monkeypatch):
    monkeypatch.setattr(validation, "SAMPLE", 10)
    valid = leave_last_n(log_of([[1, 2, 3, 4]] * 70), 1).valid
    choice = choose(["a", "b"], lambda option, part: np.ones(len(part)), valid)
    assert (choice.best, choice.requests, choice.ndcg) == ("a", 70, [1.0, 1.0])


def test_where_the_catalogue_is_large_the_work_is_bounded(log_of, monkeypatch):
    valid = leave_last_n(log_of([[1, 2, 3, 4]] * 70), 1).valid
    monkeypatch.setattr(validation, "SAMPLE", 10)
    monkeypatch.setattr(validation, "_FEWEST", 5)
    monkeypatch.setattr(validation, "MOST_SCORES", 5 * 20 * 2)  # of 4 items and padding, 20 requests of two options
    choice = choose([1, 2], lambda option, part: np.ones(len(part)), valid)
    assert choice.requests == 20
    monkeypatch.setattr(validation, "MOST_SCORES", 1)
    assert choose([1, 2], lambda option, part: np.ones(len(part)), valid).requests == 5
