"""Products of requests with the vectors of items."""

from __future__ import annotations

import pytest
import torch

from poise.models.vectors import Products


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("n", [1, 64, 65])
def test_packed_products_agree_with_exact_products(n: int, size: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("poise.models.vectors.MANY", 0)
    torch.manual_seed(0)
    vectors, requests = size * torch.randn(300, 32), torch.randn(n, 32)
    lengths = requests.norm(dim=1)[:, None] * vectors.norm(dim=1)
    before = Products(vectors[:290])
    before.of(requests)
    for products in (Products(vectors), Products(vectors, before), Products(vectors, Products(vectors[:100]))):
        error = (products.of(requests) - requests @ vectors.T).abs() / lengths
        assert error.max() < 2e-4


def test_products_of_a_small_catalogue_are_exact() -> None:
    torch.manual_seed(0)
    vectors, requests = torch.randn(300, 32), torch.randn(5, 32)
    torch.testing.assert_close(Products(vectors).of(requests), requests @ vectors.T)
