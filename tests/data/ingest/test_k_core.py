from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.data.dataset import Dataset
from poise.data.ingest.indexing import index
from poise.data.ingest.k_core import k_core
from poise.errors import DataError


def _log(pairs: list[tuple[int, int]]) -> Dataset:
    users = sorted({f"u{user}" for user, _ in pairs})
    return index(
        pl.DataFrame({"user_id": [f"u{user}" for user, _ in pairs], "item_id": [f"i{item}" for _, item in pairs]}),
        pl.DataFrame({"item_id": ["new", *(f"i{item}" for item in range(6))], "title": list("nabcdef")}),
        pl.DataFrame({"user_id": users, "age": list(range(len(users)))}),
        title_column="title",
    ).with_vectors("text", np.arange(8, dtype=np.float32)[:, None])


def _by_hand(pairs: list[tuple[int, int]], k: int) -> list[tuple[str, str]]:
    while True:
        users = [user for user, _ in pairs]
        items = [item for _, item in pairs]
        left = [(user, item) for user, item in pairs if users.count(user) >= k and items.count(item) >= k]
        if left == pairs:
            return [(f"u{user}", f"i{item}") for user, item in pairs]
        pairs = left


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=40), st.integers(1, 4))
def test_the_k_core_is_the_fixed_point_of_removing_rare_users_and_items(pairs: list[tuple[int, int]], k: int) -> None:
    expected = _by_hand(pairs, k)
    data = _log(pairs)
    if not expected:
        with pytest.raises(DataError, match=f"{k}-core"):
            k_core(data, k)
        return
    core = k_core(data, k)
    events = zip(core.user_ids.ids(core.events.user), core.item_ids.ids(core.events.item), strict=True)
    assert sorted(events) == sorted(expected)
    assert set(core.item_ids.series) == {item for _, item in expected}
    assert set(core.user_ids.series) == {user for user, _ in expected}
    assert np.diff(core.events.offsets)[1:].min() >= k
    for new, item in enumerate(core.item_ids.series, 1):  # what is known of an item moves with it
        old = int(data.item_ids.index([item])[0])
        assert core.titles[new] == data.titles[old]
        assert core.vectors["text"][new] == data.vectors["text"][old]
    ages = dict(zip(data.user_ids.series, data.users["age"], strict=True))
    assert core.users["age"].to_list() == [ages[user] for user in core.user_ids.series]
