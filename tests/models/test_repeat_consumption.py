"""What people come back to: due, recent or often, learnt from the log, and said in words."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import poise
from poise.data.dataset import Dataset
from poise.data.queries import Queries
from poise.data.split import leave_last_out
from poise.errors import DataError
from poise.models import Blend, Popularity, RepeatConsumption
from poise.recommender import load

DAY = 86_400
START = 1_700_000_000


def log_of(rows: list[tuple[str, str, int]], *, clock: bool = True) -> Dataset:
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    frame = frame.with_columns(behaviour=pl.lit("purchase"))
    return poise.build_dataset(frame if clock else frame.drop("timestamp"))


def household(user: int, *, days: int = 56) -> list[tuple[str, str, int]]:
    """Milk every third day, coffee every second week, a bread of their own, and a thing of chance each week."""
    rows = [(f"u{user:02}", "milk", day) for day in range(user % 3, days, 3)]
    rows += [(f"u{user:02}", "coffee", day) for day in range(user % 14, days, 14)]
    rows += [(f"u{user:02}", f"bread {user % 20}", day) for day in range(user % 2, days, 2)]
    rows += [(f"u{user:02}", f"thing {(7 * user + day) % 40:02}", day) for day in range(user % 7, days, 7)]
    return [(name, item, START + day * DAY) for name, item, day in rows]


@pytest.fixture(scope="module")
def groceries() -> Dataset:
    return log_of([row for user in range(40) for row in household(user)])


def asked(data: Dataset, history: list[tuple[str, int]], day: int) -> Queries:
    """Return the request of somebody with a history of items and days, made on a day."""
    items = data.item_ids.index([item for item, _ in history]).tolist()
    times = [(START + at * DAY) * 1000 for _, at in history]
    queries = Queries.from_histories([items], data.item_ids, timestamps=[times], hide_seen=False)
    return Queries(**{**queries.__dict__, "time": np.array([(START + day * DAY) * 1000])})


def test_what_is_due_comes_first(groceries: Dataset) -> None:
    model = RepeatConsumption(timing="due").fit(groceries)
    history = [("coffee", 0), ("milk", 0), ("milk", 3), ("milk", 6), ("milk", 9), ("milk", 12), ("coffee", 14)]
    scores = {day: model.score(asked(groceries, history, day))[0] for day in (15, 28)}
    milk, coffee = groceries.item_ids.index(["milk", "coffee"]).tolist()
    assert scores[15][milk] > scores[15][coffee]
    assert scores[28][coffee] > scores[15][coffee]
    assert model.recommend(asked(groceries, history, 15), 2)[0].items[0] == "milk"


def test_it_beats_popularity_and_says_why(groceries: Dataset) -> None:
    split = leave_last_out(groceries, hide_seen=False)
    models = [Popularity().fit(split.train), RepeatConsumption().fit(split.train, split.valid)]
    report = poise.evaluate(models, split.test, k=5, metrics=["NDCG"])
    assert report.best() == "RepeatConsumption"
    assert models[1].selection["timing"] in {"due", "recent", "often"}
    query = asked(groceries, [("coffee", 0), ("coffee", 14), ("thing 03", 15)], 28)
    (reasons,) = models[1].explain(query, groceries.item_ids.index(["coffee", "thing 03", "milk"])[None])
    titles, coffee = groceries.titles, groceries.item_ids.index(["coffee"])[0]
    assert reasons[0][0].text(titles, {int(coffee): "bought"}) == "you buy this about every 14 days"
    assert reasons[1][0].text(titles) == "you chose this before"
    assert reasons[2][0].kind == "popular"


def test_a_blend_keeps_the_reason(groceries: Dataset) -> None:
    blend = Blend(members=[RepeatConsumption(timing="due"), Popularity()], weights=[3, 1]).fit(groceries)
    slates = blend.recommend(asked(groceries, [("coffee", 0), ("coffee", 14)], 28), 1, explain=True)
    assert slates[0].items == ["coffee"]
    assert slates[0].reasons[0][0].text(groceries.titles) == "you choose this about every 14 days"


def test_it_is_left_out_where_nobody_comes_back(films: Dataset) -> None:
    with pytest.raises(DataError, match="people do not come back to the same things"):
        RepeatConsumption().fit(films)


def test_a_history_without_times_goes_by_frequency(groceries: Dataset) -> None:
    model = RepeatConsumption(timing="due").fit(groceries)
    milk, coffee = groceries.item_ids.index(["milk", "coffee"]).tolist()
    queries = Queries.from_histories([[milk, coffee, milk, milk], []], groceries.item_ids, hide_seen=False)
    scores = model.score(queries)
    assert scores[0, milk] > scores[0, coffee]
    assert scores[1, milk] == scores[1].max()
    assert np.isfinite(scores).all()


def test_without_a_clock_the_order_counts() -> None:
    data = log_of([row for user in range(40) for row in household(user)], clock=False)
    model = RepeatConsumption(timing="recent").fit(data)
    slate = model.recommend(data.queries(users=["u03"], hide_seen=False), 3, explain=True)[0]
    assert set(slate.items) & {"milk", "coffee"}
    assert np.isfinite(model.score(data.queries())).all()


def test_it_is_saved_with_what_it_chose(groceries: Dataset, tmp_path) -> None:
    split = leave_last_out(groceries, hide_seen=False)
    model = RepeatConsumption().fit(split.train, split.valid)
    timing = model.selection
    model.refit(groceries)
    assert model.selection == timing
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").score(groceries.queries()), model.score(groceries.queries()))
