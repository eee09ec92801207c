from __future__ import annotations

import pytest

from poise.config import parse_config
from poise.data.ingest.feedback import Opinion
from poise.serve.state.rules import LiveRules
from poise.store.records import Event

CONFIG = parse_config({"data": {"events": "log.csv", "value_kind": "rating"}})


@pytest.mark.parametrize("threshold", [0.0, 3.5])
def test_live_ratings_are_parted_where_those_of_the_run_were(threshold):
    rules = LiveRules.of(CONFIG, {}, {"threshold": threshold})
    events = [Event("u", "i", "rate", threshold + off, 1_760_000_000_000) for off in (-1.0, 0.0, 1.0)]
    assert rules.opinions(events) == [Opinion.REJECTED, Opinion.CHOSEN, Opinion.CHOSEN]


def test_an_event_without_a_time_is_not_one_of_1970():
    rules = LiveRules.of(CONFIG, {})
    events = [Event("u", "i", "like", None, time) for time in (0, 1, 1_760_000_000_000)]
    assert rules.opinions(events) == [Opinion.CHOSEN, Opinion.NOTHING, Opinion.CHOSEN]
