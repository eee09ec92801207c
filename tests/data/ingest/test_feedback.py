"""What says yes and what says no, and that a no is never taken for a yes."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import poise
from poise import Feedback
from poise.data.ingest.feedback import Opinion, middle_of_scale


def log(*rows: tuple, value: bool = False) -> pl.DataFrame:
    """Events of (user, item, behaviour or value), one a minute, in order."""
    names = ["user_id", "item_id", "rating" if value else "behaviour"]
    frame = pl.DataFrame([row[:3] for row in rows], schema=names, orient="row")
    return frame.with_columns(timestamp=1_790_000_000 + 60 * pl.int_range(pl.len()))


def pairs(data: poise.Dataset, events) -> list[tuple[str, str]]:
    if events is None:
        return []
    return list(zip(data.user_ids.ids(events.user), data.item_ids.ids(events.item), strict=True))


@pytest.mark.parametrize(
    ("name", "opinion"),
    [
        ("like", Opinion.CHOSEN),
        ("purchase", Opinion.CHOSEN),
        ("view", Opinion.CHOSEN),
        ("Dislike", Opinion.REJECTED),
        ("thumbs_down", Opinion.REJECTED),
        ("not-interested", Opinion.REJECTED),
        ("不喜欢", Opinion.REJECTED),
        ("Gefällt mir nicht", Opinion.REJECTED),
        ("SKIP", Opinion.PASSED_OVER),
        ("跳过", Opinion.PASSED_OVER),
        ("return", Opinion.TAKEN_BACK),
        ("remove_from_cart", Opinion.TAKEN_BACK),
        ("Retoure", Opinion.TAKEN_BACK),
        ("退货", Opinion.TAKEN_BACK),
        ("removed from wishlist", Opinion.TAKEN_BACK),
        ("unsaved", Opinion.TAKEN_BACK),
        ("Not helpful", Opinion.REJECTED),
        ("nie lubię", Opinion.REJECTED),
        ("👎", Opinion.REJECTED),
        ("no", Opinion.REJECTED),
        ("delivered", Opinion.CHOSEN),
        ("payment failed", Opinion.NOTHING),
        ("impression", Opinion.NOTHING),
        ("曝光", Opinion.NOTHING),
    ],
)
def test_a_behaviour_is_judged_by_its_name(name, opinion):
    assert Feedback().opinion(name) == opinion


def test_the_lists_go_before_the_names():
    rules = Feedback(positive=("hide",), negative=("rate_bad",), ignored=("view",))
    assert [rules.opinion(name) for name in ("hide", "Rate bad", "view")] == [
        Opinion.CHOSEN,
        Opinion.REJECTED,
        Opinion.NOTHING,
    ]


def test_a_behaviour_in_two_lists_is_refused():
    with pytest.raises(poise.PoiseError, match="stands in two of"):
        Feedback(positive=("play",), negative=("Play",))


def test_a_no_is_no_event_and_a_rejection():
    data = poise.build_dataset(log(("a", "x", "like"), ("a", "y", "dislike"), ("b", "y", "like")))
    assert pairs(data, data.events) == [("a", "x"), ("b", "y")]
    assert pairs(data, data.rejections) == [("a", "y")]


def test_the_newest_word_counts():
    data = poise.build_dataset(
        log(("a", "x", "like"), ("a", "x", "dislike"), ("a", "y", "dislike"), ("a", "y", "like"), ("b", "z", "like"))
    )
    assert pairs(data, data.events) == [("a", "y"), ("b", "z")]
    queries = data.queries(["a"])
    assert queries.rejected is not None
    assert data.item_ids.ids(queries.rejected[0]) == ["x"]


def test_without_times_the_order_of_the_file_tells_which_word_is_newest():
    frame = log(("a", "x", "like"), ("a", "x", "dislike"), ("a", "y", "dislike"), ("a", "y", "like")).drop("timestamp")
    data = poise.build_dataset(frame)
    assert pairs(data, data.events) == [("a", "y")]
    assert pairs(data, data.rejections) == [("a", "x")]


def test_a_skip_does_not_take_back_a_yes():
    data = poise.build_dataset(log(("a", "x", "play"), ("a", "x", "skip"), ("a", "y", "skip")))
    assert pairs(data, data.events) == [("a", "x")]
    assert pairs(data, data.rejections) == [("a", "y")]


def test_a_return_takes_back_one_purchase():
    data = poise.build_dataset(log(("a", "x", "buy"), ("a", "x", "buy"), ("a", "x", "return"), ("b", "x", "buy")))
    assert pairs(data, data.events) == [("a", "x"), ("b", "x")]
    assert data.rejections is None


def test_what_was_looked_at_bought_and_returned_is_a_no():
    data = poise.build_dataset(log(("a", "x", "view"), ("a", "x", "buy"), ("a", "x", "return"), ("b", "x", "buy")))
    assert pairs(data, data.events) == [("b", "x")]
    assert pairs(data, data.rejections) == [("a", "x")]


def test_what_says_nothing_is_kept_in_quarantine():
    data = poise.build_dataset(log(("a", "x", "impression"), ("a", "y", "click"), ("b", "x", "click")))
    assert pairs(data, data.events) == [("a", "y"), ("b", "x")]
    assert data.rejections is None
    assert [(refusal.reason, refusal.rows) for refusal in data.quarantine.summary()] == [
        ("says neither yes nor no (ignored)", 1)
    ]


def test_low_ratings_are_rejections():
    data = poise.build_dataset(log(("a", "x", 5.0), ("a", "y", 1.0), ("b", "x", 2.0), ("b", "y", 3.0), value=True))
    assert pairs(data, data.events) == [("a", "x"), ("b", "y")]
    assert pairs(data, data.rejections) == [("a", "y"), ("b", "x")]
    assert (data.value_kind, data.feedback.threshold) == ("rating", 3.0)


def test_every_rating_is_a_yes_where_the_rules_say_so():
    data = poise.build_dataset(log(("a", "x", 5.0), ("a", "y", 1.0), value=True), feedback=Feedback(threshold="none"))
    assert (data.n_events, data.rejections) == (2, None)


def test_a_column_of_ones_is_no_scale():
    data = poise.build_dataset(log(("a", "x", 1.0), ("b", "y", 1.0), value=True))
    assert (data.n_events, data.rejections) == (2, None)


def test_a_rating_among_purchases_is_a_rating_still():
    frame = log(("a", "x", 3.0), ("a", "y", 1.0), ("b", "x", 1.0), value=True).rename({"rating": "quantity"})
    data = poise.build_dataset(frame.with_columns(behaviour=pl.Series(["buy", "rate", "buy"])))
    assert pairs(data, data.events) == [("a", "x"), ("b", "x")]
    assert pairs(data, data.rejections) == [("a", "y")]


def test_events_without_a_rating_are_kept():
    data = poise.build_dataset(log(("a", "x", 5.0), ("a", "y", None), ("b", "x", 1.0), value=True))
    assert pairs(data, data.events) == [("a", "x"), ("a", "y")]


@pytest.mark.parametrize(
    ("ratings", "middle"),
    [
        ([1, 5], 3),
        ([3, 4, 5], 3),
        ([0.5, 5], 2.75),
        ([0, 5], 2.5),
        ([1, 10], 5.5),
        ([0, 100], 50),
        ([-10, 10], 0),
        ([0, 1], 0.5),
        ([1, 2], 1.5),
    ],
)
def test_the_middle_of_a_scale(ratings, middle):
    assert middle_of_scale(np.array(ratings, dtype=np.float32)) == middle


def test_a_click_of_0_is_no_yes_and_hides_nothing():
    frame = log(("a", "x", 1.0), ("a", "y", 0.0), ("b", "y", 1.0), value=True).rename({"rating": "click"})
    data = poise.build_dataset(frame, columns={"value": "click"})
    assert pairs(data, data.events) == [("a", "x"), ("b", "y")]
    assert pairs(data, data.rejections) == [("a", "y")]
    assert data.queries(["a"]).seen().values.tolist() == data.item_ids.index(["x"]).tolist()


@pytest.mark.parametrize(("yes", "no"), [("true", "false"), ("ja", "nee"), ("是", "否"), ("Yes", "No"), ("👍", "👎")])
def test_words_for_yes_and_no_are_labels(yes, no):
    frame = log(("a", "x", yes), ("a", "y", no), ("b", "y", yes), value=True).rename({"rating": "liked"})
    data = poise.build_dataset(frame)
    assert pairs(data, data.events) == [("a", "x"), ("b", "y")]
    assert pairs(data, data.rejections) == [("a", "y")]


@pytest.mark.parametrize("name", ["plays", "quantity", "watch_seconds"])
def test_nothing_played_bought_or_watched_is_no_yes(name):
    frame = log(("a", "x", 30.0), ("a", "y", 0.0), ("b", "y", 10.0), value=True).rename({"rating": name})
    data = poise.build_dataset(frame)
    assert pairs(data, data.events) == [("a", "x"), ("b", "y")]
    assert data.queries(["a"]).rejected[0].tolist() == []


def test_a_label_of_minus_1_hides():
    frame = log(("a", "x", 1.0), ("a", "y", -1.0), ("b", "y", 1.0), value=True).rename({"rating": "label"})
    data = poise.build_dataset(frame, columns={"value": "label"})
    assert sorted(data.item_ids.ids(data.queries(["a"]).seen()[0])) == ["x", "y"]


def test_a_log_of_nothing_but_no_is_refused():
    with pytest.raises(poise.PoiseError, match="no event says yes: the behaviours are dislike, skip"):
        poise.build_dataset(log(("a", "x", "dislike"), ("b", "y", "skip")))


def test_the_k_core_counts_what_was_chosen():
    rows = [("a", "x", "like"), ("a", "y", "like"), ("b", "x", "like"), ("b", "y", "like"), ("c", "x", "dislike")]
    data = poise.build_dataset(log(*rows, ("c", "y", "like")), cleaning=poise.Cleaning(k_core=2))
    assert pairs(data, data.events) == [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]


def test_a_no_is_no_target_and_what_was_rejected_before_is_hidden():
    rows = [(user, item, "like") for user in "ab" for item in "pqrs"]
    data = poise.build_dataset(log(("a", "s", "dislike"), ("b", "z", "dislike"), *rows, ("a", "p", "dislike")))
    split = poise.split.leave_last_out(data)
    asked = dict(zip(data.user_ids.ids(split.test.queries.user), range(len(split.test)), strict=True))
    assert data.item_ids.ids(split.test.targets[asked["b"]]) == ["s"]
    assert "a" not in asked  # disliked s first: nobody would have shown it again
    assert "z" in data.item_ids.ids(split.test.queries.seen()[asked["b"]])
    assert pairs(data, split.train.rejections) == [("a", "s"), ("b", "z")]  # p was disliked after the test event


def test_other_rules_can_be_laid_on_a_data_set():
    frame = log(("a", "x", 5.0), ("a", "y", 1.0), ("b", "x", 2.0), ("b", "y", 3.0), ("c", "z", 4.0), value=True)
    frame = frame.with_columns(behaviour=pl.Series(["rate", "rate", "rate", "rate", "dislike"]))
    everything = poise.build_dataset(frame, feedback=Feedback(threshold="none"))
    assert pairs(everything, everything.rejections) == [("c", "z")]
    judged = everything.judged(Feedback())
    assert pairs(judged, judged.events) == [("a", "x"), ("b", "y")]
    assert pairs(judged, judged.rejections) == [("a", "y"), ("b", "x"), ("c", "z")]
    assert judged.fingerprint == poise.build_dataset(frame).fingerprint


def test_rejections_are_saved_and_hashed(tmp_path):
    data = poise.build_dataset(log(("a", "x", "like"), ("a", "y", "dislike"), ("b", "y", "like")))
    poise.save_dataset(data, tmp_path / "data")
    again = poise.open_dataset(tmp_path / "data")
    assert pairs(again, again.rejections) == [("a", "y")]
    assert (again.feedback, again.value_kind, again.fingerprint) == (data.feedback, data.value_kind, data.fingerprint)
    assert poise.build_dataset(log(("a", "x", "like"), ("b", "y", "like"))).fingerprint != data.fingerprint


behaviours = st.sampled_from(["like", "dislike", "skip", "return", "impression", "view"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), behaviours), min_size=1, max_size=25))
def test_what_is_learnt_from_was_chosen_and_nothing_after_it_says_no(rows):
    frame = log(("someone", "something", "like"), *rows)
    data = poise.build_dataset(frame)
    opinion = Feedback().opinion
    chosen = pairs(data, data.events)
    for user, item in chosen:
        said = [
            opinion(behaviour) for who, what, behaviour in frame.drop("timestamp").rows() if (who, what) == (user, item)
        ]
        after_the_last_no = said[len(said) - said[::-1].index(Opinion.REJECTED) :] if Opinion.REJECTED in said else said
        assert chosen.count((user, item)) <= after_the_last_no.count(Opinion.CHOSEN)
    never = {"dislike", "skip", "return", "impression"}
    assert not never & set(data.behaviour_ids.ids(data.events.behaviour))
