"""How the server is."""

from __future__ import annotations

from msgspec import Struct


class Health(Struct, frozen=True):
    """Whether the server lives, and the run that it serves."""

    status: str
    run: str | None = None
    reason: str | None = None
