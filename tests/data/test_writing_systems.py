from __future__ import annotations

import pytest

from poise.data.writing_systems import script_shares


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Die Hard 2: Stirb langsam", "Latin"),
        ("流浪地球 2", "Chinese"),
        ("となりのトトロ 風の谷", "Japanese"),
        ("기생충", "Korean"),
        ("Сталкер", "Cyrillic"),
        ("ქართული", "other"),
    ],
)
def test_the_writing_system_of_a_text(text, script):
    assert next(iter(script_shares([text]))) == script


def test_shares_of_scripts_count_letters_only():
    assert script_shares(["abc 12 流", None, "!"]) == {"Latin": 0.75, "Chinese": 0.25}


def test_no_letters_have_no_script():
    assert script_shares(["1984", None]) == {}


def test_a_large_collection_is_sampled():
    assert script_shares(["film"] * 30_000 + ["фильм"] * 30_000)["Cyrillic"] == pytest.approx(5 / 9, abs=0.01)
