from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from poise.data.ingest.build import build_dataset
from poise.data.split import leave_last_out
from poise.errors import UsageError
from poise.evaluation.groups import user_groups


def test_activity_is_split_into_thirds_of_similar_size(make_holdout):
    holdout = make_holdout([[*range(1, 2 + index)] for index in range(30)], [[40]] * 30, 40)
    (groups,) = user_groups(holdout)
    assert groups.labels == ("1–10", "11–20", "21–30")
    assert np.bincount(groups.of_request).tolist() == [10, 10, 10]


def test_users_without_a_history_are_a_group_of_their_own(make_holdout):
    holdout = make_holdout([[], [1], [1, 2], [1]], [[5]] * 4, 5)
    (groups,) = user_groups(holdout)
    assert groups.labels == ("none", "1", "2")
    assert groups.of_request.tolist() == [0, 1, 2, 1]


def test_a_single_group_is_left_out(make_holdout):
    assert user_groups(make_holdout([[1], [2]], [[5]] * 2, 5)) == []


def test_rare_labels_are_merged_and_numbers_split_into_thirds():
    n = 90
    rng = np.random.default_rng(0)
    events = pl.DataFrame(
        {"user": [str(user) for user in range(n) for _ in range(4)], "item": rng.integers(0, 9, 4 * n).astype(str)}
    )
    users = pl.DataFrame(
        {
            "user": [str(user) for user in range(n)],
            "age": range(n),
            "town": [f"town {user % 20:02}" for user in range(n)],
        }
    )
    data = build_dataset(
        events, None, users, columns={"user_id": "user", "item_id": "item"}, user_columns={"user_id": "user"}
    )
    holdout = leave_last_out(data, hide_seen=False).test
    age, town = user_groups(holdout, ["age", "town"])[-2:]
    assert age.labels == ("0–29", "30–59", "60–89")
    assert np.bincount(age.of_request).tolist() == [30, 30, 30]
    assert town.labels[-1] == "all the rest"
    assert len(town.labels) == 9
    with pytest.raises(UsageError, match=r"no column 'twon'\. Did you mean 'town'"):
        user_groups(holdout, ["twon"])


def test_a_column_of_mostly_rare_labels_is_left_out_unless_named(make_holdout):
    n = 60
    users = pl.DataFrame({"postcode": [f"{user:05}" for user in range(n)], "plan": ["free", "paid"] * (n // 2)})
    holdout = make_holdout([[1]] * n, [[2]] * n, 3, users=users)
    assert [groups.name for groups in user_groups(holdout)] == ["plan"]
    assert [groups.name for groups in user_groups(holdout, ["postcode"])] == ["postcode"]


def test_labels_called_other_and_unknown_keep_their_own_group(make_holdout):
    labels = ["other", "unknown", None] + [f"label {index:02}" for index in range(9)]
    users = pl.DataFrame({"work": labels * 2 + ["other"] * 30 + ["unknown"] * 30})
    holdout = make_holdout([[1]] * 84, [[2]] * 84, 3, users=users)
    (groups,) = user_groups(holdout)
    assert len(set(groups.labels)) == len(groups.labels) == 9
    counts = dict(zip(groups.labels, np.bincount(groups.of_request), strict=True))
    assert (counts["other"], counts["unknown"], counts["all the rest"]) == (32, 34, 6)
