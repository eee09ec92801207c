from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from poise.types import Offsets

_WINDOW = 16  # batches whose rows are sorted by length together: few enough to stay random


class Passages:
    """Texts as tokens: made once, padded batch by batch.

    Args:
        tokenizer: of the transformers library.
        texts: one a passage.
        max_tokens: how many of each are read at most, the marks at both ends included.
    """

    def __init__(self, tokenizer: Any, texts: Sequence[str], max_tokens: int) -> None:
        self.tokenizer = tokenizer
        self._tokens: list[list[int]] = tokenizer(list(texts), truncation=True, max_length=max_tokens)["input_ids"]
        self.lengths = np.fromiter(map(len, self._tokens), dtype=np.int64, count=len(self._tokens))

    def batch(self, rows: Offsets, device: Any) -> dict[str, Tensor]:
        """Return the passages ``rows``, int64 ``[n]``, as ``input_ids`` and ``attention_mask``, ``[n, longest]``."""
        padded = self.tokenizer.pad({"input_ids": [self._tokens[row] for row in rows]}, return_tensors="pt")
        return {name: value.to(device) for name, value in padded.items()}


def alike(lengths: Offsets, size: int, rng: np.random.Generator) -> list[Offsets]:
    """Return all rows as batches of ``size`` in random order, each of rows of about the same length."""
    rows = rng.permutation(len(lengths))
    batches: list[Offsets] = []
    for first in range(0, len(rows), _WINDOW * size):
        some = rows[first : first + _WINDOW * size]
        some = some[np.argsort(lengths[some], kind="stable")]
        batches += [some[start : start + size] for start in range(0, len(some), size)]
    return [batches[at] for at in rng.permutation(len(batches))]
