import polars as pl
import pytest

from poise.data.ingest.build import build_dataset

START = 1_700_000_000
DAY = 86_400


def _orders(codes, quantities, *, users=None):
    n = len(codes)
    return pl.DataFrame(
        {
            "InvoiceNo": codes,
            "CustomerID": users or ["anna"] * n,
            "StockCode": ["mug", "mug", "lamp", "desk"][:n],
            "Quantity": quantities,
            "InvoiceDate": [START + place * DAY for place in range(n)],
        }
    )


@pytest.mark.parametrize(
    ("codes", "quantities"),
    [
        (["536365", "C536379", "536380", "536381"], [6, -6, 1, 2]),
        (["536365", "536379", "536380", "536381"], ["6", "-6", "1", "2"]),
        (["536365", "C536379", "536380", "536381"], [6, 6, 1, 2]),
    ],
)
def test_a_return_takes_its_purchase_back(codes, quantities):
    data = build_dataset(_orders(codes, quantities))
    bought = data.item_ids.ids(data.events.item)
    assert sorted(bought) == ["desk", "lamp"]
    assert data.value_kind == "quantity"
    assert data.behaviour_ids.series.to_list() == ["purchase", "return"]
    assert data.rejections is not None
    assert data.item_ids.ids(data.rejections.item) == ["mug"]
    assert (data.events.value > 0).all()
    assert any("1 row is a return" in note for note in data.quarantine.notes)


def test_a_log_with_behaviours_of_its_own_or_without_returns_stays_as_it_is():
    plain = build_dataset(_orders(["1", "2", "3", "4"], [1, 2, 3, 4]))
    assert plain.behaviour_ids.series.to_list() == ["interaction"]
    letters = build_dataset(_orders(["C1", "C2", "C3", "C4"], [1, 2, 3, 4]))
    assert letters.behaviour_ids.series.to_list() == ["interaction"]
    own = _orders(["1", "2", "3", "4"], [1, 2, 3, 4]).with_columns(event=pl.Series(["view", "buy", "view", "buy"]))
    assert build_dataset(own).behaviour_ids.series.to_list() == ["buy", "view"]


def test_a_status_of_orders_says_what_came_back():
    orders = _orders(["1", "2", "3", "4"], [1, 1, 1, 1], users=["anna", "anna", "anna", "ben"])
    orders = orders.with_columns(Status=pl.Series(["Completed", "Returned", "Completed", "Completed"]))
    data = build_dataset(orders)
    assert data.item_ids.ids(data.events.item) == ["lamp", "desk"]
