from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import poise
from poise.data import split as protocols
from poise.data.dataset import Dataset
from poise.data.impressions import ImpressionLog
from poise.data.ingest.indexing import index
from poise.data.ingest.k_core import k_core
from poise.data.outcomes import join_outcomes
from poise.data.storage import open_dataset, save_dataset
from poise.errors import DataError
from poise.project.learning import as_known_to

MINUTE = 60_000


def impressions_of(data: Dataset, *, n_others: int = 2, seed: int = 0) -> ImpressionLog:
    """Return a request a minute before each event, for its item among others, and some that nothing follows."""
    rng = np.random.default_rng(seed)
    log = data.events
    n = len(log)
    user = np.append(log.user, [0, 1, 2]).astype(np.int32)
    time = np.append(log.timestamp, [log.timestamp.min(), log.timestamp.max(), log.timestamp.max() + 9 * MINUTE])
    items = rng.integers(1, data.item_ids.size, (n + 3, n_others + 1), dtype=np.int32)
    items[np.arange(n), rng.integers(0, n_others + 1, n)] = log.item
    requests = pl.DataFrame(
        {
            "user": user,
            "time": time - MINUTE,
            "request_id": [f"r{row}" for row in range(n + 3)],
            "run": ["run-2" if row % 3 else "run-1" for row in range(n + 3)],
            "policy_version": "3fa9",
            "arm": pl.Series([None] * (n + 3), dtype=pl.String),
            "surface": ["home", None, "cart"] * (n // 3 + 1) + ["home"] * (n % 3),
            "n_eligible": pl.Series(rng.integers(3, 99, n + 3)),
            "filters": pl.Series([None] * (n + 3), dtype=pl.String),
            "features": pl.Series([None] * (n + 3), dtype=pl.String),
        }
    )
    shown = pl.DataFrame(
        {
            "request": np.repeat(np.arange(n + 3, dtype=np.int32), n_others + 1),
            "item": items.ravel(),
            "position": np.tile(np.arange(n_others + 1, dtype=np.int32), n + 3),
            "score": rng.random(items.size).astype(np.float32),
            "probability": np.ones(items.size, dtype=np.float32),
            "source": rng.integers(1, 3, items.size, dtype=np.int32),
        }
    )
    context = pl.DataFrame({"device": ["tv", None, "phone"] * (n // 3 + 1) + ["tv"] * (n % 3), "time": range(n + 3)})
    return ImpressionLog.from_arrival(requests, context, shown, ["ItemKNN", "new"])


@pytest.fixture(scope="module")
def shown(films: Dataset) -> Dataset:
    """Return the films with impressions: each event follows one of them."""
    return replace(films, impressions=join_outcomes(impressions_of(films), films.events))


def described(data: Dataset) -> list[dict]:
    """Return all that is known of each shown item, in terms that no index changes."""
    return poise.impressions_frame(data).to_dicts()


def test_each_event_is_the_outcome_of_an_impression(shown):
    log = shown.impressions
    assert np.sort(log.outcome_event).tolist() == list(range(shown.n_events))
    np.testing.assert_array_equal(log.item[log.outcome_shown], shown.events.item[log.outcome_event])
    assert (np.diff(log.time) >= 0).all()
    assert (np.diff(log.request) >= 0).all()
    like = shown.behaviour_ids.index(["like"])
    assert log.followed_by(shown.events, like).sum() == len(
        np.unique(log.outcome_shown[shown.events.behaviour[log.outcome_event] == like[0]])
    )


def test_the_frame_of_impressions_has_outer_ids(shown):
    frame = poise.impressions_frame(shown)
    log = shown.impressions
    assert len(frame) == len(log)
    assert frame.columns[:4] == ["request_id", "time", "user_id", "position"]
    assert frame.columns[-2:] == ["device", "context_time"]
    row = int(log.outcome_shown[0])
    event = log.outcome_event[log.outcome_shown == row]
    assert frame["item_id"][row] == shown.item_ids.id(int(log.item[row]))
    assert frame["behaviour"][row].to_list() == shown.behaviour_ids.ids(shown.events.behaviour[event])
    assert frame["event_time"][row].dt.timestamp("ms").to_list() == shown.events.timestamp[event].tolist()
    assert set(frame["source"]) == {"ItemKNN", "new"}
    nobody = frame.filter(pl.col("user_id").is_null())
    assert nobody["request_id"].n_unique() == 1
    assert frame["run"].to_physical().dtype == pl.UInt8  # codes
    with pytest.raises(DataError, match="no impressions"):
        poise.impressions_frame(replace(shown, impressions=None))


def test_selected_impressions_keep_their_requests(shown):
    log = shown.impressions
    keep = np.zeros(len(log), dtype=np.bool_)
    keep[log.outcome_shown[::3]] = True
    part = replace(shown, impressions=log.select(keep))
    expected = [row for row, is_kept in zip(described(shown), keep.tolist(), strict=True) if is_kept]
    assert described(part) == expected
    assert part.impressions.n_requests == len({row["request_id"] for row in expected})
    assert part.fingerprint != shown.fingerprint


def test_events_that_are_not_selected_are_no_outcomes(shown):
    keep = shown.events.item % 2 == 0
    part = shown.select(keep)
    assert len(part.impressions) == len(shown.impressions)
    assert len(part.impressions.outcome_event) == keep.sum()
    for before, after in zip(described(shown), described(part), strict=True):
        is_kept = after["item_id"] in {shown.item_ids.id(item) for item in range(2, shown.item_ids.size, 2)}
        blank = {"behaviour": None, "value": None, "event_time": None}
        assert after == (before if is_kept else {**before, **blank})


def test_reindexing_items_and_users_of_impressions(shown):
    core = k_core(shown, 4)
    left = set(core.item_ids.series)
    rows = [row for row in described(shown) if row["item_id"] in left]
    actual = described(core)
    assert [(row["request_id"], row["item_id"]) for row in actual] == [
        (row["request_id"], row["item_id"]) for row in rows
    ]
    users = {row["request_id"]: row["user_id"] for row in rows}
    assert all(row["user_id"] in (None, users[row["request_id"]]) for row in actual)
    assert len(core.impressions.outcome_event) == core.n_events


def test_reordering_the_catalogue_reindexes_impressions(shown):
    class Pipeline:
        item_ids = index(pl.DataFrame({"user_id": ["u"] * 3, "item_id": ["i09", "i00", "gone"]})).item_ids

    class Run:
        pipeline, metadata = Pipeline, {"behaviours": ["like", "buy"]}

    reordered = as_known_to(Run, shown)
    assert reordered.item_ids.series[:3].to_list() == Pipeline.item_ids.series.to_list()
    assert described(reordered) == described(shown)


def test_a_saved_data_set_has_its_impressions(shown, tmp_path):
    save_dataset(shown, tmp_path / "films")
    opened = open_dataset(tmp_path / "films")
    assert described(opened) == described(shown)
    for name, array in opened.impressions.arrays():
        assert isinstance(array.base, np.memmap) or isinstance(array, np.memmap), name
        assert not array.flags.writeable
        assert array.dtype == getattr(shown.impressions, name).dtype
    assert opened.impressions.requests.schema == shown.impressions.requests.schema
    opened.__dict__.pop("fingerprint")
    assert opened.fingerprint == shown.fingerprint != replace(shown, impressions=None).fingerprint
    save_dataset(opened, tmp_path / "films")  # over the files that it is mapped from
    assert described(open_dataset(tmp_path / "films")) == described(shown)


@pytest.mark.parametrize("file", ["item.npy", "time.npy", "outcome_event.npy", "requests.arrow", "context.arrow"])
def test_damaged_impressions_are_a_one_line_error(shown, tmp_path, file):
    save_dataset(shown, tmp_path / "films")
    (tmp_path / "films" / f"impressions.{file}").write_bytes(b"no more")
    with pytest.raises(DataError, match="damaged") as caught:
        open_dataset(tmp_path / "films")
    assert "\n" not in str(caught.value)


def test_impression_arrays_that_are_cut_off(shown, tmp_path):
    save_dataset(shown, tmp_path / "films")
    np.save(tmp_path / "films" / "impressions.item.npy", shown.impressions.item[:-1])
    with pytest.raises(DataError, match="impressions are missing"):
        open_dataset(tmp_path / "films")


def test_impressions_before_a_moment(shown):
    moment = int(np.median(shown.events.timestamp))
    then = shown.before(moment)
    assert (then.events.timestamp < moment).all()
    assert (then.impressions.time < moment).all()
    assert then.impressions.n_requests == (shown.impressions.time < moment).sum()
    assert len(then.impressions.outcome_event) == then.n_events


def requests_of(data: Dataset) -> set[str]:
    return set(data.impressions.requests["request_id"])


@pytest.mark.parametrize("protocol", [protocols.global_time, lambda data: protocols.global_time(data, valid=0.3)])
def test_a_time_split_cuts_impressions_too(shown, protocol):
    split = protocol(shown)
    for part, after in ((split.train, split.valid), (split.train_and_valid, split.test)):
        moment = int(after.queries.time[0])
        assert part.impressions.n_requests == (shown.impressions.time < moment).sum()
        assert part.events.timestamp[part.impressions.outcome_event].max() < moment
    since = protocols.since(shown, moment)
    assert requests_of(since.train) == requests_of(split.train_and_valid)


PROTOCOLS = {
    "leave last out": protocols.leave_last_out,
    "leave last 2": lambda data: protocols.leave_last_n(data, 2),
    "k-fold": lambda data: protocols.k_fold(data, 3)[0],
    "cold users": protocols.cold_users,
    "cold items": protocols.cold_items,
}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_held_out_events_are_no_outcomes_in_training(shown, name):
    """Each event follows a request of its own: those of the held-out events are gone, the others stay as they are."""
    split = PROTOCOLS[name](shown)
    rows = described(shown)
    for part in (split.train, split.train_and_valid):
        left = described(part)
        assert left
        assert all(row in rows for row in left)  # no outcome was taken from a request that stays
        requests = requests_of(part)
        followed = {row["request_id"] for row in rows if row["behaviour"]}
        assert len(requests & followed) <= part.n_events < len(followed)
    if name == "cold users":
        for held_out in (split.valid, split.test):
            assert not set(split.train.impressions.user.tolist()) & set(held_out.queries.user.tolist())
    elif name == "cold items":
        assert not set(split.train.impressions.item.tolist()) & set(split.valid.targets.values.tolist())
        assert not set(split.train.impressions.item.tolist()) & set(split.test.targets.values.tolist())
    elif name.startswith("leave"):
        log = split.train.impressions
        first_held_out = dict(zip(split.valid.queries.user.tolist(), split.valid.queries.time.tolist(), strict=True))
        assert all(
            time < first_held_out.get(user, np.inf)
            for user, time in zip(log.user.tolist(), log.time.tolist(), strict=True)
        )


def test_without_timestamps_impressions_of_split_users_are_left_out(log_of):
    data = log_of([[1, 2, 3, 4], [5, 6]])
    data = replace(data, events=replace(data.events, has_time=False, timestamp=np.zeros(6, dtype=np.int64)))
    log = impressions_of(data)
    data = replace(data, impressions=replace(log, time=log.time + 1_700_000_000_000))
    split = protocols.leave_last_out(data)
    assert 1 not in split.train.impressions.user
    assert 2 in split.train.impressions.user
