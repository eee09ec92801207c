from __future__ import annotations

import numpy as np
import pytest

from poise.data.find_items import find_items, find_list
from poise.data.vocabulary import Vocabulary
from poise.errors import UnknownIdError

TITLES = [
    "",
    "Toy Story (1995)",
    "The Good, the Bad and the Ugly (1966)",
    "Heat (1995)",
    "Heat (1986)",
    "Toy Story 2 (1999)",
]
IDS = Vocabulary(["10", "20", "30", "40", "50"])
COUNTS = np.array([0, 9, 3, 8, 2, 4])


@pytest.mark.parametrize(
    ("line", "items"),
    [
        ("Toy Story", [1]),
        ("toy story, HEAT", [1, 3]),  # of two with one title the more popular is meant
        ("The Good, the Bad and the Ugly, Heat (1986)", [2, 4]),
        ("40,20", [4, 2]),
        ("ugly , 10", [2, 1]),
        ("", []),
        (" , ", []),
    ],
)
def test_a_line_of_titles_that_may_hold_commas(line: str, items: list[int]) -> None:
    assert find_list(line, IDS, TITLES, COUNTS) == items


@pytest.mark.parametrize(
    ("word", "said"),
    [("Toy", "fits 2 items, among them 'Toy Story \\(1995\\)'"), ("Haet", "Did you mean 'heat"), ("zzz", "no item")],
)
def test_a_title_that_fits_no_item_or_several_is_refused(word: str, said: str) -> None:
    with pytest.raises(UnknownIdError, match=said):
        find_items([word], IDS, TITLES, COUNTS)
