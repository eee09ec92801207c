from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poise.data.dataset import Dataset
from poise.data.doctor import examine
from poise.data.doctor.measures import examine_popularity
from poise.data.doctor.page import report
from poise.data.ingest.indexing import index

DAY = 86_400_000
NOW = 2_000_000_000.0


def dataset(rows, columns="user_id item_id timestamp", items=None, **options) -> Dataset:
    names = columns.split()
    table = {name: [row[position] for row in rows] for position, name in enumerate(names)}
    return index(pl.DataFrame(table), items, **options)


def shop(n_users=300, per_user=8, n_items=200, seed=0, **item_columns) -> Dataset:
    """A plausible log: each event a few minutes after the one before, popular items first."""
    rng = np.random.default_rng(seed)
    n = n_users * per_user
    popularity = 1 / np.arange(1, n_items + 1)
    chosen = rng.choice(n_items, n, p=popularity / popularity.sum())
    events = pl.DataFrame(
        {
            "user_id": [f"u{position % n_users}" for position in range(n)],
            "item_id": [f"i{position}" for position in chosen],
            "timestamp": 1_600_000_000_000 + np.sort(rng.integers(0, 60 * DAY, n)),
            "value": rng.integers(1, 6, n).astype(float),
        }
    )
    items = pl.DataFrame({"item_id": [f"i{position}" for position in range(n_items)], **item_columns})
    return index(events, items)


def topics(examination) -> dict[str, str]:
    return {verdict.topic: verdict.tone for verdict in examination.verdicts}


def test_activity_and_popularity_of_a_small_log():
    rows = [("a", "x", 1), ("a", "y", 2), ("a", "z", 3), ("b", "x", 4), ("c", "x", 5), ("c", "x", 6)]
    items = pl.DataFrame({"item_id": ["x", "y", "z", "never"]})
    examination = examine(dataset(rows, items=items), now=NOW)
    assert (examination.n_events, examination.n_users, examination.n_items) == (6, 3, 4)
    assert examination.density == 5 / 12
    assert examination.largest_user_share == 0.5
    activity = examination.activity
    assert (activity.median, activity.mean, activity.most, activity.at_least_3) == (2, 2, 3, 1)
    assert activity.under_3 == pytest.approx(2 / 3)
    popularity = examination.popularity
    assert (popularity.median, popularity.most, popularity.without_events, popularity.under_5) == (1, 4, 1, 1)
    assert popularity.top_1_percent == pytest.approx(4 / 6)  # one item at least
    assert popularity.gini == pytest.approx(0.5 * sum(abs(a - b) for a in (0, 1, 1, 4) for b in (0, 1, 1, 4)) / (4 * 6))


@settings(max_examples=50, deadline=None)
@given(counts=st.lists(st.integers(0, 1000), min_size=1, max_size=60).filter(any))
def test_gini_is_the_mean_difference_over_twice_the_mean(counts):
    values = np.array(counts)
    difference = np.abs(values[:, None] - values[None, :]).mean()
    assert examine_popularity(values).gini == pytest.approx(difference / (2 * values.mean()), abs=1e-12)


def test_order_of_a_small_log():
    rows = [("a", "x", 5), ("a", "x", 5), ("a", "y", 5), ("b", "x", 1), ("b", "y", 2), ("b", "x", 3)]
    order = examine(dataset(rows), now=NOW).order
    assert order.ties == 2 / 4  # of the pairs aa aa bb bb the first two tie
    assert order.duplicates == pytest.approx(1 / 6)
    assert order.repeats == pytest.approx(2 / 6)
    assert order.one_moment_users == 0.5


def test_findings_about_time():
    hours = [1, 2, 3, 4, 5, 6, 7, 8, 9, 240]
    rows = [(f"u{position % 3}", f"i{position}", hour * 3_600_000) for position, hour in enumerate(hours)]
    clock = examine(dataset(rows), now=NOW).clock
    assert (clock.start, clock.end) == ("1970-01-01T01:00:00Z", "1970-01-11T00:00:00Z")
    assert clock.days == pytest.approx(239 / 24)
    assert clock.resolution == "hour"
    assert clock.longest_gap_days == pytest.approx(231 / 24)
    assert (clock.busiest_day, clock.busiest_day_share) == ("1970-01-01", 0.9)
    assert (clock.last_tenth_known_users, clock.last_tenth_known_items) == (1.0, 0.0)


