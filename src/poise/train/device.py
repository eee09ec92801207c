"""Where torch computes, and in which precision."""

from __future__ import annotations

import contextlib
from typing import Literal

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


Precision = Literal["auto", "float32", "bfloat16", "float16"]


def working_type(device: torch.device, precision: Precision) -> torch.dtype:
    """Return the type in which a network's products are computed while it learns.

    ``auto`` takes what is quicker and as good: on NVIDIA cards bfloat16, or float16 where a card does not know that; on
    other devices float32, since layers as small as these gain nothing there.
    """
    if precision != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[precision]
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def autocast(device: torch.device, dtype: torch.dtype) -> contextlib.AbstractContextManager[object]:
    """Compute matrix products in ``dtype``."""
    return contextlib.nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype=dtype)


def low_precision(device: torch.device) -> torch.dtype:
    """Return the type in which large products are quickest: bfloat16 where there are units for it, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    has_tiles = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)  # not public, so it may go
    return torch.bfloat16 if device.type == "cpu" and has_tiles() else torch.float32
