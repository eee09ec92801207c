import numpy as np
import pytest

from poise.data.schema.value_kinds import guess


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("rating", [1, 3, 5], "rating"),
        ("Place_Ratings", [1, 2, 5], "rating"),
        ("Bewertung", [1, 2, 5], "rating"),
        ("评分", [1, 2, 5], "rating"),
        ("liked", [0, 1], "label"),
        ("is_click", [0, 1, 0], "label"),
        ("rating", [-1, 1], "label"),
        ("label", [0, 3], None),
        ("weight", [12, 4031], "count"),
        ("playCount", [12, 4031], "count"),
        ("Quantity", [1, -2, 12], "quantity"),
        ("Menge", [1, 2], "quantity"),
        ("数量", [1, 2], "quantity"),
        ("sales_value", [1.5, 2], "amount"),
        ("price", [1.5, 2], "amount"),
        ("watch_ratio", [0.5, 2], "duration"),
        ("dwell_seconds", [30, 90], "duration"),
        ("value", [0.5, 3, 5], "rating"),
        ("value", [0, 1], "label"),
        ("value", [7, 140], None),
        ("", [], None),
    ],
)
def test_what_values_mean_is_told_by_name_and_content(name, values, expected):
    assert guess(name, np.array(values, dtype=np.float32)) == expected
