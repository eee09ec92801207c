from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from poise.train.losses import pointwise
from poise.train.losses.catalogue_softmax import catalogue_softmax
from poise.train.losses.shared_softmax import find_accidental_hits, shared_softmax


def _scores(n: int = 6, m: int = 9, dim: int = 5, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    return torch.randn(n, dim), torch.randn(n, dim), torch.randn(m, dim)


def test_full_softmax_leaves_padding_out() -> None:
    logits = torch.tensor([[99.0, 1.0, 2.0, 3.0]])
    expected = math.log(math.e + math.e**2 + math.e**3) - 2
    assert pointwise.full_softmax(logits, torch.tensor([2])).item() == pytest.approx(expected, rel=1e-6)


def test_full_softmax_with_smoothing_by_hand() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0, 4.0]])
    total = math.log(math.e + math.e**2 + math.e**4)
    expected = 0.9 * (total - 4) + 0.1 * (total - (1 + 2 + 4) / 3)
    assert pointwise.full_softmax(logits, torch.tensor([3]), smoothing=0.1).item() == pytest.approx(expected, rel=1e-6)


def test_sampled_softmax_of_all_items_is_the_full_softmax() -> None:
    torch.manual_seed(0)
    logits = torch.randn(7, 12)
    targets = torch.randint(1, 12, (7,))
    everything = torch.arange(1, 12)
    sampled = pointwise.sampled_softmax(logits[torch.arange(7), targets], logits[:, 1:], targets[:, None] == everything)
    torch.testing.assert_close(sampled, pointwise.full_softmax(logits, targets))


def test_the_logq_correction_makes_the_sampled_sum_unbiased() -> None:
    torch.manual_seed(0)
    logits = torch.randn(40, dtype=torch.float64)
    chance = torch.softmax(torch.randn(40, dtype=torch.float64), 0)
    m = 20
    draws = torch.multinomial(chance, 20_000 * m, replacement=True).view(-1, m)
    logq_correction = chance.log() + math.log(m)
    positive = torch.zeros(len(draws), dtype=torch.float64)
    negative = logits[draws] - logq_correction[draws]
    mean = negative.exp().sum(1).mean()
    assert mean.item() == pytest.approx(logits.exp().sum().item(), rel=0.01)
    corrected = pointwise.sampled_softmax(positive, logits[draws], logq_correction=logq_correction[draws])
    torch.testing.assert_close(corrected, (1 + negative.exp().sum(1)).log().mean())


def test_accidental_hits_do_not_count() -> None:
    positive, negative = torch.tensor([1.0]), torch.tensor([[1.0, 0.5]])
    accidental_hits = torch.tensor([[True, False]])
    expected = math.log(math.exp(1) + math.exp(0.5)) - 1
    assert pointwise.sampled_softmax(positive, negative, accidental_hits).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("corrected", [False, True])
def test_shared_softmax_and_its_gradients_agree_with_sampled_softmax(corrected: bool) -> None:
    queries, chosen, drawn = _scores(50, 200, 16)
    targets, items = torch.randint(0, 30, (50,)), torch.randint(0, 30, (200,))
    accidental_hits = targets[:, None] == items
    logq_correction = torch.randn(200) if corrected else None
    given = [tensor.clone().requires_grad_() for tensor in (queries, chosen, drawn)]
    plain = [tensor.clone().requires_grad_() for tensor in (queries, chosen, drawn)]
    hits = find_accidental_hits(targets, items)
    assert sorted(zip(*(tensor.tolist() for tensor in hits), strict=True)) == [
        tuple(pair) for pair in accidental_hits.nonzero().tolist()
    ]
    fast = shared_softmax(*given, hits, logq_correction)
    slow = pointwise.sampled_softmax(
        (plain[0] * plain[1]).sum(1),
        plain[0] @ plain[2].T - (0 if logq_correction is None else logq_correction),
        accidental_hits,
    )
    torch.testing.assert_close(fast, slow, rtol=3e-3, atol=1e-3)  # bfloat16, where the processor has units for it
    (3 * fast).backward()
    (3 * slow).backward()
    for mine, theirs in zip(given, plain, strict=True):
        assert (mine.grad - theirs.grad).norm() < 0.01 * theirs.grad.norm()


@pytest.mark.parametrize("n", [1, 128, 300])
def test_catalogue_softmax_and_its_gradients_agree_with_full_softmax(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("poise.train.losses.catalogue_softmax._AT_ONCE", 1)  # as few rows at a time as there may be
    torch.manual_seed(0)
    queries, every, targets = torch.randn(n, 16), torch.randn(41, 16), torch.randint(1, 41, (n,))
    mine, theirs = ([tensor.clone().requires_grad_() for tensor in (queries, every)] for _ in range(2))
    fast = catalogue_softmax(mine[0], mine[1][1:], targets - 1)
    slow = pointwise.full_softmax(theirs[0] @ theirs[1].T, targets)
    torch.testing.assert_close(fast, slow, rtol=3e-3, atol=1e-3)  # bfloat16, where the processor has units for it
    (3 * fast).backward()
    (3 * slow).backward()
    for tensor, other in zip(mine, theirs, strict=True):
        assert (tensor.grad - other.grad).norm() < 0.01 * other.grad.norm()


def test_in_batch_softmax_by_hand() -> None:
    queries, items = torch.eye(3), torch.tensor([[1.0, 0, 0], [0, 2.0, 0], [0, 0, 3.0]])
    chance = torch.tensor([0.5, 0.25, 0.25]).log()
    logits = torch.diag(torch.tensor([1.0, 2.0, 3.0])) - chance
    expected = functional.cross_entropy(logits, torch.arange(3))
    torch.testing.assert_close(pointwise.in_batch_softmax(queries, items, torch.tensor([5, 6, 7]), chance), expected)
    same = logits.clone()
    same[0, 1] = same[1, 0] = -torch.inf  # two of the targets are one item
    expected = functional.cross_entropy(same, torch.arange(3))
    torch.testing.assert_close(pointwise.in_batch_softmax(queries, items, torch.tensor([5, 5, 7]), chance), expected)


def test_bce_agrees_with_torch() -> None:
    torch.manual_seed(0)
    positive, negative = torch.randn(8), torch.randn(8, 4)
    logits = torch.cat([positive[:, None], negative], 1)
    labels = torch.zeros(8, 5)
    labels[:, 0] = 1
    expected = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none").sum(1).mean()
    torch.testing.assert_close(pointwise.bce(positive, negative), expected)
    plain = pointwise.gbce(positive, negative, sampling_rate=0.1, calibration=0.0)
    torch.testing.assert_close(plain, expected)


def test_gbce_by_hand() -> None:
    # With t = 1 the chance of the positive is raised to the power of the sampling rate.
    positive, negative = torch.tensor([0.3]), torch.tensor([[-0.2, 0.4]])
    expected = -0.25 * torch.sigmoid(positive).log() - (1 - torch.sigmoid(negative)).log().sum()
    loss = pointwise.gbce(positive, negative, sampling_rate=0.25, calibration=1.0)
    torch.testing.assert_close(loss, expected.squeeze())


def test_bpr_by_hand() -> None:
    positive, negative = torch.tensor([1.0]), torch.tensor([[0.0, 2.0]])
    expected = -(math.log(1 / (1 + math.exp(-1))) + math.log(1 / (1 + math.exp(1)))) / 2
    assert pointwise.bpr(positive, negative).item() == pytest.approx(expected, rel=1e-6)
