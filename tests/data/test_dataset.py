from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from poise.data.ingest.indexing import index
from poise.errors import DataError, UnknownIdError, UsageError

EVENTS = pl.DataFrame(
    {
        "user_id": ["b", "a", "b", "a", "b", "a"],
        "item_id": ["y", "x", "x", "z", "z", "y"],
        "timestamp": [3, 2, 1, 2, 3, 1],
        "value": [1.0, None, 3.0, 4.0, 5.0, 6.0],
        "behaviour": ["view", "buy", "view", "view", "buy", "view"],
        "device": ["tv", None, "tv", "phone", "tv", "tv"],
    }
)
ITEMS = pl.DataFrame(
    {
        "item_id": ["z", "y", "w"],
        "title": ["Alien (1979)", None, "The Third Man"],
        "tags": [["space"], [], None],
    }
)


def _make(events=EVENTS, items=ITEMS, **options):
    return index(events, items, title_column="title", **options)


def test_events_are_sorted_by_user_time_and_file_order():
    data = _make()
    assert data.user_ids.series.to_list() == ["a", "b"]
    assert data.item_ids.series.to_list() == ["z", "y", "w", "x"]  # the catalogue's order, then what only the log knows
    assert data.item_ids.ids(data.events.item) == ["y", "x", "z", "x", "y", "z"]
    assert data.events.timestamp.tolist() == [1, 2, 2, 1, 3, 3]
    np.testing.assert_array_equal(data.events.value, np.array([6, np.nan, 4, 3, 1, 5], dtype=np.float32))
    assert [data.behaviour_ids.id(code) for code in data.events.behaviour] == [
        "view",
        "buy",
        "view",
        "view",
        "view",
        "buy",
    ]
    assert data.events.context["device"].to_list() == ["tv", None, "phone", "tv", "tv", "tv"]
    assert data.events.offsets.tolist() == [0, 0, 3, 6]
    assert data.item_counts.tolist() == [0, 2, 2, 0, 2]
    assert data.items["title"].to_list() == ["Alien (1979)", None, "The Third Man", None]


def test_equal_timestamps_stay_in_file_order():
    rng = np.random.default_rng(0)
    users, items, times = rng.integers(0, 50, 5_000), rng.integers(0, 90, 5_000), rng.integers(0, 4, 5_000)
    data = index(
        pl.DataFrame(
            {
                "user_id": [f"{user:02}" for user in users],
                "item_id": [str(item) for item in items],
                "timestamp": times,
                "place": np.arange(5_000),
            }
        )
    )
    order = sorted(range(5_000), key=lambda position: (users[position], times[position], position))
    assert data.events.context["place"].to_list() == order
    assert data.item_ids.ids(data.events.item) == [str(items[position]) for position in order]


def test_without_timestamps_events_are_in_file_order():
    data = _make(EVENTS.drop("timestamp"))
    assert not data.events.has_time
    assert data.item_ids.ids(data.events.item) == ["x", "z", "y", "y", "x", "z"]
    bare = index(EVENTS.select("user_id", "item_id"))
    assert bare.behaviour_ids.series.to_list() == ["interaction"]
    assert np.isnan(bare.events.value).all()
    assert bare.titles == ["", "x", "y", "z"]


def test_no_events_and_too_many_behaviours():
    with pytest.raises(DataError, match="no events"):
        index(EVENTS.clear())
    many = pl.DataFrame(
        {"user_id": ["a"] * 256, "item_id": ["x"] * 256, "behaviour": [str(position) for position in range(256)]}
    )
    with pytest.raises(DataError, match="256 different"):
        index(many)
    assert index(many.head(255)).events.behaviour.max() == 255
    with pytest.raises(DataError, match="'z' stands twice"):
        _make(items=pl.concat([ITEMS, ITEMS.head(1)]))


def test_titles():
    assert _make().titles == ["", "Alien (1979)", "y", "The Third Man", "x"]


def test_find_items(films):
    ids = films.item_ids

    def find_ids(*words):
        return ids.ids(films.find_items(list(words)))

    assert find_ids("i03", " Moon Story 4 (1984) ", "sea story 5", "STORY 17") == ["i03", "i04", "i05", "i17"]
    assert films.find_items([]) == []
    with pytest.raises(UnknownIdError, match=r"fits 12 items, among them 'Sea Story") as caught:
        films.find_items(["sea story"])
    assert "\n" not in str(caught.value)
    with pytest.raises(UnknownIdError, match=r"(?i)did you mean 'sea story 15"):
        films.find_items(["see storry 15"])
    for word in ("", "zzzz", "i3"):
        with pytest.raises(UnknownIdError):
            films.find_items([word])
    with pytest.raises(UsageError, match="list"):
        films.find_items("i03")


