"""Softmax over the whole catalogue, a few rows at a time, that never holds all logits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from poise.train.device import low_precision
from poise.train.losses.shared_softmax import ROWS, padded

_AT_ONCE = 2**21  # logits, that stay in the processor's cache while the gradient is made of them
_AT_ONCE_ELSEWHERE = 2**27  # on a graphics card, which is quick with large products alone


def catalogue_softmax(queries: Tensor, items: Tensor, targets: Tensor) -> Tensor:
    """Return the full softmax of the products of queries and items, and its gradient with it.

    It is :func:`poise.train.losses.pointwise.full_softmax`.

    The gradient of a few rows is made as soon as their logits are there and added up, so that neither is ever written
    to memory as a whole: the products of 2,048 events and 12,000 items are 100 MB, and reading them is most of the
    work. Products are computed in bfloat16 where the processor has units for it, sums and exponentials in float32.

    The source is Hsu et al., *Liger Kernel: Efficient Triton Kernels for LLM Training*, 2024, whose fused linear
    cross-entropy does so on graphics cards.

    Args:
        queries: ``[n, dim]``.
        items: ``[n_items, dim]``, without padding.
        targets: int64 ``[n]``, the rows of ``items`` that are targets.
    """
    return _CatalogueSoftmax.apply(queries, items, targets)  # type: ignore[no-any-return, no-untyped-call]


class _CatalogueSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, queries: Tensor, items: Tensor, targets: Tensor) -> Tensor:
        n, dtype = len(queries), low_precision(queries.device)
        low_queries, low_items = queries.to(dtype), items.to(dtype)
        target_logits = (queries * items[targets]).sum(1)  # [n]
        to_queries, to_items = torch.empty_like(queries), torch.zeros_like(items)
        loss = queries.new_zeros(())
        at_once = _AT_ONCE if queries.device.type == "cpu" else _AT_ONCE_ELSEWHERE
        size = max(at_once // len(items) // ROWS, 1) * ROWS
        for first in range(0, n, size):
            part = slice(first, first + size)
            mine, target = padded(low_queries[part]), targets[part, None]
            logits = (mine @ low_items.T)[: len(target)].float()  # [size, n_items]
            logits.scatter_(1, target, target_logits[part, None])
            top = logits.amax(1, keepdim=True)
            weights = logits.sub_(top).exp_()
            total = weights.sum(1, keepdim=True)
            loss += (total.log() + top).sum()
            weights.div_(total).scatter_add_(1, target, weights.new_full(target.shape, -1.0))
            low = padded(weights.to(dtype))
            to_queries[part] = (low @ low_items)[: len(target)]
            to_items.addmm_(low.T, mine) if dtype == items.dtype else to_items.add_(low.T @ mine)
        ctx.save_for_backward(to_queries.div_(n), to_items.div_(n))
        return (loss - target_logits.sum()) / n

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        to_queries, to_items = ctx.saved_tensors
        return to_queries * gradient, to_items * gradient, None
