"""Names for the arrays that pass between the parts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int32]
"""Dense indices of users, items or behaviours; 0 is padding."""

Offsets = npt.NDArray[np.int64]
"""Positions in a log; row i of a ragged array is ``values[offsets[i]:offsets[i + 1]]``."""

Codes = npt.NDArray[np.uint8]
"""Small numbers that stand for names."""

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
