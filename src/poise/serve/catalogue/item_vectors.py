"""Vectors of the catalogue's items, for semantic search and for models that score new items."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from poise.encoders.passage import compose
from poise.encoders.text import TextEncoder
from poise.serve.catalogue.catalogue import Catalogue
from poise.types import Doubles, Floats


class ItemVectors:
    """The vectors of a catalogue's items, by index; those that are not encoded yet are zero.

    Args:
        encoder: of texts; None where the project has none.
    """

    def __init__(self, encoder: TextEncoder | None) -> None:
        self.encoder = encoder
        self._vectors: Floats | None = None
        self._texts: dict[int, str] = {}
        self.version = 0  # raised when something was encoded
        self._lock = threading.Lock()

    @property
    def encoded(self) -> list[int]:
        """The items that were encoded, if with another text than they have now."""
        with self._lock:
            return list(self._texts)

    def encode(self, catalogue: Catalogue, items: Sequence[int]) -> None:
        """Encode the texts of some items, unless they are encoded already. It is slow: call it in a thread.

        Raises:
            PoiseError: the encoder cannot be had.
        """
        if self.encoder is None or not items:
            return
        passages = compose(catalogue.dataset(), self.encoder.columns)
        changed = [item for item in items if passages[item - 1] and self._texts.get(item) != passages[item - 1]]
        if not changed:
            return
        texts = [passages[item - 1] for item in changed]
        new_vectors = self.encoder.encode(texts)
        with self._lock:
            vectors = self._of_size(catalogue.item_ids.size, new_vectors.shape[1]).copy()
            vectors[changed] = new_vectors
            self._vectors = vectors
            self._texts.update(zip(changed, texts, strict=True))
            self.version += 1

    def vectors(self, size: int) -> dict[str, Floats]:
        """Return the vectors by the encoder's name, float32 ``[size, dim]``; empty where nothing is encoded."""
        if self.encoder is None or self._vectors is None:
            return {}
        with self._lock:
            return {self.encoder.name: self._of_size(size, self._vectors.shape[1])[:size]}

    def scores(self, query: str, size: int) -> Doubles | None:
        """Return the cosine of each item with a query, float64 ``[size]``; None where nothing is encoded yet."""
        if self.encoder is None or self._vectors is None:
            return None
        query_vector = self.encoder.encode([query])[0]
        return np.asarray(self.vectors(size)[self.encoder.name] @ query_vector, dtype=np.float64)

    def _of_size(self, size: int, width: int) -> Floats:
        there = np.zeros((0, width), dtype=np.float32) if self._vectors is None else self._vectors
        if len(there) >= size:
            return there
        return np.concatenate([there, np.zeros((size - len(there), width), dtype=np.float32)])