def test_find_items_prefers_the_most_frequent_of_equal_titles():
    data = index(
        pl.DataFrame({"user_id": ["a", "b", "b"], "item_id": ["2", "2", "1"]}),
        pl.DataFrame({"item_id": ["1", "2", "3"], "title": ["Solaris (1972)", "Solaris (2002)", "x.* (2000)"]}),
        title_column="title",
    )
    assert data.find_items(["solaris", "Solaris (1972)", "x.*"]) == [2, 1, 3]
    with pytest.raises(UnknownIdError):
        data.find_items([".*"[::-1]])  # words are no patterns


def test_queries_of_users(films):
    queries = films.queries(["u03", "u00", "u40"])
    assert films.user_ids.ids(queries.user) == ["u03", "u00", "u40"]
    for row, user in enumerate(("u03", "u00", "u40")):
        code = films.user_ids.index([user])[0]
        np.testing.assert_array_equal(queries.history(row), films.events.item[films.events.user == code])
    assert not len(queries.history(2))
    assert len(films.queries()) == films.n_users
    assert len(films.queries([])) == 0
    assert films.queries(["u03", "u00"]).users["city"].to_list() == ["Köln", "Bonn"]
    with pytest.raises(UnknownIdError, match="'u99' is not in the data set 'films'"):
        films.queries(["u00", "u99"])
    with pytest.raises(UsageError, match="list"):
        films.queries("u00")


def test_vectors_of_the_wrong_shape_are_refused(films):
    size = films.item_ids.size
    good = np.zeros((size, 3), dtype=np.float32)
    assert set(films.with_vectors("image", good).vectors) == {"text", "image"}
    assert set(films.vectors) == {"text"}
    padding, odd = good.copy(), good.copy()
    padding[0, 1] = 1
    odd[2, 1] = np.nan
    for vectors, says in ((good[1:], "rows are due"), (good[:, 0], "shape"), (padding, "row 0"), (odd, "not finite")):
        with pytest.raises(DataError, match=says):
            films.with_vectors("image", vectors)


def test_select_keeps_the_indices(films):
    keep = films.events.value > 3
    part = films.select(keep)
    assert part.n_events == keep.sum()
    assert part.item_ids is films.item_ids
    assert part.n_users == films.n_users
    assert part.events.context.height == part.n_events
    for user in range(1, films.user_ids.size):
        of_user = slice(part.events.offsets[user], part.events.offsets[user + 1])
        np.testing.assert_array_equal(part.events.item[of_user], films.events.item[keep & (films.events.user == user)])
    assert films.select(np.zeros(films.n_events, dtype=bool)).n_events == 0


def test_the_fingerprint_is_that_of_the_data():
    assert _make().fingerprint == _make().fingerprint
    assert _make().fingerprint == _make(EVENTS.select(reversed(EVENTS.columns)).select(EVENTS.columns)).fingerprint
    changed = [
        _make(EVENTS.with_columns(value=pl.Series([1.0, None, 3.0, 4.0, 5.0, 6.5]))),
        _make(EVENTS.with_columns(value=pl.Series([1.0, 0.0, 3.0, 4.0, 5.0, 6.0]))),
        _make(EVENTS.with_columns(timestamp=pl.Series([3, 2, 0, 2, 3, 1]))),
        _make(EVENTS.with_columns(device=pl.Series(["tv", "tv", "tv", "phone", "tv", "tv"]))),
        _make(EVENTS.with_columns(behaviour=pl.Series(["view", "buy", "view", "view", "buy", "buy"]))),
        _make(EVENTS.rename({"device": "place"})),
        _make(EVENTS.with_columns(item_id=pl.Series(["y", "x", "x", "z", "z", "x"]))),
        _make(EVENTS.with_columns(user_id=pl.Series(["b", "a", "b", "a", "b", "c"]))),
        _make(EVENTS.head(5)),
        _make(items=ITEMS.reverse()),
        _make(items=ITEMS.head(2)),
        _make(items=ITEMS.with_columns(title=pl.Series(["Aliens (1979)", None, "The Third Man"]))),
        _make(items=ITEMS.with_columns(tags=pl.Series([["space"], ["space"], None]))),
        _make(users=pl.DataFrame({"user_id": ["a"], "city": ["Bonn"]})),
    ]
    fingerprints = [data.fingerprint for data in (_make(), *changed)]
    assert len(set(fingerprints)) == len(fingerprints)


def test_a_dataset_is_immutable(films):
    with pytest.raises(dataclasses.FrozenInstanceError):
        films.name = "other"
    with pytest.raises(dataclasses.FrozenInstanceError):
        films.events.item = np.zeros(1)
    with pytest.raises(ValueError, match="read-only"):
        films.events.item[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        films.queries().events.timestamp[0] = 1


def test_the_counts_of_a_dataset(films):
    assert repr(films) == f"Dataset('films': {films.n_events:,} events, 41 users, 24 items)"
