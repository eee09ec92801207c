"""What tuning the text encoder on the catalogue and the log is worth: `Content` with each encoder, warm and cold items.

A twentieth of the items, drawn at random, lose all their training events; the people whose validation item is one of
them are the questions about cold items. Every question ranks the whole catalogue.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._common import write_result
from benchmarks._data import NAMES, encoded
from poise.adaptation import Adaptation, adapt
from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.split import leave_last_out
from poise.encoders import TextEncoder
from poise.evaluation import evaluate
from poise.models import Content
from poise.models.validation import sample

COLD = 0.05  # the share of items without training events
VARIANTS: dict[str, dict[str, Any] | None] = {
    "frozen": None,
    "masked words": {"masked": 1, "pairs": 0},
    "pairs, LoRA": {},
    "pairs, all weights": {"lora": 0},
    "masked words, then pairs, LoRA": {"masked": 1},
}


def parts(data: Dataset) -> tuple[Dataset, Holdout, Holdout]:
    """Return what may be learnt from, and the questions about warm and about cold items."""
    split = leave_last_out(data)
    cold = np.zeros(data.item_ids.size, dtype=np.bool_)
    drawn = np.random.default_rng(7).choice(data.n_items, round(COLD * data.n_items), replace=False)
    cold[1 + drawn] = True
    train = split.train.select(~cold[split.train.events.item])
    targets = split.valid.targets.values[split.valid.targets.offsets[:-1]]
    valid = replace(split.valid, train=train)
    return train, sample(valid.take(train.item_counts[targets] > 0)), valid.take(cold[targets])


def measure(train: Dataset, warm: Holdout, cold: Holdout) -> tuple[dict[str, float], Content]:
    """Return the figures of Content on the vectors of a data set."""
    model = Content().fit(train, warm)
    metrics = {}
    for name, questions in (("warm", warm), ("cold", cold)):
        estimates = evaluate(model, questions, k=10, metrics=["Recall", "NDCG"], resamples=10).estimates["Content"]
        metrics |= {f"{name}_{figure}": estimates[figure].value for figure in ("Recall@10", "NDCG@10")}
    return metrics, model


def significance(models: dict[str, Content], warm: Holdout) -> dict[str, float]:
    """Return the p value of each variant's difference from the frozen encoder, on warm items by NDCG@10."""
    metrics = {}
    for name, model in models.items():
        if name != "frozen":
            report = evaluate({"frozen": models["frozen"], name: model}, warm, k=10, metrics=["NDCG"], resamples=10)
            metrics[name] = report.significance()[0].p
    return metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", choices=NAMES, action="append", help="several times; default: the first two")
    parser.add_argument("--variant", choices=list(VARIANTS), action="append", help="several times; default: all")
    parser.add_argument("--minutes", type=float, default=Adaptation().minutes, help="for tuning, without encoding")
    parser.add_argument("--beauty", type=Path, help="the folder of Amazon Beauty")
    parser.add_argument("--threads", type=int, help="of torch; default: its own choice")
    options = parser.parse_args()
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    rows: list[dict[str, Any]] = []
    for name in options.data or NAMES[:2]:
        train, warm, cold = parts(encoded(name, options.beauty))
        models: dict[str, Content] = {}
        of_data = []
        for variant in dict.fromkeys(["frozen", *(options.variant or VARIANTS)]):
            started = time.perf_counter()
            tuned, seconds = train, 0.0
            if (chosen := VARIANTS[variant]) is not None:
                with tempfile.TemporaryDirectory() as folder:
                    encoder = adapt(
                        train,
                        Path(folder) / "encoder",
                        encoder=TextEncoder(cache=False),  # nobody will use its vectors again
                        adaptation=Adaptation(**chosen, minutes=options.minutes),
                    )
                    seconds = time.perf_counter() - started
                    tuned = encoder.encode_items(train)
            figures, models[variant] = measure(tuned, warm, cold)
            of_data.append({"data": name, "encoder": variant} | figures | {"tuning_s": round(seconds)})
            print(of_data[-1], flush=True)
        p = significance(models, warm)
        rows += [row | {"p_warm_NDCG": p.get(str(row["encoder"]), 1.0)} for row in of_data]
    write_result("encoder_adaptation", rows)


if __name__ == "__main__":
    main()
