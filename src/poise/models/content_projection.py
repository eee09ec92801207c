"""What the content of items means, as far as a model that reads it can tell them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from poise.data.dataset import Dataset
from poise.errors import DataError
from poise.types import Floats, Mask, Offsets


@dataclass(frozen=True)
class ContentProjection:
    """The subspaces of the vectors that encoders gave, one a kind.

    Attributes:
        spaces: by the name of the vectors; without any, no content is read.
    """

    spaces: Mapping[str, PCAWhitening]

    @classmethod
    def of(cls, data: Dataset, names: Sequence[str], components: int) -> ContentProjection:
        """Find the subspaces of vectors by the items that have events; those in which these do not differ are left out.

        Args:
            data: with vectors; of kinds that it has not there are none.
            names: of the kinds.
            components: how many directions of each, at most.
        """
        learnt = data.item_counts > 0
        found = {name: np.asarray(data.vectors[name], np.float32) for name in names if name in data.vectors}
        spaces = {name: PCAWhitening.of(vectors, learnt, components) for name, vectors in found.items()}
        return cls({name: space for name, space in spaces.items() if space.directions.size})

    @property
    def width(self) -> int:
        """The number of components in all."""
        return sum(space.directions.shape[1] for space in self.spaces.values())

    def project(self, data: Dataset, items: Offsets | None = None) -> Floats:
        """Return what items mean, float32 ``[n, width]``; zero where nothing is known.

        Args:
            data: with vectors of all the kinds.
            items: int64 ``[n]``, which; None for all, padding included.

        Raises:
            DataError: the data has no vectors of a kind.
        """
        if missing := [name for name in self.spaces if name not in data.vectors]:
            raise DataError(f"{data.name!r} has no vectors {missing[0]!r}, which this model reads: add them first")
        chosen = slice(None) if items is None else items
        found = {name: np.asarray(data.vectors[name][chosen], dtype=np.float32) for name in self.spaces}
        n = data.item_ids.size if items is None else len(items)
        parts = [space.project(found[name]) for name, space in self.spaces.items()]
        return np.hstack([np.zeros((n, 0), dtype=np.float32), *parts])

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return it as named arrays that :meth:`from_arrays` reads."""
        means = {f"mean.{name}": space.mean for name, space in self.spaces.items()}
        return means | {f"directions.{name}": space.directions for name, space in self.spaces.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> ContentProjection:
        """Read what :meth:`to_arrays` gave, among other arrays."""
        names = [name.removeprefix("mean.") for name in arrays if name.startswith("mean.")]
        return cls({name: PCAWhitening(arrays[f"mean.{name}"], arrays[f"directions.{name}"]) for name in names})


@dataclass(frozen=True)
class PCAWhitening:
    """The directions in which the vectors of items differ most, scaled so that each differs by as much.

    Attributes:
        mean: float32 ``[width]``, what the items have in common.
        directions: float32 ``[width, components]``, each divided by the deviation along it.
    """

    mean: Floats
    directions: Floats

    @classmethod
    def of(cls, vectors: Floats, learnt: Mask, components: int) -> PCAWhitening:
        """Find the leading directions of the vectors of some items.

        Args:
            vectors: float32 ``[n_items + 1, width]``; a zero row has no meaning.
            learnt: bool ``[n_items + 1]``, the items to find them by.
            components: how many directions, at most; there are none where the items do not differ.
        """
        sample = vectors[np.any(vectors, axis=1) & learnt].astype(np.float64)
        if len(sample) < 2:
            return cls(np.zeros(vectors.shape[1], np.float32), np.zeros((vectors.shape[1], 0), np.float32))
        mean = sample.mean(axis=0)
        variance, directions = np.linalg.eigh(np.cov(sample - mean, rowvar=False))
        kept = np.argsort(-variance)[:components]
        kept = kept[variance[kept] > max(1e-9 * variance.max(), 1e-12)]
        scaled = directions[:, kept] / np.sqrt(variance[kept])
        return cls(mean.astype(np.float32), scaled.astype(np.float32))

    def project(self, vectors: Floats) -> Floats:
        """Return where vectors lie in it, float32 ``[n, components]``; a zero row stays zero."""
        known = np.any(vectors, axis=1, keepdims=True)
        return np.where(known, (vectors - self.mean) @ self.directions, np.float32(0))
