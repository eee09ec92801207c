"""The loss of next-item prediction: one of six, by name."""

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
    """A loss and its options, see :mod:`poise.train.losses.pointwise`.

    Attributes:
        loss: its name.
        negatives: items that are drawn for a batch, to be distinguished from the targets.
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
        read: turns the vectors of what is read, ``[batch, time, dim]``, into query vectors, of the same
            shape.
        inputs: int64 ``[batch, time]``, the items that are read.
        targets: int64 ``[batch, time]``, the items to predict; 0 where there are none.
        objective: the loss and its options.
        sampler: of negatives.
    """
    is_target = targets > 0
    targets = targets[is_target]  # [n]
    if objective.loss == "full_softmax":
        all_vectors = vectors(torch.arange(sampler.n_items + 1, device=targets.device))
        query_vectors = read(all_vectors[inputs])[is_target]  # [n, dim]
        if objective.smoothing:
            return pointwise.full_softmax(query_vectors @ all_vectors.T, targets, smoothing=objective.smoothing)
        return catalogue_softmax(query_vectors, all_vectors[1:], targets - 1)
    drawn = targets[:0] if objective.loss == "in_batch" else sampler.sample(objective.negatives)  # [m]
    # One look-up for all: the gradient of each would be as large as the table.
    batch_vectors = vectors(torch.cat([inputs.flatten(), targets, drawn]))
    of_inputs, of_targets, of_drawn = torch.split(batch_vectors, [inputs.numel(), len(targets), len(drawn)])
    query_vectors = read(of_inputs.view(*inputs.shape, -1))[is_target]  # [n, dim]
    if objective.loss == "in_batch":
        return pointwise.in_batch_softmax(query_vectors, of_targets, targets, sampler.log_chance(targets))
    logq_correction = sampler.log_expected(drawn, objective.negatives) if objective.logq_correction else None
    if objective.loss == "sampled_softmax" and not objective.smoothing:
        return shared_softmax(
            query_vectors, of_targets, of_drawn, find_accidental_hits(targets, drawn), logq_correction
        )
    accidental_hits = targets[:, None] == drawn
    positive, negative = (query_vectors * of_targets).sum(1), query_vectors @ of_drawn.T
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
