"""One place of each row of events, where nothing else is asked for: as when only what follows the newest one counts."""

from __future__ import annotations

import torch
from torch import Tensor


def only(x: Tensor, place: Tensor | None) -> Tensor:
    """Return what stands at one place of each row, ``[batch, 1, dim]``; all of ``x`` where no place is given.

    Args:
        x: ``[batch, time, dim]``.
        place: int64 ``[batch]``.
    """
    return x if place is None else x[torch.arange(len(x), device=x.device), place][:, None]
