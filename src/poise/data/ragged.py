from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from poise.types import Indices, Offsets


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths in one array.

    Attributes:
        values: int32 ``[total]``, the rows one after the other.
        offsets: int64 ``[n_rows + 1]``; row i is ``values[offsets[i]:offsets[i + 1]]``.
    """

    values: Indices
    offsets: Offsets

    @classmethod
    def from_rows(cls, rows: Iterable[Sequence[int] | Indices]) -> Ragged:
        """Pack rows of item indices."""
        arrays = [np.asarray(row, dtype=np.int32) for row in rows]
        offsets = np.zeros(len(arrays) + 1, dtype=np.int64)
        np.cumsum([len(array) for array in arrays], out=offsets[1:])
        return cls(np.concatenate(arrays) if arrays else np.empty(0, dtype=np.int32), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> Indices:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> Offsets:
        """The length of each row, int64 ``[n_rows]``."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> Offsets:
        """The row that each value stands in, int64 ``[total]``."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def without_repeats(self) -> Ragged:
        """Return the same rows with each item once, in order, and without padding."""
        rows = (self[row] for row in range(len(self)))
        return Ragged.from_rows([np.unique(row[row > 0]) for row in rows])

    def take(self, rows: Offsets) -> Ragged:
        """Return the chosen rows, in the order given."""
        positions, offsets = gather_slices(self.offsets[:-1][rows], self.offsets[1:][rows])
        return Ragged(self.values[positions], offsets)


def gather_slices(start: Offsets, stop: Offsets) -> tuple[Offsets, Offsets]:
    """Return the positions that the slices ``start[i]:stop[i]`` cover, one slice after the other, and their offsets.

    Args:
        start: int64 ``[n]``.
        stop: int64 ``[n]``, none below its start.

    Returns:
        positions int64 ``[total]`` and offsets int64 ``[n + 1]``.
    """
    lengths = stop - start
    offsets = np.zeros(len(start) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    positions = np.arange(offsets[-1], dtype=np.int64) + np.repeat(start - offsets[:-1], lengths)
    return positions, offsets


def side_by_side(parts: Sequence[Ragged]) -> Ragged:
    """Return rows that hold those of one or several Raggeds of equally many rows, one after the other."""
    if len(parts) == 1:
        return parts[0]
    order = np.argsort(np.concatenate([part.rows for part in parts]), kind="stable")
    offsets = np.sum([part.offsets for part in parts], axis=0)
    return Ragged(np.concatenate([part.values for part in parts])[order], offsets)
