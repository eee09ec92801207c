from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.recommender import Recommender


def checkpoint_key(model: Recommender, data: Dataset, valid: Holdout | None, seed: int, epochs: int | None) -> str:
    """Return a name for a model and the data it is fitted on, so that no checkpoint is taken for another's.

    Args:
        model: a dataclass of options.
        data: what it learns from.
        valid: what it is checked on.
        seed: that it learns with.
        epochs: after which it stops; None where validation says when.
    """
    fields: dict[str, Any] = asdict(model)  # type: ignore[call-overload]
    fields["seed"] = seed
    description = json.dumps([fields, data.fingerprint, None if valid is None else len(valid), epochs])
    return f"{model.name}-{hashlib.blake2b(description.encode(), digest_size=8).hexdigest()}"
