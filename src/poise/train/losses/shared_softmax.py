"""Sampled softmax over negatives that a whole batch shares, in a fraction of the time and memory of the plain form."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from poise.train.device import low_precision

ROWS = 128  # numbers of rows are rounded up to it for bfloat16: the library compiles a kernel for each shape it meets


def shared_softmax(
    queries: Tensor,
    target_vectors: Tensor,
    drawn: Tensor,
    accidental_hits: tuple[Tensor, Tensor],
    logq_correction: Tensor | None = None,
) -> Tensor:
    """Return :func:`poise.train.losses.pointwise.sampled_softmax` of the products of queries and items.

    The logits are turned into the gradient in place, where the plain form keeps half a dozen arrays of their size; the
    products are computed in bfloat16 where the processor has units for it, sums and exponentials in float32.

    Args:
        queries: ``[n, dim]``.
        target_vectors: ``[n, dim]``, the vectors of the targets.
        drawn: ``[m, dim]``, the vectors of the sampled items.
        accidental_hits: rows and columns, int64 ``[n_hits]`` each, where a sampled item is the target itself: it does
            not count. See :func:`find_accidental_hits`.
        logq_correction: ``[m]``, the expected number of times, as a logarithm, that each sampled item is drawn.
    """
    return _SharedSoftmax.apply(queries, target_vectors, drawn, accidental_hits, logq_correction)  # type: ignore[no-any-return, no-untyped-call]


def find_accidental_hits(targets: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rows and columns, int64 ``[n_hits]`` each, at which ``targets[row] == drawn[column]``.

    Args:
        targets: int64 ``[n]``.
        drawn: int64 ``[m]``; an item may be there several times.
    """
    ordered, place = drawn.sort()
    first = torch.searchsorted(ordered, targets)
    times = torch.searchsorted(ordered, targets, right=True) - first  # [n]
    rows = torch.repeat_interleave(torch.arange(len(targets), device=targets.device), times)
    within = torch.arange(len(rows), device=targets.device) - torch.repeat_interleave(times.cumsum(0) - times, times)
    return rows, place[first[rows] + within]


class _SharedSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        queries: Tensor,
        target_vectors: Tensor,
        drawn: Tensor,
        accidental_hits: tuple[Tensor, Tensor],
        logq_correction: Tensor | None,
    ) -> Tensor:
        dtype = low_precision(queries.device)
        low_queries, low_drawn = padded(queries.to(dtype)), drawn.to(dtype)
        logits = (low_queries @ low_drawn.T)[: len(queries)].float()  # [n, m]
        if logq_correction is not None:
            logits -= logq_correction
        logits[accidental_hits] = -torch.inf
        positive = (queries * target_vectors).sum(1)  # [n]
        top = torch.maximum(logits.amax(1), positive)
        weights = logits.sub_(top[:, None]).exp_()
        target_weights = (positive - top).exp()
        total = weights.sum(1) + target_weights
        ctx.save_for_backward(queries, target_vectors, low_queries, low_drawn, weights, target_weights, total)
        return (total.log() + top - positive).mean()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        queries, target_vectors, low_queries, low_drawn, weights, target_weights, total = ctx.saved_tensors
        share = gradient / len(queries)
        of_drawn = padded(weights.mul_((share / total)[:, None]).to(low_drawn.dtype))  # [n or more, m]
        of_targets = ((target_weights / total - 1) * share)[:, None]  # [n, 1]
        to_queries = torch.addcmul((of_drawn @ low_drawn)[: len(queries)].to(queries.dtype), of_targets, target_vectors)
        to_drawn = (of_drawn.T @ low_queries).to(queries.dtype)
        return to_queries, of_targets * queries, to_drawn, None, None


def padded(rows: Tensor) -> Tensor:
    """Return ``rows``, ``[n, width]``, with zero rows below them up to a multiple of ``ROWS``; float32 needs none."""
    missing = 0 if rows.dtype == torch.float32 else -len(rows) % ROWS
    return torch.nn.functional.pad(rows, (0, 0, 0, missing)) if missing else rows