def test_findings_about_a_log_without_timestamps():
    examination = examine(dataset([("a", "x"), ("a", "y"), ("b", "x")], "user_id item_id"))
    assert examination.clock is None
    assert examination.order.ties is None
    assert topics(examination)["order"] == "warning"
    assert "time_split" not in topics(examination)
    assert "No event has a time" in report(examination, dataset([("a", "x")], "user_id item_id")).render()


def test_events_in_the_future_and_without_time_are_reported():
    rows = [("a", "x", 1_000 * DAY), ("a", "y", None), ("b", "x", 1_001 * DAY), ("b", "y", 99_999 * DAY)]
    examination = examine(dataset(rows), now=NOW)
    assert examination.clock.future_events == 1
    assert examination.clock.without_time == 0.25
    assert topics(examination)["clock"] == "bad"
    assert examination.verdicts[0].tone == "bad"


def test_findings_about_columns_count_missing_values():
    items = pl.DataFrame(
        {
            "item_id": ["x", "y", "z", "w"],
            "title": ["One", "", None, "One"],
            "tags": [["a", "b"], [], None, ["a"]],
            "price": [1.0, None, 3.0, 3.0],
        }
    )
    kinds = {"title": "text", "tags": "categories", "price": "number"}
    examination = examine(dataset([("a", "x", 1)], items=items, item_kinds=kinds, title_column="title"), now=NOW)
    columns = {column.name: column for column in examination.columns if column.table == "items"}
    assert {name: column.missing for name, column in columns.items()} == {"title": 0.5, "tags": 0.5, "price": 0.25}
    assert {name: column.distinct for name, column in columns.items()} == {"title": 1, "tags": 2, "price": 2}
    assert examination.text.titled == 0.5
    assert examination.text.readable == 0.5
    assert examination.text.words == 2.5  # "One a b", "One a"
    assert examination.text.shared_titles == 0.5


def test_text_without_spaces_is_counted_by_character_and_its_script_reported():
    items = pl.DataFrame({"item_id": ["x"], "title": ["流浪地球 part 2"]})
    examination = examine(dataset([("a", "x", 1)], items=items, title_column="title"), now=NOW)
    assert examination.text.words == 6
    assert examination.text.scripts == {"Chinese": 0.5, "Latin": 0.5}
    assert topics(examination)["language"] == "warning"


def test_findings_about_values_and_their_oddities():
    values = examine(dataset([("a", "x", 1.0), ("a", "y", 1.0)], "user_id item_id value")).values
    assert "Every value is 1" in values.oddities[0]
    rows = [("a", f"i{position}", float(value)) for position, value in enumerate([*range(1, 101), -1, 999_999])]
    values = examine(dataset(rows, "user_id item_id value")).values
    assert [word in " ".join(values.oddities) for word in ("below 0", "999999")] == [True, True]
    assert (values.least, values.most, values.distinct, values.missing) == (-1, 999_999, 102, 0)


def test_a_sound_log_has_no_suspects():
    rng = np.random.default_rng(1)
    assert not examine(shop(price=rng.random(200), year=rng.integers(1950, 2020, 200)), now=NOW).suspects


def test_item_columns_made_from_the_log_are_suspects():
    plain = shop()
    count = plain.item_counts[1:]
    examination = examine(shop(heat=np.log1p(count) * 3, avgRating=np.zeros(200), price=np.arange(200) % 7), now=NOW)
    assert [suspect.column for suspect in examination.suspects] == ["heat", "avgRating"]
    assert "number of events" in examination.suspects[0].reason
    assert topics(examination)["leakage"] == "bad"


