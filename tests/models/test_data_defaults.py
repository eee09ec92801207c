from __future__ import annotations

from collections.abc import Callable

import pytest

from poise.data.dataset import Dataset
from poise.models.data_defaults import DataDefaults
from poise.models.sequential.sasrec import SASRec


@pytest.mark.parametrize(
    ("people", "length", "items", "expected"),
    [
        (40, 5, 50, {"max_length": 50, "dropout": 0.5, "blocks": 1, "epochs": 16, "most_epochs": 40}),
        (64, 64, 32, {"max_length": 50, "dropout": 0.5, "blocks": 1, "epochs": 16}),
        (64, 250, 50, {"max_length": 50, "dropout": 0.2, "blocks": 1, "epochs": 16}),
        (5_000, 120, 200, {"max_length": 120, "dropout": 0.2, "blocks": 2, "epochs": 16, "most_epochs": 16}),
        (12_500, 120, 200, {"max_length": 120, "dropout": 0.2, "blocks": 2, "epochs": 10, "most_epochs": 10}),
    ],
)
def test_data_defaults_follow_from_the_size_of_the_log(
    people: int, length: int, items: int, expected: dict[str, float], log_of: Callable[..., Dataset]
) -> None:
    data = log_of([[1 + (user + index) % items for index in range(length)] for user in range(people)])
    defaults = DataDefaults.to(data)
    assert {name: getattr(defaults, name) for name in expected} == expected


def test_given_options_override_data_defaults_and_a_refit_keeps_them(films: Dataset) -> None:
    model = SASRec(dim=8, heads=2, epochs=1, dropout=0.3, negatives=8).fit(films)
    assert (model.data_defaults.dropout, model.data_defaults.max_length, model.data_defaults.epochs) == (0.3, 50, 1)
    assert model.data_defaults.most_epochs == 1  # who says how many wants no more
    chosen = model.selected.data_defaults
    model.refit(films)
    assert model.selected.data_defaults == chosen
