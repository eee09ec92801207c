"""What models share that give each item a vector."""

from __future__ import annotations

import numpy as np

from poise.types import Floats, Indices


def unit(vectors: Floats) -> Floats:
    """Return the rows scaled to length 1; a zero row stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0))


def cosine_scores(vectors: Floats, items: Indices) -> Floats:
    """Return the cosine between the vectors of ``items`` and of every item, float32 ``[n, n_items + 1]``."""
    directions = unit(vectors)
    return directions[items] @ directions.T