def test_item_columns_made_from_the_values_are_suspects():
    plain = shop(n_items=60)
    log = plain.events
    mean = np.bincount(log.item, log.value, minlength=61)[1:] / np.maximum(plain.item_counts[1:], 1)
    assert [suspect.column for suspect in examine(shop(n_items=60, quality=mean), now=NOW).suspects] == ["quality"]


def test_context_that_determines_the_outcome_is_a_suspect():
    rng = np.random.default_rng(2)
    n = 600
    value, item, device = rng.integers(1, 6, n), rng.integers(0, 40, n), rng.integers(0, 3, n)
    events = pl.DataFrame(
        {
            "user_id": [f"u{position % 50}" for position in range(n)],
            "item_id": [f"i{position}" for position in item],
            "value": value.astype(float),
            "stars": [f"{position} stars" for position in value],
            "product": [f"Product {position}" for position in item],
            "device": [f"d{position}" for position in device],
            "row": range(n),
        }
    )
    suspects = examine(index(events)).suspects
    assert {suspect.column: suspect.reason.split("one ")[1].split()[0] for suspect in suspects} == {
        "stars": "value",
        "product": "item",
    }


def test_verdicts_of_little_and_of_much_data():
    little = topics(examine(dataset([("a", "x", 1), ("b", "y", 2)]), now=NOW))
    assert little["leave_last_out"] == "bad"
    assert {little[topic] for topic in ("collaborative", "sequences", "personal", "content", "time_split")} == {
        "warning"
    }
    much = examine(shop(n_users=5_000, per_user=12), now=NOW)
    good = ("collaborative", "sequences", "personal", "leave_last_out", "time_split", "order", "ratings")
    assert {topics(much)[topic] for topic in good} == {"good"}
    assert "5,000 users" in next(verdict.title for verdict in much.verdicts if verdict.topic == "leave_last_out")


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from("abcdef"),
            st.sampled_from("uvwxyz"),
            st.one_of(st.none(), st.integers(1, 10**12)),
            st.one_of(st.none(), st.floats(-10, 10)),
            st.sampled_from(["view", "buy"]),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_any_log_can_be_examined(rows):
    data = dataset(rows, "user_id item_id timestamp value behaviour")
    examination = examine(data, now=NOW)
    saved = json.loads(json.dumps(examination.to_dict(), allow_nan=False))
    assert sum(saved["behaviours"].values()) == len(rows)
    shares = [column["missing"] for column in saved["columns"]] + [saved["popularity"]["gini"], examination.density]
    assert all(0 <= share <= 1 for share in shares)


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        ([("a", "x", 7)], "user_id item_id timestamp"),
        ([("a", "x", 1_577_836_800_000), ("a", "x", 1_577_836_800_000)], "user_id item_id timestamp"),
        ([("a", "x", -5.5), ("b", "x", None)], "user_id item_id value"),
        ([("a", "x", None), ("b", "y", 400 * DAY), ("b", "y", 20_000 * DAY)], "user_id item_id timestamp"),
    ],
)
def test_the_smallest_and_strangest_logs_have_a_report(rows, columns):
    data = dataset(rows, columns)
    assert "In short" in report(examine(data, now=NOW), data).render()


def test_the_report_shows_the_findings_escaped():
    data = replace(shop(title=["<i>流浪</i>"] * 200), title_column="title")
    examination = examine(data, now=NOW)
    page = report(examination, data).render()
    for verdict in examination.verdicts:
        assert verdict.title in page
    assert page.count("<svg") == 8
    assert "&lt;i&gt;流浪" in page
    assert "<i>" not in page


def test_refused_rows_are_shown():
    class Refusals:
        def summary(self):
            return [("time <impossible>", 500, "u1, i1")]

    data = replace(shop(), quarantine=Refusals())
    examination = examine(data, now=NOW)
    assert examination.refused == [("time <impossible>", 500, "u1, i1")]
    assert topics(examination)["refused"] == "warning"
    assert "time &lt;impossible&gt;" in report(examination, data).render()
