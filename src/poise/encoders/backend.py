"""The backend of a text encoder: a model on this machine, or a service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from poise.types import Floats


class Backend(Protocol):
    """Turns texts into vectors. Constructing one is quick: the model is loaded with the first text."""

    batch_size: int
    """How many texts to encode at once by default."""

    @property
    def identity(self) -> str:
        """The model and its version: with equal identities, equal texts get equal vectors."""

    def reads(self, script: str) -> bool:
        """Return whether it reads a script, named as in :mod:`poise.data.writing_systems`; True if unknown."""

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return a vector for each text, float32 ``[n, dim]``, of any length."""
