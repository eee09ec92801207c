from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poise.config import parse_config
from poise.data.vocabulary import Vocabulary
from poise.serve.state import past
from poise.serve.state.rules import LiveRules
from poise.serve.state.user_histories import UserHistoryCache
from poise.store import Store
from poise.store.records import Event

ITEMS = Vocabulary([f"i{number}" for number in range(30)])
BEHAVIOURS = {"view": 1, "like": 2}
RULES = LiveRules.of(parse_config({"data": {"events": "log.csv"}}), {})
DAYS = itertools.count(20_000)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with Store.open(tmp_path_factory.mktemp("live") / "live.sqlite") as opened:
        yield opened


class Following:
    """A cache that hears of every event, as the server's does."""

    def __init__(self, store, **limits):
        self.store, self.seen = store, store.version()
        self.cache = UserHistoryCache(store, RULES.judge, **limits)

    def add(self, *events):
        self.store.add_events([Event(user, item, behaviour, None, time) for user, item, behaviour, time in events])
        self.store.set("written", None).result()
        changes = self.store.changes(self.seen)
        self.cache.add(changes.events, self.seen, changes.version)
        self.seen = changes.version

    def history(self, user):
        return self.cache.history(user, ITEMS, BEHAVIOURS, reads_users=False)


def told(history):
    """Return what can be compared of a history."""
    read = ITEMS.ids(history.items), history.names, history.times.tolist()
    return read, sorted(ITEMS.ids(history.earlier)), sorted(ITEMS.ids(history.rejected))


@settings(deadline=None, derandomize=True, max_examples=25)
@given(
    parts=st.lists(
        st.lists(
            st.tuples(
                st.sampled_from(["i1", "i2", "i3", "i4"]),
                st.sampled_from(["view", "like", "skip", "dislike", "unlike", "impression"]),
                st.integers(0, 2),
            ),
            min_size=1,
            max_size=4,
        ),
        max_size=6,
    )
)
def test_what_is_kept_up_is_what_would_be_read_anew(store, parts):
    user, following = f"u{next(DAYS)}", Following(store)
    for now, part in enumerate(parts):
        following.history(user)
        following.add(*((user, item, behaviour, 10**12 + (now - back) * 1_000) for item, behaviour, back in part))
        assert told(following.history(user)) == told(Following(store).history(user))
    assert following.cache.past(user).n_events == sum(map(len, parts))


def test_all_that_somebody_ever_did_is_known_and_the_newest_of_it_is_read(store, monkeypatch):
    monkeypatch.setattr(past, "LAST", 3)
    following = Following(store)
    for day in range(10):
        following.add(("eager", f"i{day}", "view", 10**12 + day))
        history = following.history("eager")
        assert sorted(ITEMS.ids(history.done)) == [f"i{number}" for number in range(day + 1)]
    assert ITEMS.ids(history.items) == ["i7", "i8", "i9"]
    assert following.cache.past("eager").n_events == 10


def test_who_does_one_thing_a_thousand_times_has_done_the_others_too(store):
    following = Following(store)
    following.add(*(("fan", f"i{day}", "view", 10**12 + day) for day in range(10)))
    following.history("fan")
    for part in range(4):
        following.add(*(("fan", "i20", "view", 10**12 + 100 + part * 300 + second) for second in range(300)))
    assert ITEMS.ids(following.history("fan").items) == [*(f"i{day}" for day in range(10)), *["i20"] * past.REPEATS]
    assert following.cache.past("fan").n_events == 1_210


def test_a_later_yes_counts_and_so_does_a_later_no(store):
    following = Following(store)
    day = 10**12
    following.add(("torn", "i1", "like", day), ("torn", "i2", "dislike", day))
    assert told(following.history("torn")) == ((["i1"], ["like"], [day]), [], ["i2"])
    following.add(("torn", "i1", "dislike", day + 1), ("torn", "i2", "like", day + 1))
    assert told(following.history("torn")) == ((["i2"], ["like"], [day + 1]), [], ["i1"])
    following.add(("torn", "i2", "unlike", day + 2))
    assert told(following.history("torn")) == (([], [], []), [], ["i1", "i2"])


def test_those_who_did_not_come_for_long_are_forgotten_first(store):
    following = Following(store, remembered=3, most_items=12)
    for user in ("a", "b", "c", "d"):
        following.add(*((user, f"i{number}", "view", 10**12 + number) for number in range(5)))
    for user in ("a", "b", "c", "a", "d"):
        following.history(user)
    assert [following.cache.cached(user, ITEMS) is not None for user in "abcd"] == [True, False, False, True]
    following.add(("b", "i9", "view", 10**12 + 9))
    assert 9 + 1 in following.history("b").items


def test_items_that_come_later_are_hidden_from_those_who_did_them_before(store):
    following = Following(store)
    following.add(("early", "new", "view", 10**12))
    assert not len(following.history("early").done)
    grown = Vocabulary([*ITEMS.series, "new"])
    history = following.cache.history("early", grown, BEHAVIOURS, reads_users=False)
    assert grown.ids(history.done) == ["new"]


def test_many_events_take_little_room(store):
    many = Vocabulary([f"i{number}" for number in range(5_000)])
    following = Following(store)
    following.store.add_events([Event("heavy", f"i{k % 5_000}", "view", None, 10**12 + k) for k in range(10_000)])
    following.seen = store.set("written", None).result() or store.version()
    history = following.cache.history("heavy", many, BEHAVIOURS, reads_users=False)
    assert (len(history.items), len(history.done)) == (past.LAST, 5_000)
    following.add(("heavy", "i0", "view", 10**12 + 200_000))
    after = following.cache.history("heavy", many, BEHAVIOURS, reads_users=False)
    assert after.items[-1] == 1
    assert following.cache.past("heavy").done.nbytes <= 5_000 * 4
