import pytest

from poise.data.columns import guess, resolve
from poise.errors import DataError, UsageError


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("userId movieId rating timestamp", "userId movieId - rating timestamp"),
        ("UserId ItemId FeedbackType Timestamp", "UserId ItemId FeedbackType - Timestamp"),
        ("USER_ID ITEM_ID TIMESTAMP EVENT_TYPE EVENT_VALUE", "USER_ID ITEM_ID EVENT_TYPE EVENT_VALUE TIMESTAMP"),
        ("timestamp visitorid event itemid transactionid", "visitorid itemid event - timestamp"),
        ("reviewerID asin overall unixReviewTime reviewTime", "reviewerID asin - overall unixReviewTime"),
        ("session_id track_id played_at ts", "session_id track_id - - ts"),
        ("session_id user_id product_id created_at quantity", "user_id product_id - quantity created_at"),
        ("user business_id stars date", "user business_id - stars date"),
        ("id customer product", "customer product - - -"),
    ],
)
def test_guesses_of_common_logs(columns, expected):
    names = ("user_id", "item_id", "behaviour", "value", "timestamp")
    wanted = {name: found for name, found in zip(names, expected.split(), strict=True) if found != "-"}
    assert guess(columns.split()) == wanted


def test_items_and_users_may_call_their_key_id():
    assert guess(["id", "name", "brand"], "items") == {"item_id": "id", "title": "name"}
    assert guess(["id", "age"], "users") == {"user_id": "id"}


def test_what_is_given_goes_before_guesses():
    found = resolve(["user", "customer", "sku", "rating", "time"], "events", {"user_id": "customer", "value": ""})
    assert found == {"user_id": "customer", "item_id": "sku", "timestamp": "time"}


def test_errors_name_what_was_sought_and_found():
    with pytest.raises(
        DataError, match=r"no column 'custmer' \(for user_id\). Did you mean 'customer'\? They have: customer, x"
    ):
        resolve(["customer", "x"], "events", {"user_id": "custmer"})
    with pytest.raises(DataError, match=r"who it was \(user_id\); they have: userx, item.*'userx'\?.*columns="):
        resolve(["userx", "item"], "events")
    with pytest.raises(DataError, match="looks like data, not a header"):
        resolve(["A39HTATAQ9V7YF", "0205616461", "5.0"], "events")
    with pytest.raises(UsageError, match="Did you mean 'user_id'"):
        resolve(["customer", "item"], "events", {"userid": "customer"})
    with pytest.raises(UsageError, match="two meanings"):
        resolve(["a", "b"], "events", {"user_id": "a", "item_id": "a"})
