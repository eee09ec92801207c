"""Where torch computes, and in which precision."""

from __future__ import annotations

import contextlib

import torch

from poise.errors import UsageError


def pick_device(name: str | None = None) -> torch.device:
    """Return the device of that name, or the best there is: an NVIDIA card, an Apple one, else the processor.

    Raises:
        UsageError: there is no such device.
    """
    if name is None:
        best = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        return torch.device(best)
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):
        raise UsageError(f"device {name!r} is not there; use 'cpu', or None for the best there is") from None
    return device


def autocast(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Compute matrix products in bfloat16 where that is quicker and as good: on NVIDIA cards that know it."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return contextlib.nullcontext()


def low_precision(device: torch.device) -> torch.dtype:
    """Return the type in which large products are quickest: bfloat16 where there are units for it, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    has_tiles = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)  # not public, so it may go
    return torch.bfloat16 if device.type == "cpu" and has_tiles() else torch.float32
