from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from poise.data import split
from poise.data.doctor import examine
from poise.data.ingest.build import build_dataset
from poise.errors import DataError, UsageError


def log(n_users=40, n_items=30, seed=0, sort=None, **columns):
    rng = np.random.default_rng(seed)
    rows = [
        (f"u{user}", f"i{item:02}", int(rng.integers(3, 6)))
        for user in range(n_users)
        for item in rng.permutation(n_items)[:8]
    ]
    frame = pl.DataFrame(rows, schema=["user", "item", "rating"], orient="row").with_columns(**columns)
    return frame if sort is None else frame.sort(sort)


def pairs(events):
    return set(zip(events.user.tolist(), events.item.tolist(), strict=True))


def targets(part):
    users, items = part.test.queries.user, part.test.targets.values
    return dict(zip(users.tolist(), items.tolist(), strict=True))


def test_one_event_of_each_user_is_held_out_at_random():
    data = build_dataset(log())
    part = split.leave_random_out(data)
    assert part.name == "leave-random-out"
    assert len(part.test) == len(part.valid) == 40
    assert part.train.n_events == data.n_events - 80
    held_out = set(targets(part).items())
    assert held_out <= pairs(data.events)
    assert not held_out & pairs(part.train_and_valid.events)
    assert targets(split.leave_random_out(data)) == targets(part)
    assert targets(split.leave_random_out(data, seed=1)) != targets(part)


@pytest.mark.parametrize("column", ["rating", "item"])
def test_rows_sorted_by_a_value_do_not_matter_and_are_noticed(column):
    data = build_dataset(log(sort=column))
    place = {}
    for user, start in enumerate(data.events.offsets[:-1].tolist()):
        for position, item in enumerate(data.events.item[start : data.events.offsets[user + 1]].tolist()):
            place[user, item] = position
    places = [place[pair] for pair in targets(split.leave_random_out(data)).items()]
    assert len(set(places)) > 4
    examination = examine(data)
    assert examination.order.sorted_by == {"rating": "value", "item": "item"}[column]
    assert any("sorted by" in verdict.reason for verdict in examination.verdicts)
    assert examine(build_dataset(log())).order.sorted_by is None


def test_without_a_clock_nothing_is_called_the_last():
    data = build_dataset(log(n_users=200))
    assert split.by_name("leave-last-out", data).name == "leave-random-out"
    with pytest.raises(DataError, match="leave-random-out"):
        split.by_name("global-time", data)
    said = " ".join(f"{verdict.title} {verdict.reason} {verdict.advice}" for verdict in examine(data).verdicts)
    assert "Leave-random-out tests on" in said
    assert "1970" not in said
    assert "Leave-last-out" not in said


def test_a_log_of_which_few_events_have_a_time_has_no_last_event_either():
    mixed = build_dataset(log())
    times = np.zeros(mixed.n_events, dtype=np.int64)
    times[-20:] = 1_717_180_205_000 + np.arange(20)
    data = replace(mixed, events=replace(mixed.events, timestamp=times, has_time=True))
    assert not data.events.is_ordered
    assert split.by_name("leave-last-out", data).name == "leave-random-out"


def test_a_wrong_moment_is_named_by_its_argument():
    data = build_dataset(log(timestamp=pl.int_range(pl.len()) + 1_700_000_000))
    with pytest.raises(UsageError, match=r"test is 2; give a share"):
        split.global_time(data, test=2)
    with pytest.raises(UsageError, match=r"valid is 3; give a share"):
        split.global_time(data, valid=3)
