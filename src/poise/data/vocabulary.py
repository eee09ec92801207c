from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import polars as pl

from poise.errors import DataError
from poise.types import Indices

_BULK = 2_000  # look-ups at once, from which polars is quicker than a dictionary


class Vocabulary:
    """Outer ids (any string) to dense int32 and back. Index 0 is padding and stands for all that is unknown.

    Args:
        ids: the outer ids in index order: the first gets index 1. Unique, none missing.

    Raises:
        DataError: an id is missing or stands twice.
    """

    def __init__(self, ids: pl.Series | Sequence[str]) -> None:
        series = ids if isinstance(ids, pl.Series) else pl.Series("id", ids, dtype=pl.String)
        self.series = series.cast(pl.String).rename("id")
        if self.series.null_count():
            raise DataError("an id is missing: every user and item needs one")
        if self.series.n_unique() != len(self.series):
            twice = self.series.filter(self.series.is_duplicated())[0]
            raise DataError(f"the id {twice!r} stands twice: ids must be unique")

    @classmethod
    def _trusted(cls, series: pl.Series) -> Vocabulary:
        """Wrap ids that are known to be unique, as they come from a saved vocabulary, without looking at them."""
        vocabulary = cls.__new__(cls)
        vocabulary.series = series
        return vocabulary

    def __len__(self) -> int:
        """Return the number of ids, padding not counted; the largest index."""
        return len(self.series)

    @property
    def size(self) -> int:
        """The number of indices, padding included: the length of an array that is addressed by index."""
        return len(self.series) + 1

    def __contains__(self, outer_id: object) -> bool:
        return outer_id in self._lookup

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Vocabulary) and len(self) == len(other) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def index(self, outer_ids: Iterable[str] | pl.Series) -> Indices:
        """Return the index of each id, int32 ``[n]``; 0 where it is unknown."""
        series = outer_ids if isinstance(outer_ids, pl.Series) else pl.Series(list(outer_ids), dtype=pl.String)
        series = series.cast(pl.String)
        if len(series) < _BULK:
            lookup = self._lookup
            return np.fromiter((lookup.get(outer_id, 0) for outer_id in series), dtype=np.int32, count=len(series))
        indices = series.cast(self._enumeration, strict=False).to_physical().cast(pl.Int32) + 1
        return indices.fill_null(0).to_numpy()

    def ids(self, indices: Indices | Sequence[int]) -> list[str]:
        """Return the outer id of each index; the padding index 0 is left out."""
        array = np.asarray(indices, dtype=np.int64)
        return self.series.gather(array[array > 0] - 1).to_list()

    def id(self, index: int) -> str:
        """Return the outer id of one index, which must not be padding."""
        if not 0 < index < self.size:
            raise IndexError(f"index {index} is not in 1..{len(self)}")
        return str(self.series[int(index) - 1])

    def begins_with(self, first: Vocabulary) -> bool:
        """Tell whether its first ids are those of another vocabulary, in the same order."""
        return self is first or self.series.head(len(first)).equals(first.series)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all the ids in order, stable across machines and versions."""
        digest = hashlib.blake2b(digest_size=16)
        for start in range(0, len(self.series), 65_536):
            part = self.series[start : start + 65_536]
            digest.update(part.str.len_bytes().cast(pl.UInt32).to_numpy().astype("<u4").tobytes())  # where ids end
            digest.update("".join(part.to_list()).encode())
        return digest.hexdigest()

    @cached_property
    def _enumeration(self) -> pl.Enum:
        return pl.Enum(self.series)

    @cached_property
    def _lookup(self) -> dict[str, int]:
        return dict(zip(self.series.to_list(), range(1, self.size), strict=True))
