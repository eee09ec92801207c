import pytest

from poise.data.schema.column_names import availability, guess, resolve
from poise.errors import DataError, UsageError


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("userId movieId rating timestamp", "userId movieId - rating timestamp"),
        ("UserId ItemId FeedbackType Timestamp", "UserId ItemId FeedbackType - Timestamp"),
        ("USER_ID ITEM_ID TIMESTAMP EVENT_TYPE EVENT_VALUE", "USER_ID ITEM_ID EVENT_TYPE EVENT_VALUE TIMESTAMP"),
        ("FeedbackType UserId ItemId Value Timestamp Comment", "UserId ItemId FeedbackType Value Timestamp"),
        ("feedback_type,user_id,item_id,time_stamp", "user_id item_id feedback_type - time_stamp"),
        (
            "USER_ID ITEM_ID TIMESTAMP EVENT_TYPE EVENT_VALUE IMPRESSION RECOMMENDATION_ID",
            "USER_ID ITEM_ID EVENT_TYPE EVENT_VALUE TIMESTAMP",
        ),
        ("timestamp visitorid event itemid transactionid", "visitorid itemid event - timestamp"),
        ("reviewerID asin overall unixReviewTime reviewTime", "reviewerID asin - overall unixReviewTime"),
        ("session_id track_id played_at ts", "session_id track_id - - ts"),
        ("session_id user_id product_id created_at quantity", "user_id product_id - quantity created_at"),
        ("user business_id stars date", "user business_id - stars date"),
        ("id customer product", "customer product - - -"),
    ],
)
def test_columns_of_common_logs_are_guessed(columns, expected):
    names = ("user_id", "item_id", "behaviour", "value", "timestamp")
    wanted = {name: column for name, column in zip(names, expected.split(), strict=True) if column != "-"}
    assert guess(columns.replace(",", " ").split()) == wanted


@pytest.mark.parametrize(
    ("table", "columns", "expected"),
    [
        ("items", "ItemId IsHidden Categories Timestamp Labels Comment", {"item_id": "ItemId", "title": "Comment"}),
        ("items", "item_id is_hidden categories time_stamp labels description", {"item_id": "item_id"}),
        ("items", "ITEM_ID CREATION_TIMESTAMP CATEGORY_L1 PRICE DESCRIPTION GENRES", {"item_id": "ITEM_ID"}),
        ("items", "ITEM_ID TITLE COMMENT", {"item_id": "ITEM_ID", "title": "TITLE"}),
        ("users", "UserId Labels Subscribe Comment", {"user_id": "UserId"}),
        ("users", "USER_ID AGE GENDER", {"user_id": "USER_ID"}),
    ],
)
def test_columns_of_gorse_and_personalize_catalogues_are_guessed(table, columns, expected):
    assert guess(columns.split(), table) == expected


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("ItemId IsHidden Labels", ("IsHidden", False)),
        ("item_id is_hidden", ("is_hidden", False)),
        ("id available", ("available", True)),
        ("id Is_Available hidden", ("Is_Available", True)),
        ("id title", None),
    ],
)
def test_the_availability_column_is_guessed(columns, expected):
    assert availability(columns.split()) == expected


def test_the_id_column_of_items_and_users_may_be_called_id():
    assert guess(["id", "name", "brand"], "items") == {"item_id": "id", "title": "name"}
    assert guess(["id", "age"], "users") == {"user_id": "id"}


def test_given_column_names_override_guesses():
    actual = resolve(["user", "customer", "sku", "rating", "time"], "events", {"user_id": "customer", "value": ""})
    assert actual == {"user_id": "customer", "item_id": "sku", "timestamp": "time"}


def test_errors_name_the_missing_and_the_present_columns():
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
