"""How something is fitted: what cannot be is refused where it is said."""

from __future__ import annotations

from typing import Any

import pytest

import poise
from poise.errors import UsageError


@pytest.mark.parametrize(("given", "words"), [({"threads": 0}, "threads is 0"), ({"seed": -1}, "seed is -1")])
def test_what_cannot_be_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        poise.FitOptions(**given)


def test_a_seed_of_the_fit_stands_in_for_that_of_the_model() -> None:
    assert poise.FitOptions(seed=0).seed_or(7) == 0
    assert poise.FitOptions().seed_or(7) == 7
