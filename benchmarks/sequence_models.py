"""Sequence models at their defaults, several seeds, with what each part of them adds, and blended with others.

Leave-last-out, whole catalogue ranked, seen items masked, test part. When to stop and how to blend is chosen on the
validation part, whose events are not learnt from.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._common import peak_memory_mb, write_result
from benchmarks._data import NAMES, encoded
from poise.data.dataset import Dataset
from poise.data.holdout import Holdout


def cold(train: Dataset, test: Holdout) -> Holdout:
    """Return the test requests whose target has no training event: still ranked in the whole catalogue."""
    return test.take(train.item_counts[test.targets.values[test.targets.offsets[:-1]]] == 0)


def main() -> None:
    from poise.data.split import leave_last_out
    from poise.evaluation import evaluate
    from poise.models import EASE, Blend, Content
    from poise.models.blend_weights import choose_weights
    from poise.models.sasrec import SASRec
    from poise.models.validation import sample

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--items", nargs="+", choices=["fused", "text", "id"], default=["fused", "text", "id"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--beauty", type=Path, help="the folder with sequences.txt and items.jsonl")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name in options.data:
        split = leave_last_out(encoded(name, options.beauty))
        others = [EASE().fit(split.train, split.valid), Content().fit(split.train, split.valid)]
        for seed in range(options.seeds):
            models: dict[str, Any] = {}
            seconds: dict[str, float] = {}
            for items in options.items:
                start = time.perf_counter()
                models[f"SASRec, {items}"] = SASRec(items=items, seed=seed).fit(split.train, split.valid)
                seconds[f"SASRec, {items}"] = round(time.perf_counter() - start, 1)
            if "fused" in options.items:
                members = [models["SASRec, fused"], *others]
                weights = choose_weights(members, sample(split.valid))
                blend = Blend(members=members, weights=np.round(weights, 3).tolist())
                blend.chosen = {"weights": blend.weights}
                blend.item_ids, blend.data_fingerprint = others[0].item_ids, others[0].data_fingerprint
                models["Blend of SASRec, EASE, Content"] = blend
            parts = {"all": split.test, "cold": cold(split.train, split.test)}
            for targets, part in parts.items():
                if len(part):
                    report = evaluate(models, part, k=10, metrics=["Recall", "NDCG"])
                    rows += [
                        {
                            "data": name,
                            "model": called,
                            "seed": seed,
                            "targets": targets,
                            "requests": len(part),
                            **{
                                key: value
                                for metric in ("Recall", "NDCG")
                                for found in [report.estimates[called][f"{metric}@10"]]
                                for key, value in (
                                    (f"{metric.lower()}_at_10", round(found.value, 4)),
                                    (f"{metric.lower()}_interval", f"{found.low:.4f} to {found.high:.4f}"),
                                )
                            },
                            "fit_seconds": seconds.get(called, ""),
                            "chosen": str(models[called].chosen),
                            "peak_memory_mb": round(peak_memory_mb()),
                        }
                        for called in models
                    ]
    write_result("sequence_models", rows)


if __name__ == "__main__":
    main()
