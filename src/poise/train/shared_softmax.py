"""Sampled softmax over negatives that a whole batch shares, in a fraction of the time and memory of the plain form."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from poise.train.device import low_precision

_ROWS = 128  # numbers of rows are rounded up to it: the library compiles a kernel for each shape that it meets


def shared_softmax(queries: Tensor, chosen: Tensor, drawn: Tensor, hits: Tensor, log_q: Tensor | None = None) -> Tensor:
    """Return :func:`poise.train.losses.sampled_softmax` of the products of queries and items.

    The logits are turned into the gradient in place, where the plain form keeps half a dozen arrays of their size; the
    products are computed in bfloat16 where the processor has units for it, sums and exponentials in float32.

    Args:
        queries: ``[n, dim]``.
        chosen: ``[n, dim]``, the vectors of the targets.
        drawn: ``[m, dim]``, the vectors of the sampled items.
        hits: bool ``[n, m]``, where a sampled item is the target itself: it does not count.
        log_q: ``[m]``, the expected number of times, as a logarithm, that each sampled item is drawn.
    """
    return _SharedSoftmax.apply(queries, chosen, drawn, hits, log_q)  # type: ignore[no-any-return, no-untyped-call]


class _SharedSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, queries: Tensor, chosen: Tensor, drawn: Tensor, hits: Tensor, log_q: Tensor | None) -> Tensor:
        dtype = low_precision(queries.device)
        n, dim = queries.shape
        low_queries = torch.zeros(-(-n // _ROWS) * _ROWS, dim, dtype=dtype, device=queries.device)
        low_queries[:n] = queries
        low_drawn = drawn.to(dtype)
        logits = (low_queries @ low_drawn.T)[:n].float()  # [n, m]
        if log_q is not None:
            logits -= log_q
        logits.masked_fill_(hits, -torch.inf)
        positive = (queries * chosen).sum(1)  # [n]
        top = torch.maximum(logits.amax(1), positive)
        weights = logits.sub_(top[:, None]).exp_()
        own = (positive - top).exp()
        total = weights.sum(1) + own
        ctx.save_for_backward(queries, chosen, low_queries, low_drawn, weights, own, total)
        return (total.log() + top - positive).mean()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        queries, chosen, low_queries, low_drawn, weights, own, total = ctx.saved_tensors
        n = len(queries)
        share = gradient / n
        of_drawn = low_drawn.new_zeros(len(low_queries), len(low_drawn))  # [n or more, m]
        torch.mul(weights, (share / total)[:, None], out=of_drawn[:n])
        of_chosen = ((own / total - 1) * share)[:, None]  # [n, 1]
        to_queries = (of_drawn @ low_drawn)[:n].to(queries.dtype) + of_chosen * chosen
        to_drawn = (of_drawn.T @ low_queries).to(queries.dtype)
        return to_queries, of_chosen * queries, to_drawn, None, None
