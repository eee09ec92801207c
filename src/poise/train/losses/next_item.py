"""How a model of sequences is told what it should have said: one of six losses, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from poise.train.batches.negative_sampler import NegativeSampler, NegativeSampling
from poise.train.losses import pointwise
from poise.train.losses.catalogue_softmax import catalogue_softmax
from poise.train.losses.shared_softmax import find_accidental_hits, shared_softmax

Loss = Literal["sampled_softmax", "full_softmax", "bce", "gbce", "bpr", "in_batch"]


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What a model is punished for, see :mod:`poise.train.losses.pointwise`.

    Attributes:
        loss: which of them.
        negatives: items that are drawn for a batch, to be told apart from those that were chosen.
        negative_sampling: how.
        logq_correction: whether the sampled softmax is corrected for how likely each item was drawn.
        smoothing: label smoothing, for the softmaxes over the catalogue and over a sample of it.
    """

    loss: Loss
    negatives: int
    negative_sampling: NegativeSampling
    logq_correction: bool
    smoothing: float


def next_item_loss(
    vectors: Callable[[Tensor], Tensor],
    read: Callable[[Tensor], Tensor],
    inputs: Tensor,
    targets: Tensor,
    objective: Objective,
    sampler: NegativeSampler,
) -> Tensor:
    """Return the loss of a batch, a scalar.

    Args:
        vectors: gives the vectors ``[..., dim]`` of items, int64 ``[...]``.
        read: turns the vectors of what is read, ``[batch, time, dim]``, into what is expected at each place, of the
            same shape.
        inputs: int64 ``[batch, time]``, the items that are read.
        targets: int64 ``[batch, time]``, what should be said; 0 where nothing is asked.
        objective: how to punish.
        sampler: of negatives.
    """
    asked = targets > 0
    targets = targets[asked]  # [n]
    if objective.loss == "full_softmax":
        every = vectors(torch.arange(sampler.n_items + 1, device=targets.device))
        expected = read(every[inputs])[asked]  # [n, dim]
        if objective.smoothing:
            return pointwise.full_softmax(expected @ every.T, targets, smoothing=objective.smoothing)
        return catalogue_softmax(expected, every[1:], targets - 1)
    drawn = targets[:0] if objective.loss == "in_batch" else sampler.sample(objective.negatives)  # [m]
    # One look-up for all: the gradient of each would be as large as the table.
    found = vectors(torch.cat([inputs.flatten(), targets, drawn]))
    of_inputs, chosen, of_drawn = torch.split(found, [inputs.numel(), len(targets), len(drawn)])
    expected = read(of_inputs.view(*inputs.shape, -1))[asked]  # [n, dim]
    if objective.loss == "in_batch":
        return pointwise.in_batch_softmax(expected, chosen, targets, sampler.log_chance(targets))
    logq_correction = sampler.log_expected(drawn, objective.negatives) if objective.logq_correction else None
    if objective.loss == "sampled_softmax" and not objective.smoothing:
        return shared_softmax(expected, chosen, of_drawn, find_accidental_hits(targets, drawn), logq_correction)
    accidental_hits = targets[:, None] == drawn
    positive, negative = (expected * chosen).sum(1), expected @ of_drawn.T
    if objective.loss == "sampled_softmax":
        return pointwise.sampled_softmax(
            positive, negative, accidental_hits, logq_correction=logq_correction, smoothing=objective.smoothing
        )
    negative = negative.masked_fill(accidental_hits, -torch.inf)
    if objective.loss == "bce":
        return pointwise.bce(positive, negative)
    if objective.loss == "bpr":
        return pointwise.bpr(positive, negative)
    rate = min(1.0, objective.negatives / max(len(sampler.items) - 1, 1))
    return pointwise.gbce(positive, negative, sampling_rate=rate)
