from __future__ import annotations

import pytest
import torch

from poise.train.batches.negative_sampler import NegativeSampler

COUNTS = torch.tensor([0, 5, 0, 1, 4])


@pytest.mark.parametrize(
    ("negative_sampling", "chances"), [("uniform", [0, 1 / 3, 0, 1 / 3, 1 / 3]), ("popularity", [0, 0.5, 0, 0.1, 0.4])]
)
def test_negatives_are_drawn_with_their_stated_probability(negative_sampling: str, chances: list[float]) -> None:
    torch.manual_seed(0)
    sampler = NegativeSampler(COUNTS, negative_sampling)  # type: ignore[arg-type]
    drawn = torch.cat([sampler.sample(2) for _ in range(50_000)])
    share = torch.bincount(drawn, minlength=5) / 100_000
    assert share.tolist() == pytest.approx(chances, abs=0.01)
    assert sampler.log_chance(torch.arange(5)).exp().tolist() == pytest.approx(chances)
    assert sampler.log_expected(torch.arange(5), 2).exp().tolist() == pytest.approx([2 * chance for chance in chances])


def test_sampling_all_items_takes_each_once() -> None:
    sampler = NegativeSampler(COUNTS, "popularity")
    assert sampler.sample(3).tolist() == sampler.sample(99).tolist() == [1, 3, 4]
    assert sampler.log_expected(torch.arange(5), 3).exp().tolist() == [0, 1, 0, 1, 1]
