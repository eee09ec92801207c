"""Sequences varied each time they are shown, so that few people's histories teach more.

The operations are those of Xie et al., *Contrastive Learning for Sequential Recommendation*, 2022, applied to the
inputs of next-item prediction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from poise.types import Mask, Offsets


@dataclass(frozen=True)
class Augmentation:
    """How sequences are varied.

    Attributes:
        crop: the share of sequences of which only a part in one piece, of random length and place, is shown.
        shuffle: the share of sequences in which a part of the inputs, a third of the length, stands in random order.
        mask_prob: the share of input events that are hidden (made padding).
    """

    crop: float = 0.0
    shuffle: float = 0.0
    mask_prob: float = 0.0


def crop(
    start: Offsets, stop: Offsets, augmentation: Augmentation, rng: np.random.Generator
) -> tuple[Offsets, Offsets]:
    """Return where to cut each sequence: all of it, or a random piece of two events or more."""
    lengths = stop - start
    is_cropped = rng.random(len(start)) < augmentation.crop
    size = np.where(is_cropped, 2 + np.floor(rng.random(len(start)) * (lengths - 1)).astype(np.int64), lengths)
    start = start + np.where(is_cropped, np.floor(rng.random(len(start)) * (lengths - size + 1)).astype(np.int64), 0)
    return start, start + size


def disturb(
    shape: tuple[int, ...], lengths: Offsets, augmentation: Augmentation, rng: np.random.Generator
) -> tuple[Offsets, Mask]:
    """Return how to shuffle and mask inputs.

    Args:
        shape: batch and time of the inputs.
        lengths: int64 ``[batch]``, how many events each row has.
        augmentation: how much.
        rng: what draws.

    Returns:
        for each place which place to take the event from, int64 ``[batch, time]``, and which places are hidden, bool.
    """
    order = np.broadcast_to(np.arange(shape[1]), shape)
    if augmentation.shuffle:
        order = _shuffled(order, lengths, augmentation.shuffle, rng)
    hidden = rng.random(shape) < augmentation.mask_prob if augmentation.mask_prob else np.zeros(shape, dtype=np.bool_)
    return order, hidden


def _shuffled(place: Offsets, lengths: Offsets, share: float, rng: np.random.Generator) -> Offsets:
    size = np.maximum(lengths // 3, 2)
    first = np.floor(rng.random(len(place)) * np.maximum(lengths - size + 1, 1)).astype(np.int64)
    is_shuffled = rng.random(len(place)) < share
    inside = (place >= first[:, None]) & (place < (first + size)[:, None]) & (place < lengths[:, None])
    inside &= is_shuffled[:, None]
    # Outside the part an event keeps its place; inside, random keys between the two ends decide.
    keys = np.where(inside, first[:, None] + rng.random(place.shape) * size[:, None], place)
    return np.argsort(keys, axis=1, kind="stable")
