"""Every history-based model at its defaults: leave-last-out, whole catalogue ranked, seen items masked, test part.

Options that a model chooses are chosen on the validation part, whose events it does not learn from.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from benchmarks._common import peak_memory_mb, write_result
from benchmarks._data import NAMES, encoded


def main() -> None:
    from poise.data.split import leave_last_out
    from poise.evaluation import evaluate
    from poise.models import ALS, BPR, EASE, Blend, Content, ItemKNN, Popularity, Random

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--beauty", type=Path, help="the folder with sequences.txt and items.jsonl")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name in options.data:
        split = leave_last_out(encoded(name, options.beauty))
        makers = {
            "Random": Random,
            "Popularity": Popularity,
            "ItemKNN": ItemKNN,
            "EASE, order forgotten": lambda: EASE(decay=1.0),
            "EASE": EASE,
            "EASE, all weights kept": lambda: EASE(neighbours=10**9, left_out=0),
            "ALS": ALS,
            "BPR": BPR,
            "Content": Content,
            "Blend": lambda: Blend(members=[EASE(), ItemKNN(), Popularity(), Content()]),
        }
        models = {}
        seconds = {}
        for called, make in makers.items():
            start = time.perf_counter()
            models[called] = make().fit(split.train, split.valid)
            seconds[called] = time.perf_counter() - start
        report = evaluate(models, split.test, k=10, metrics=["Recall", "NDCG", "Coverage"])
        for called, model in models.items():
            estimates = report.estimates[called]
            recall, ndcg = estimates["Recall@10"], estimates["NDCG@10"]
            rows.append(
                {
                    "data": name,
                    "model": called,
                    "recall_at_10": round(recall.value, 4),
                    "recall_interval": f"{recall.low:.4f} to {recall.high:.4f}",
                    "ndcg_at_10": round(ndcg.value, 4),
                    "ndcg_interval": f"{ndcg.low:.4f} to {ndcg.high:.4f}",
                    "coverage_at_10": round(estimates["Coverage@10"].value, 3),
                    "fit_seconds": round(seconds[called], 1),
                    "rank_seconds": round(report.seconds[called], 1),
                    "chosen": str(model.selected.to_dict() or ""),
                    "peak_memory_mb": round(peak_memory_mb()),
                }
            )
    write_result("history_models", rows)


if __name__ == "__main__":
    main()
