from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from poise.types import Offsets

_WINDOW = 16  # batches whose rows are sorted by length together: few enough to stay random


class Passages:
    """Tokenised texts, padded batch by batch.

    Args:
        tokenizer: of the transformers library.
        texts: one per passage.
        max_tokens: the largest number of tokens of each, special tokens included.
    """

    def __init__(self, tokenizer: Any, texts: Sequence[str], max_tokens: int) -> None:
        self.tokenizer = tokenizer
        self._tokens: list[list[int]] = tokenizer(list(texts), truncation=True, max_length=max_tokens)["input_ids"]
        self.lengths = np.fromiter(map(len, self._tokens), dtype=np.int64, count=len(self._tokens))

    def batch(self, rows: Offsets, device: Any) -> dict[str, Tensor]:
        """Return the passages ``rows``, int64 ``[n]``, as ``input_ids`` and ``attention_mask``, ``[n, longest]``."""
        padded = self.tokenizer.pad({"input_ids": [self._tokens[row] for row in rows]}, return_tensors="pt")
        return {name: value.to(device) for name, value in padded.items()}


def batches_of_similar_length(lengths: Offsets, size: int, rng: np.random.Generator) -> list[Offsets]:
    """Return all rows in batches of ``size`` in random order, each of rows of similar length."""
    rows = rng.permutation(len(lengths))
    batches: list[Offsets] = []
    for first in range(0, len(rows), _WINDOW * size):
        window = rows[first : first + _WINDOW * size]
        window = window[np.argsort(lengths[window], kind="stable")]
        batches += [window[start : start + size] for start in range(0, len(window), size)]
    return [batches[index] for index in rng.permutation(len(batches))]
