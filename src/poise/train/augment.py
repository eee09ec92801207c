"""Sequences varied each time they are shown, so that few people's histories teach more.

The operations are those of Xie et al., *Contrastive Learning for Sequential Recommendation*, 2022, applied to the
inputs of next-item prediction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from poise.types import Offsets


@dataclass(frozen=True)
class Augmentation:
    """How sequences are varied.

    Attributes:
        crop: the share of sequences of which only a part in one piece, of random length and place, is shown.
        shuffle: the share of sequences in which a part of the inputs, a third of the length, stands in random order.
        mask: the share of input events that are hidden (made padding).
    """

    crop: float = 0.0
    shuffle: float = 0.0
    mask: float = 0.0


def crop(
    start: Offsets, stop: Offsets, augmentation: Augmentation, rng: np.random.Generator
) -> tuple[Offsets, Offsets]:
    """Return where to cut each sequence: all of it, or a random piece of two events or more."""
    lengths = stop - start
    chosen = rng.random(len(start)) < augmentation.crop
    size = np.where(chosen, 2 + np.floor(rng.random(len(start)) * (lengths - 1)).astype(np.int64), lengths)
    start = start + np.where(chosen, np.floor(rng.random(len(start)) * (lengths - size + 1)).astype(np.int64), 0)
    return start, start + size


def disturb(inputs: Offsets, lengths: Offsets, augmentation: Augmentation, rng: np.random.Generator) -> Offsets:
    """Return the inputs, int64 ``[batch, time]`` of ``lengths`` events each, shuffled and masked."""
    if augmentation.shuffle:
        inputs = _shuffle(inputs, lengths, augmentation.shuffle, rng)
    if augmentation.mask:
        inputs = np.where(rng.random(inputs.shape) < augmentation.mask, 0, inputs)
    return inputs


def _shuffle(inputs: Offsets, lengths: Offsets, share: float, rng: np.random.Generator) -> Offsets:
    size = np.maximum(lengths // 3, 2)
    first = np.floor(rng.random(len(inputs)) * np.maximum(lengths - size + 1, 1)).astype(np.int64)
    place = np.arange(inputs.shape[1])
    chosen = rng.random(len(inputs)) < share
    inside = (place >= first[:, None]) & (place < (first + size)[:, None]) & (place < lengths[:, None])
    inside &= chosen[:, None]
    # Outside the part an event keeps its place; inside, random keys between the two ends decide.
    keys = np.where(inside, first[:, None] + rng.random(inputs.shape) * size[:, None], place)
    return np.take_along_axis(inputs, np.argsort(keys, axis=1, kind="stable"), axis=1)
