"""Options in Python: what is wrong with one is said in one line, with what is allowed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from poise.encoders import TextEncoder
from poise.errors import UsageError
from poise.models import EASE, Blend, ItemKNN, Popularity, SASRec
from poise.pipeline import Pipeline
from poise.policy import ColdStartBoost


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: EASE(l2="much"), "EASE: l2: found 'much'; allowed: a valid number"),
        (lambda: ItemKNN(neighbours=0), "ItemKNN: neighbours: found 0; allowed: greater than or equal to 1"),
        (lambda: SASRec(heds=2), "SASRec: there is no option 'heds'. Did you mean 'heads'?"),
        (lambda: EASE(3), "EASE: options are given by name"),
        (Blend, "Blend: members is missing"),
        (lambda: Blend(members=["EASE"]), "Blend: members.0: found 'EASE'"),
        (lambda: Pipeline(ranker=Popularity(), candidates=0), "Pipeline: candidates: found 0"),
        (lambda: ColdStartBoost(boost=7), "ColdStartBoost: boost: found 7"),
        (lambda: TextEncoder(batch=3), "TextEncoder: there is no option 'batch'"),
        (lambda: Popularity(scenario=["x" * 5_000]), "Popularity: scenario: found ['xxx"),
    ],
)
def test_a_wrong_option_is_one_line(make: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        make()
    message = str(caught.value)
    assert message.startswith(words)
    assert "\n" not in message
    assert len(message) < 600
    assert "pydantic" not in message
