from __future__ import annotations

import polars as pl

from poise.data.ingest.indexing import index
from poise.wording import verbs


def log(behaviours, values):
    n = len(behaviours)
    return index(
        pl.DataFrame(
            {
                "user_id": ["u"] * n,
                "item_id": [f"i{position}" for position in range(n)],
                "behaviour": behaviours,
                "value": values,
                "timestamp": list(range(n)),
            },
            schema_overrides={"value": pl.Float64},
        )
    )


def said(data):
    by_item = verbs(data, data.queries(["u"]), 0)
    return [by_item[int(item)] for item in data.events.item]


def test_verbs_of_known_and_unknown_behaviours():
    data = log(["view", "Add to cart", "purchase", "zapped"], [None] * 4)
    assert said(data) == ["viewed", "put in the cart", "bought", "chose"]


def test_a_rating_is_liked_from_the_median_on():
    assert said(log(["rate"] * 3, [1.0, 3.0, 5.0])) == ["rated", "liked", "liked"]
    assert said(log(["rate"] * 2, [None, None])) == ["rated", "rated"]
