"""Content of items as model inputs: whitened principal components of the encoders' vectors."""

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
    """A projection of each kind of vectors onto its whitened principal components.

    Attributes:
        spaces: by the name of the vectors; empty if no content is read.
    """

    spaces: Mapping[str, PCAWhitening]

    @classmethod
    def of(cls, data: Dataset, names: Sequence[str], components: int) -> ContentProjection:
        """Fit the projections on the items that have events; vectors that do not differ between them are left out.

        Args:
            data: with vectors; names that it does not have are skipped.
            names: of the vectors to read.
            components: how many directions of each, at most.
        """
        has_events = data.item_counts > 0
        vectors_by_name = {name: np.asarray(data.vectors[name], np.float32) for name in names if name in data.vectors}
        spaces = {name: PCAWhitening.of(vectors, has_events, components) for name, vectors in vectors_by_name.items()}
        return cls({name: space for name, space in spaces.items() if space.directions.size})

    @property
    def width(self) -> int:
        """The number of components in all."""
        return sum(space.directions.shape[1] for space in self.spaces.values())

    def project(self, data: Dataset, items: Offsets | None = None) -> Floats:
        """Return the projected content of items, float32 ``[n, width]``; zero where there is none.

        Args:
            data: with vectors of all these names.
            items: int64 ``[n]``; None for all, padding included.

        Raises:
            DataError: the data lacks vectors of one name.
        """
        if missing := [name for name in self.spaces if name not in data.vectors]:
            raise DataError(f"{data.name!r} has no vectors {missing[0]!r}, which this model reads: add them first")
        rows = slice(None) if items is None else items
        vectors_by_name = {name: np.asarray(data.vectors[name][rows], dtype=np.float32) for name in self.spaces}
        n = data.item_ids.size if items is None else len(items)
        parts = [space.project(vectors_by_name[name]) for name, space in self.spaces.items()]
        return np.hstack([np.zeros((n, 0), dtype=np.float32), *parts])

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the projection as named arrays that :meth:`from_arrays` reads."""
        means = {f"mean.{name}": space.mean for name, space in self.spaces.items()}
        return means | {f"directions.{name}": space.directions for name, space in self.spaces.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> ContentProjection:
        """Read the arrays of :meth:`to_arrays`, among other arrays."""
        names = [name.removeprefix("mean.") for name in arrays if name.startswith("mean.")]
        return cls({name: PCAWhitening(arrays[f"mean.{name}"], arrays[f"directions.{name}"]) for name in names})


@dataclass(frozen=True)
class PCAWhitening:
    """Principal components of the vectors of items, scaled to unit variance.

    Attributes:
        mean: float32 ``[width]``, of the vectors.
        directions: float32 ``[width, components]``, each divided by the deviation along it.
    """

    mean: Floats
    directions: Floats

    @classmethod
    def of(cls, vectors: Floats, has_events: Mask, components: int) -> PCAWhitening:
        """Fit the leading components of the vectors of some items.

        Args:
            vectors: float32 ``[n_items + 1, width]``; a zero row has no content.
            has_events: bool ``[n_items + 1]``, the items to fit on.
            components: how many directions, at most; there are none where the items do not differ.
        """
        sample = vectors[np.any(vectors, axis=1) & has_events].astype(np.float64)
        if len(sample) < 2:
            return cls(np.zeros(vectors.shape[1], np.float32), np.zeros((vectors.shape[1], 0), np.float32))
        mean = sample.mean(axis=0)
        variance, directions = np.linalg.eigh(np.cov(sample - mean, rowvar=False))
        leading = np.argsort(-variance)[:components]
        leading = leading[variance[leading] > max(1e-9 * variance.max(), 1e-12)]
        scaled = directions[:, leading] / np.sqrt(variance[leading])
        return cls(mean.astype(np.float32), scaled.astype(np.float32))

    def project(self, vectors: Floats) -> Floats:
        """Return the components of vectors, float32 ``[n, components]``; a zero row stays zero."""
        has_content = np.any(vectors, axis=1, keepdims=True)
        return np.where(has_content, (vectors - self.mean) @ self.directions, np.float32(0))
