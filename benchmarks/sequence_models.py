"""SASRec at its defaults with what each part adds, and the default pipeline: leave-last-out, several seeds.

The whole catalogue is ranked, seen items are masked, figures are on the test part. When to stop and how to blend is
chosen on the validation part, whose events are not learnt from; with ``--refit`` the default pipeline is also learnt
anew from training and validation events together, and it and its SASRec are reported apart. Intervals are over requests
and seeds: both are resampled.

Targets (Recall@10 / NDCG@10): Amazon Beauty .100 / .058, its cold items .10 / .04, MovieLens 1M .315 / .182, MovieLens
100K .205 / .110.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._common import peak_memory_mb, write_result
from benchmarks._data import NAMES, encoded
from poise.data.dataset import Dataset
from poise.data.holdout import Holdout, Split
from poise.data.split import leave_last_out
from poise.pipeline import Pipeline
from poise.recommender import Recommender
from poise.types import Doubles

MODELS = ("id", "text", "fused", "tuned", "blend")
FIGURES = ("Recall@10", "NDCG@10")
RESAMPLES = 2_000


def cold(train: Dataset, test: Holdout) -> Holdout:
    """Return the test requests whose target has no training event: still ranked in the whole catalogue."""
    return test.take(train.item_counts[test.targets.values[test.targets.offsets[:-1]]] == 0)


def interval(values: Doubles, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of the mean of ``values``, ``[n_seeds, n_requests]``, both resampled."""
    rng = np.random.default_rng(seed)
    n_seeds, n = values.shape
    means = [
        values[rng.integers(n_seeds, size=n_seeds)].mean(axis=0)[rng.integers(n, size=n)].mean()
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def models(split: Split, tuned: Split | None, wanted: list[str], seed: int) -> Iterator[tuple[str, Split, Recommender]]:
    """Yield unfitted models with the split that each learns from, in the order of ``MODELS``."""
    from poise.config import PipelineTable
    from poise.models import SASRec

    for name in MODELS:
        if name not in wanted:
            continue
        if name == "blend":
            from poise import models as shelf

            chosen = [
                SASRec(seed=seed) if kind == "SASRec" else getattr(shelf, kind)() for kind in PipelineTable().models
            ]
            members = [model for model in chosen if model.unsupported_reason(split.train) is None]
            yield "default pipeline", split, Pipeline(ranker=shelf.Blend(members=members))
        elif name == "tuned":
            assert tuned is not None
            yield "SASRec, fused, tuned encoder", tuned, SASRec(seed=seed)
        else:
            yield f"SASRec, {name}", split, SASRec(items=name, seed=seed)  # type: ignore[arg-type]


def adapted(split: Split, data: Dataset) -> Split:
    """Return the split with the vectors of an encoder that was tuned on its training part."""
    import tempfile

    from poise.adaptation import Adaptation, adapt
    from poise.encoders import TextEncoder

    with tempfile.TemporaryDirectory() as folder:
        encoder = adapt(split.train, Path(folder) / "encoder", encoder=TextEncoder(), adaptation=Adaptation())
        return leave_last_out(encoder.encode_items(data))


def summary(
    data: str,
    threads: int,
    values: dict[tuple[str, str, str], list[Doubles]],
    seconds: dict[str, list[float]],
    chosen: dict[str, Any],
) -> list[dict[str, Any]]:
    """Return a row for each model and part: means over seeds, intervals over seeds and requests."""
    rows: list[dict[str, Any]] = []
    for name, part in dict.fromkeys((name, part) for name, part, _ in values):
        row: dict[str, Any] = {"data": data, "model": name, "targets": part}
        for figure in FIGURES:
            values_of_part = np.stack(values[name, part, figure])
            low, high = interval(values_of_part)
            row |= {
                "requests": values_of_part.shape[1],
                "seeds": values_of_part.shape[0],
                figure: round(float(values_of_part.mean()), 4),
                f"{figure} 95 %": f"{low:.4f} to {high:.4f}",
                f"{figure} by seed": " ".join(f"{mean:.4f}" for mean in values_of_part.mean(axis=1)),
            }
        spent = seconds.get(name, [])
        row |= {
            "fit_seconds": round(float(np.median(spent))) if spent else "",
            "threads": threads,
            "chosen": str(chosen.get(name, "")),
            "peak_memory_mb": round(peak_memory_mb()),
        }
        rows.append(row)
    return rows


def main() -> None:
    from poise.evaluation import evaluate
    from poise.models import Blend

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", choices=NAMES, default="amazon-beauty")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=["id", "text", "fused", "tuned", "blend"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--refit", action="store_true", help="also learn from validation events, reported apart")
    parser.add_argument("--beauty", type=Path, help="the folder with sequences.txt and items.jsonl")
    options = parser.parse_args()
    if options.refit and "blend" not in options.models:
        parser.error("--refit learns the default pipeline anew: add blend to --models")
    import torch

    torch.set_num_threads(options.threads)
    data = encoded(options.data, options.beauty)
    split = leave_last_out(data)
    tuned = adapted(split, data) if "tuned" in options.models else None
    parts = {"all": split.test, "cold": cold(split.train, split.test)}
    values: dict[tuple[str, str, str], list[Doubles]] = {}
    seconds: dict[str, list[float]] = {}
    chosen: dict[str, Any] = {}

    def measure(seed: int, name: str, model: Recommender) -> None:
        for part, holdout in parts.items():
            if len(holdout) < 20:
                continue
            report = evaluate({"model": model}, holdout, k=10, metrics=["Recall", "NDCG"], resamples=1)
            for figure in FIGURES:
                values_of_metric = report.metrics["model"][figure].values
                values.setdefault((name, part, figure), []).append(values_of_metric)
                print(f"seed {seed}  {name}  {part}  {figure} {values_of_metric.mean():.4f}", flush=True)

    fused: Recommender | None = None
    for seed in range(options.seeds):
        for name, options_of_model, model in models(split, tuned, options.models, seed):
            if isinstance(model, Pipeline) and isinstance(model.ranker, Blend) and fused is not None:
                blend = model.ranker
                blend.members = [fused if member.name == "SASRec" else member for member in blend.members]
            start = time.perf_counter()
            model.fit(options_of_model.train, options_of_model.valid)
            seconds.setdefault(name, []).append(time.perf_counter() - start)
            if name == "SASRec, fused":
                fused = model
            chosen[name] = model.selected.to_dict()
            if isinstance(model, Pipeline):
                steps = {step.name: step.selection for step in model.policy if step.selection}
                chosen[name] = {**model.ranker.selection, **steps}
            measure(seed, name, model)
            if options.refit and isinstance(model, Pipeline) and isinstance(model.ranker, Blend):
                model.refit(options_of_model.train_and_valid)
                measure(seed, f"{name}, refitted", model)
                for member in model.ranker.members:
                    if member.name == "SASRec":
                        measure(seed, "SASRec, fused, refitted", member)
    rows = summary(options.data, options.threads, values, seconds, chosen)
    what = "refitted_sequence_models" if options.refit else "sequence_models"
    write_result(f"{what}_{options.data.replace('-', '_')}", rows)


if __name__ == "__main__":
    main()
