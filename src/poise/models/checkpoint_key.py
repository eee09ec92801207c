from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.recommender import Recommender


def checkpoint_key(model: Recommender, data: Dataset, valid: Holdout | None, seed: int, epochs: int | None) -> str:
    """Return a name for what a model learns from what, so that no checkpoint is taken for another's.

    Args:
        model: a dataclass of options.
        data: what it learns from.
        valid: what it is checked on.
        seed: that it learns with.
        epochs: after which it is to stop; None where validation says when.
    """
    fields: dict[str, Any] = asdict(model)  # type: ignore[call-overload]
    fields["seed"] = seed
    told = json.dumps([fields, data.fingerprint, None if valid is None else len(valid), epochs])
    return f"{model.name}-{hashlib.blake2b(told.encode(), digest_size=8).hexdigest()}"
