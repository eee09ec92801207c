"""One place of each row of events, where nothing else is needed: a request needs only the newest."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def select_position(x: Tensor, place: Tensor | None) -> Tensor:
    """Return what stands at one place of each row, ``[batch, 1, dim]``; all of ``x`` where no place is given.

    Args:
        x: ``[batch, time, dim]``.
        place: int64 ``[batch]``.
    """
    return x if place is None else x[torch.arange(len(x), device=x.device), place][:, None]


class SinglePositionModule(nn.Module):
    """A module that reads events and does less where only one place of each row is needed.

    Its ``forward`` takes vectors of events, the events and a place of each row, as of :func:`select_position`.
    """
