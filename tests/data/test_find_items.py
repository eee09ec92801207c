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
    "Björk",
    "流浪地球",
    "Crème brûlée; deluxe",
    "'Til There Was You (1997)",
    "ダンガンロンパ",
    "Dr. Strangelove or: How I Learned to Stop Worrying",
    "Smørrebrød, Øl & Kaffe",
    "N.W.A",
    "AC/DC",
    "???",
]
IDS = Vocabulary([str(10 * place) for place in range(1, len(TITLES))])
COUNTS = np.array([0, 9, 3, 8, 2, 4, *[1] * (len(TITLES) - 6)])


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
        ("bjork, BJÖRK, Bjo\u0308rk", [6, 6, 6]),  # accents do not count, nor how they are encoded
        ("creme brulee; deluxe, heat", [8, 3]),
        ("smorrebrod, ol & kaffe; toy story", [12, 1]),
        ('"The Good, the Bad and the Ugly", "Heat"', [2, 3]),
        ("'The Good, the Bad and the Ugly','Heat (1986)'", [2, 4]),
        ("“Toy Story”, «Heat»; 《流浪地球》", [1, 3, 7]),
        ("'Til There Was You, toy story", [9, 1]),
        ("The Good, the Bad; Heat", [2, 3]),
        ("good, the bad, Heat", [2, 3]),
        ("Heat; Toy Story 2; The Good, the Bad and the Ugly", [3, 5, 2]),
        ("流浪地球，ダンガンロンパ、Heat", [7, 10, 3]),
        ("ＨＥＡＴ", [3]),
        ("nwa, ac dc, ac-dc", [13, 14, 14]),  # nor do signs
        ("dr strangelove or how I learned to stop worrying", [11]),
        ("til there was you", [9]),
        ("smorrebrod ol and kaffe; ???", [12, 15]),
    ],
)
def test_a_line_of_titles_that_may_hold_commas(line: str, items: list[int]) -> None:
    assert find_list(line, IDS, TITLES, COUNTS) == items


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("Toy", "fits 2 items, among them 'Toy Story \\(1995\\)'"),
        ("Haet", "Did you mean 'Heat \\(1995\\)'"),
        ("bojrk", "Did you mean 'Björk'"),
        ("toy stroy", "Did you mean 'Toy Story \\(1995\\)', 'Toy Story 2 \\(1999\\)'"),
        ("strngelove", "Did you mean 'Dr. Strangelove"),
        ("カンガンロンハ", "Did you mean"),
        ("zzz", "no item"),
        ("!", "no item"),
    ],
)
def test_a_title_that_fits_no_item_or_several_is_refused(word: str, said: str) -> None:
    with pytest.raises(UnknownIdError, match=said):
        find_items([word], IDS, TITLES, COUNTS)
