"""What a text encoder runs on: a model on this machine, or a service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from poise.types import Floats


class Backend(Protocol):
    """Turns texts into vectors. Making one is quick: a model is loaded when the first text comes."""

    batch_size: int
    """How many texts to give it at once, unless the user says otherwise."""

    @property
    def identity(self) -> str:
        """Names the model and its version: with equal identities, equal texts get equal vectors."""

    def reads(self, script: str) -> bool:
        """Say whether it knows a script, by its name in :mod:`poise.data.writing_systems`; true if unknown."""

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return a vector for each text, float32 ``[n, dim]``, of any length."""
