from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _quick(quick_learning: None) -> None:
    """What a project does around a model is tested here, not how well it learns."""
