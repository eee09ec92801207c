"""No protocol lets a figure rest on what a model has seen, on any log."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from poise.data import split as protocols
from poise.data.ingest.indexing import index
from poise.errors import DataError, PoiseError, UsageError

PROTOCOLS = {
    "leave last out": lambda data, seed, hide: [protocols.leave_last_out(data, hide_seen=hide)],
    "leave last 2": lambda data, seed, hide: [protocols.leave_last_n(data, 2, hide_seen=hide)],
    "global time": lambda data, seed, hide: [protocols.global_time(data, test=0.3, valid=0.2, hide_seen=hide)],
    "k-fold": lambda data, seed, hide: protocols.k_fold(data, 3, seed=seed, hide_seen=hide),
    "cold users": lambda data, seed, hide: [protocols.cold_users(data, share=0.2, seed=seed, hide_seen=hide)],
    "cold users, 1 event shown": lambda data, seed, hide: [
        protocols.cold_users(data, share=0.2, history=1, seed=seed, hide_seen=hide)
    ],
    "cold items": lambda data, seed, hide: [protocols.cold_items(data, share=0.2, seed=seed, hide_seen=hide)],
}


@st.composite
def logs(draw):
    """Return a log with few items, so that they repeat, tied times, and in ``value`` the number of each event."""
    rows = draw(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(0, 12)), min_size=8, max_size=50))
    return index(
        pl.DataFrame(
            [
                (f"u{user}", f"i{item}", time, float(position), f"c{position}")
                for position, (user, item, time) in enumerate(rows)
            ],
            schema=["user_id", "item_id", "timestamp", "value", "mark"],
            orient="row",
        ),
        users=pl.DataFrame({"user_id": [f"u{user}" for user in range(7)]}),
    )


def _parts(make, data, seed=0, hide=True):
    try:
        return make(data, seed, hide)
    except PoiseError:  # a small log may not be divisible
        assume(False)


def _events(holdout):
    """Return for each request: its user, the marks of its history, the marks of its targets."""
    queries = holdout.queries
    positions, items = queries.histories()
    marks = queries.events.value[positions]
    bounds = holdout.targets.offsets
    return [
        (
            int(queries.user[row]),
            set(marks[items.offsets[row] : items.offsets[row + 1]].tolist()),
            set(holdout.values[bounds[row] : bounds[row + 1]].tolist()),
        )
        for row in range(len(holdout))
    ]


@pytest.mark.parametrize("name", PROTOCOLS)
@settings(max_examples=40, deadline=None)
@given(data=logs(), seed=st.integers(0, 3), hide=st.booleans())
def test_invariants_of_all_splits(name, data, seed, hide):
    log = data.events
    place = {float(value): position for position, value in enumerate(log.value)}  # of each event in the log
    for split in _parts(PROTOCOLS[name], data, seed, hide):
        train = set(split.train.events.value.tolist())
        both = set(split.train_and_valid.events.value.tolist())
        valid, test = _events(split.valid), _events(split.test)
        valid_targets = set().union(*(targets for _, _, targets in valid))
        test_targets = set().union(*(targets for _, _, targets in test))
        # No event is in two parts, and training never holds a target.
        assert not train & valid_targets
        assert not both & test_targets
        assert not valid_targets & test_targets
        # Training and validation together are no more than the events of both.
        assert train | valid_targets <= both
        assert train
        for part, requests in ((split.valid, valid), (split.test, test)):
            assert part.train is split.train
            assert len(part.targets) == len(part.queries) == len(requests)
            assert len(part.values) == len(part.targets.values)
            assert part.queries.item_ids is data.item_ids
            assert (part.targets.lengths > 0).all()
            for row, (user, history, targets) in enumerate(requests):
                assert {int(log.user[place[value]]) for value in history | targets} == {user}
                assert not history & targets
                assert not history & test_targets or part is split.valid
                assert part.targets[row].tolist() == [
                    int(log.item[place[value]]) for value in sorted(targets, key=place.get)
                ]
                if not name.startswith("k-fold"):
                    assert max((place[value] for value in history), default=-1) < min(place[value] for value in targets)
                seen = {int(log.item[place[value]]) for value in history}
                if hide:
                    assert not seen & set(part.targets[row].tolist())
                else:
                    assert part.unreachable == 0
            if part.queries.context is not None:
                assert part.queries.context.height == len(part)
        # A test request may know validation events, a validation request never a test event.
        for _, history, _ in valid:
            assert not history & test_targets


@pytest.mark.parametrize("name", [name for name in PROTOCOLS if not name.startswith("cold users")])  # one target each
@settings(max_examples=25, deadline=None)
@given(data=logs())
def test_targets_are_all_held_out_events_that_can_be_recommended(name, data):
    """Each held-out event is a target, stands twice in its request, or was seen before and is counted."""
    for split in _parts(PROTOCOLS[name], data):
        log = data.events
        both = set(split.train_and_valid.events.value.tolist())
        held_out = [position for position in range(len(log)) if float(log.value[position]) not in both]
        single = name == "cold items"  # each target is a request of its own
        expected, unreachable, done = set(), 0, set()
        for position in held_out:
            user, item = int(log.user[position]), int(log.item[position])
            if (user, item) in done and not single:
                continue
            done.add((user, item))
            history = [
                other for other in range(len(log)) if log.user[other] == user and float(log.value[other]) in both
            ]
            if name != "k-fold":
                history = [other for other in history if other < position]
            if item in {int(log.item[other]) for other in history}:
                unreachable += 1
            else:
                expected.add(float(log.value[position]))
        actual = set().union(*(targets for _, _, targets in _events(split.test)))
        assert actual == expected
        assert split.test.unreachable == unreachable


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_same_seed_gives_the_same_split(name, films):
    def figures(seed):
        return [
            [part.queries.user.tolist() for part in (split.valid, split.test)]
            + [part.targets.values.tolist() for part in (split.valid, split.test)]
            + [split.train.events.timestamp.tolist(), split.train.fingerprint]
            for split in PROTOCOLS[name](films, seed, True)
        ]

    assert figures(1) == figures(1)
    if name in ("k-fold", "cold users", "cold items"):
        assert figures(1) != figures(2)


def test_leave_last_out_by_hand(log_of):
    split = protocols.leave_last_out(log_of([[1, 2, 3, 4], [5, 6], [], [1, 2, 1], [3, 1, 2]]))
    assert split.train.item_ids.ids(split.train.events.item) == ["i001", "i002", "i005", "i006", "i001", "i003"]
    assert split.valid.queries.user.tolist() == [1, 4, 5]
    assert split.valid.targets.values.tolist() == [3, 2, 1]
    assert split.test.queries.user.tolist() == [1, 5]  # the fourth comes back to what is hidden
    assert split.test.targets.values.tolist() == [4, 2]
    assert split.test.unreachable == 1
    assert [split.test.queries.history(row).tolist() for row in range(2)] == [[1, 2, 3], [3, 1]]
    assert split.train_and_valid.n_events == 9


def test_users_with_few_events_stay_in_training(log_of):
    data = log_of([[1, 2, 3, 4, 5], [1, 2, 3, 4], [2]])
    split = protocols.leave_last_n(data, 2)
    assert split.test.queries.user.tolist() == [1]
    assert np.bincount(split.train.events.user, minlength=4).tolist() == [0, 1, 4, 1]
    with pytest.raises(DataError, match="no user has 7 events"):
        protocols.leave_last_n(data, 3)
    with pytest.raises(UsageError):
        protocols.leave_last_n(data, 0)


@settings(max_examples=40, deadline=None)
@given(data=logs())
def test_equal_timestamps_stay_on_one_side_of_a_time_split(data):
    (split,) = _parts(PROTOCOLS["global time"], data, hide=False)
    log = data.events
    moment = {float(value): int(time) for value, time in zip(log.value, log.timestamp, strict=True)}
    valid = set().union(*(targets for _, _, targets in _events(split.valid)))
    test = set().union(*(targets for _, _, targets in _events(split.test)))
    times = [{moment[float(value)] for value in part} for part in (split.train.events.value.tolist(), valid, test)]
    assert max(times[0]) < min(times[1]) <= max(times[1]) < min(times[2])
    assert set(split.test.queries.time.tolist()) == {min(times[2])}  # all are asked at the moment when test begins
    assert split.train_and_valid.n_events == sum(time < min(times[2]) for time in moment.values())


def test_global_time_split_at_given_moments(films):
    day = 86_400_000
    start = int(films.events.timestamp.min())
    split = protocols.global_time(films, valid=start + 60 * day, test=start + 90 * day, hide_seen=False)
    assert split.train.events.timestamp.max() < start + 60 * day <= split.train_and_valid.events.timestamp.max()
    assert split.train_and_valid.events.timestamp.max() < start + 90 * day
    cold = split.test.queries.lengths == 0  # some come for the first time
    assert cold.any()
    assert not cold.all()


def test_global_time_split_refuses_impossible_moments():
    same = pl.DataFrame({"user_id": ["a", "b", "c"], "item_id": ["x", "y", "z"], "timestamp": [5, 5, 5]})
    for data in (index(same), index(same.drop("timestamp"))):
        with pytest.raises(PoiseError) as caught:
            protocols.global_time(data)
        assert "\n" not in str(caught.value)
    spread = index(same.with_columns(timestamp=pl.Series([1, 2, 3])))
    for test, valid in ((0, 0.1), (100, 0.1), (2, 3), (0.0, 0.1), (1.5, 0.1)):
        with pytest.raises(PoiseError):
            protocols.global_time(spread, test=test, valid=valid)


def test_cold_users_are_nowhere_in_training(films):
    for history in (None, 0, 2):
        split = protocols.cold_users(films, share=0.2, history=history, seed=3, hide_seen=False)
        valid, test = set(split.valid.queries.user.tolist()), set(split.test.queries.user.tolist())
        assert len(valid) == len(test) == 8
        assert not valid & test
        assert not set(split.train.events.user.tolist()) & (valid | test)
        assert set(split.train_and_valid.events.user.tolist()).isdisjoint(test)
        assert valid <= set(split.train_and_valid.events.user.tolist())
        assert (split.test.targets.lengths == 1).all()
        if history is not None:
            assert (split.test.queries.lengths == history).all()
        else:
            counts = np.diff(films.events.offsets)
            np.testing.assert_array_equal(split.test.queries.lengths, counts[split.test.queries.user] - 1)


def test_cold_items_are_nowhere_in_training(films):
    split = protocols.cold_items(films, share=0.2, seed=1)
    valid, test = set(split.valid.targets.values.tolist()), set(split.test.targets.values.tolist())
    assert len(valid) == len(test) == 4  # of 22 with events
    assert not valid & test
    assert not set(split.train.events.item.tolist()) & (valid | test)
    assert not set(split.train_and_valid.events.item.tolist()) & test
    for part in (split.valid, split.test):
        assert not set(part.queries.histories()[1].values.tolist()) & test
        held = np.isin(films.events.item, part.targets.values)
        assert len(part) == held.sum()  # no film stands twice in a history: every event can be answered


def test_shares_that_leave_an_empty_part_are_refused(films, log_of):
    for share in (0, 0.5, 0.9, -0.1):
        with pytest.raises(UsageError):
            protocols.cold_users(films, share=share)
        with pytest.raises(UsageError):
            protocols.cold_items(films, share=share)
    two_items = log_of([[1, 2], [2, 1], [1, 2]])
    with pytest.raises(UsageError, match="leaves no training"):
        protocols.cold_items(two_items)
    with pytest.raises(UsageError):
        protocols.cold_items(log_of([[1, 2, 3, 4]] * 3), share=0.45)
    with pytest.raises(UsageError, match="history is -1"):
        protocols.cold_users(films, history=-1)
    with pytest.raises(UsageError):
        protocols.cold_users(films, history=100)
    with pytest.raises(UsageError, match="at least 3"):
        protocols.k_fold(films, 2)


def test_each_event_is_tested_once_by_k_fold(films):
    splits = protocols.k_fold(films, 4, seed=2)
    tested = np.concatenate(
        [
            split.test.targets.rows * 0
            + split.test.queries.user[split.test.targets.rows] * 1_000
            + split.test.targets.values
            for split in splits
        ]
    )
    expected = films.events.user * 1_000 + films.events.item
    assert sorted(tested.tolist()) == sorted(expected.tolist())


def test_the_context_of_a_request_is_that_of_its_event(films):
    split = protocols.leave_last_out(films)
    last = films.events.offsets[split.test.queries.user + 1] - 1
    assert split.test.queries.context.equals(films.events.context[last])
    np.testing.assert_array_equal(split.test.queries.time, films.events.timestamp[last])


@pytest.mark.parametrize("name", PROTOCOLS)
def test_queries_of_a_split_have_the_columns_of_their_users(name, films):
    for split in PROTOCOLS[name](films, 0, True):
        for part in (split.valid, split.test):
            assert part.queries.users.equals(films.users[part.queries.user - 1])


def test_splits_by_name(films):
    assert protocols.by_name("leave-last-out", films).name == "leave-last-out"
    assert protocols.by_name("global-time", films).test.queries.hide_seen
    with pytest.raises(UsageError, match="leave-last-out"):
        protocols.by_name("random", films)
