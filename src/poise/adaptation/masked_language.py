from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from poise.adaptation.tokens import Passages, batches_of_similar_length
from poise.types import Offsets

HIDDEN = 0.15  # the share of tokens to predict, of which
_MASKED, _OTHER = 0.8, 0.1  # these shares are masked, and replaced by a random token; the rest stays


@dataclass(frozen=True)
class MaskedBatch:
    """Passages with some of their tokens hidden.

    Attributes:
        inputs: ``input_ids`` and ``attention_mask``, ``[n, time]``.
        targets: int64 ``[n, time]``, the hidden tokens; -1 elsewhere.
    """

    inputs: dict[str, Tensor]
    targets: Tensor


class MaskedBatches:
    """Passages in several passes, with other tokens hidden in each.

    Args:
        passages: to read from.
        rows: int64 ``[n]``, the passages to read.
        passes: how often each is read.
        batch_size: passages a batch.
        device: of the batches.
        seed: of the order and of the hidden tokens.
    """

    def __init__(
        self, passages: Passages, rows: Offsets, *, passes: int, batch_size: int, device: torch.device, seed: int
    ) -> None:
        rng = np.random.default_rng(seed)
        lengths = passages.lengths[rows]
        self.passages = passages
        self.rows = [
            rows[batch_rows]
            for _ in range(passes)
            for batch_rows in batches_of_similar_length(lengths, batch_size, rng)
        ]
        self.device = device
        self.seed = seed

    def __len__(self) -> int:
        return len(self.rows)

    def epoch(self, number: int, first: int = 0) -> Iterator[MaskedBatch]:
        """See :class:`poise.train.loop.Batches`."""
        for step in range(first, len(self)):
            rng = np.random.default_rng((self.seed, number, step))
            yield mask(self.passages.batch(self.rows[step], self.device), self.passages.tokenizer, rng)


def mask(inputs: dict[str, Tensor], tokenizer: Any, rng: np.random.Generator) -> MaskedBatch:
    """Hide a share of the tokens, never special tokens.

    The shares are those of Devlin, Chang, Lee and Toutanova, *BERT: Pre-training of Deep Bidirectional Transformers for
    Language Understanding*, 2019.
    """
    tokens = inputs["input_ids"].cpu().numpy()
    hidden = (rng.random(tokens.shape) < HIDDEN) & ~np.isin(tokens, tokenizer.all_special_ids)
    fate = rng.random(tokens.shape)
    read = np.where(hidden & (fate < _MASKED), tokenizer.mask_token_id, tokens)
    other = rng.integers(0, len(tokenizer), tokens.shape)
    read = np.where(hidden & (fate >= _MASKED) & (fate < _MASKED + _OTHER), other, read)
    device = inputs["input_ids"].device
    targets = torch.from_numpy(np.where(hidden, tokens, -1)).to(device)
    return MaskedBatch({**inputs, "input_ids": torch.from_numpy(read).to(device)}, targets)


class MaskedLanguageHead(nn.Module):
    """Predicts hidden tokens; a token scores by the product with its input embedding, so that few weights are new.

    Tying the two is from Press and Wolf, *Using the Output Embedding to Improve Language Models*, 2017.

    Args:
        width: of the model's hidden states.
        embedding: of the model's tokens, ``[vocabulary, embedding_dim]``; it stays the model's.
    """

    def __init__(self, width: int, embedding: Tensor) -> None:
        super().__init__()
        self.transform = nn.Sequential(
            nn.Linear(width, embedding.shape[1]), nn.GELU(), nn.LayerNorm(embedding.shape[1])
        )
        self.bias = nn.Parameter(torch.zeros(len(embedding)))
        self._embedding = [embedding]  # in a list, so that it is not a parameter of the head

    def forward(self, hidden: Tensor) -> Tensor:
        """Return logits ``[n, vocabulary]`` of hidden states ``[n, width]``."""
        return functional.linear(self.transform(hidden), self._embedding[0], self.bias)


def masked_language_loss(language_model: nn.Module, head: MaskedLanguageHead, batch: MaskedBatch) -> Tensor:
    """Return the cross-entropy of the hidden tokens, a scalar; zero if none is hidden."""
    states = language_model(**batch.inputs).last_hidden_state  # [n, time, width]
    is_hidden = batch.targets >= 0
    logits = head(states[is_hidden])
    return functional.cross_entropy(logits, batch.targets[is_hidden], reduction="sum") / is_hidden.sum().clamp(min=1)
