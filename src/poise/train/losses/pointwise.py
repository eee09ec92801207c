"""Losses. Each is a function of the score of the target and the scores of the negatives.

All take logits and return a scalar, the mean over the ``n`` predictions.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def full_softmax(logits: Tensor, targets: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy over the whole catalogue.

    Label smoothing is from Szegedy et al., *Rethinking the Inception Architecture for Computer Vision*, 2016.

    Args:
        logits: ``[n, n_items + 1]``; column 0 is padding and left out of the sum.
        targets: int64 ``[n]``, never 0.
        smoothing: the share of probability that is spread over all items evenly.
    """
    return functional.cross_entropy(logits[:, 1:], targets - 1, label_smoothing=smoothing)


def sampled_softmax(
    positive: Tensor,
    negative: Tensor,
    accidental_hits: Tensor | None = None,
    *,
    logq_correction: Tensor | None = None,
    smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy between the target and a sample of negatives.

    The sources are Jean, Cho, Memisevic and Bengio, *On Using Very Large Target Vocabulary for Neural Machine
    Translation*, 2015, and for the correction Yi et al., *Sampling-Bias-Corrected Neural Modeling for Large Corpus Item
    Recommendations*, 2019.

    Args:
        positive: logits ``[n]`` of the targets.
        negative: logits ``[n, m]`` of the sampled items.
        accidental_hits: bool ``[n, m]``, where a sampled item is the target itself: it does not count.
        logq_correction: the expected number of times, as a logarithm, that each sampled item is drawn, ``[m]`` or ``[n,
            m]``. With it the sum over the sample is an unbiased estimate of the sum over the catalogue, to which the
            target, which is there for certain, is added.
        smoothing: the share of probability that is spread over the sample evenly.
    """
    if logq_correction is not None:
        negative = negative - logq_correction
    if accidental_hits is not None:
        negative = negative.masked_fill(accidental_hits, -torch.inf)
    total = torch.logaddexp(positive, negative.logsumexp(1))
    loss = total - positive
    if smoothing:
        finite = negative if accidental_hits is None else negative.masked_fill(accidental_hits, 0)
        counted = negative.shape[1] if accidental_hits is None else negative.shape[1] - accidental_hits.sum(1)
        loss = (1 - smoothing) * loss + smoothing * (total - finite.sum(1) / counted)
    return loss.mean()


def in_batch_softmax(
    queries: Tensor, items: Tensor, targets: Tensor, log_chance: Tensor, *, temperature: float = 1.0
) -> Tensor:
    """Cross-entropy of each target against the targets of the others in the batch, corrected for how popular they are.

    The source is Yi et al., *Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations*, 2019.

    Args:
        queries: ``[n, dim]``.
        items: ``[n, dim]``, the vectors of the targets.
        targets: int64 ``[n]``; the same item elsewhere in the batch is no negative.
        log_chance: ``[n]``, the logarithm of the chance of meeting each target in a batch.
        temperature: by which scores are divided.
    """
    logits = queries @ items.T / temperature - log_chance  # [n, n]
    same = targets[:, None] == targets
    same.fill_diagonal_(False)
    return functional.cross_entropy(
        logits.masked_fill(same, -torch.inf), torch.arange(len(targets), device=logits.device)
    )


def bce(positive: Tensor, negative: Tensor) -> Tensor:
    """Binary cross-entropy: is this what came next?

    The source is Kang and McAuley, *Self-Attentive Sequential Recommendation*, 2018, there with one negative.

    Args:
        positive: logits ``[n]``.
        negative: logits ``[n, m]``; their losses are added up.
    """
    return (functional.softplus(-positive) + functional.softplus(negative).sum(1)).mean()


def gbce(positive: Tensor, negative: Tensor, *, sampling_rate: float, calibration: float = 0.75) -> Tensor:
    """Binary cross-entropy that undoes the overconfidence which sampling negatives brings.

    The source is Petrov and Macdonald, *gSASRec: Reducing Overconfidence in Sequential Recommendation Trained with
    Negative Sampling*, 2023.

    Args:
        positive: logits ``[n]``.
        negative: logits ``[n, m]``.
        sampling_rate: the share of the catalogue, the target left out, that was sampled: m / (n_items - 1).
        calibration: t of the paper: 0 is plain binary cross-entropy, 1 calibrated probabilities.
    """
    power = sampling_rate * (calibration * (1 - 1 / sampling_rate) + 1 / sampling_rate)
    return (power * functional.softplus(-positive) + functional.softplus(negative).sum(1)).mean()


def bpr(positive: Tensor, negative: Tensor) -> Tensor:
    """Bayesian personalised ranking: the target should score above each negative.

    The source is Rendle, Freudenthaler, Gantner and Schmidt-Thieme, *BPR: Bayesian Personalized Ranking from Implicit
    Feedback*, 2009.

    Args:
        positive: logits ``[n]``.
        negative: logits ``[n, m]``.
    """
    return functional.softplus(negative - positive[:, None]).mean()
