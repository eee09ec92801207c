"""Members of the default blend on a large catalogue, most of which nobody touched: time, peak memory, quality.

The log is made up: people of clusters of taste choose items of theirs, by a Zipf distribution. Leave-last-out, whole
catalogue ranked; each model in a process of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from typing import Any

import numpy as np
import polars as pl

from benchmarks._common import peak_memory_mb, write_result
from poise.data.dataset import Dataset
from poise.data.ingest.build import build_dataset
from poise.data.split import leave_last_out

MODELS = ("Popularity", "ItemKNN", "EASE", "Blend")
CLUSTERS = 200


def log(items: int, touched: int, events: int, seed: int = 0) -> Dataset:
    """Return a log of ``events`` events on the first ``touched`` of ``items`` items, of people with about 20 each."""
    rng = np.random.default_rng(seed)
    n_users = events // 20
    lengths = rng.geometric(1 / 18, n_users) + 2
    user = np.repeat(np.arange(n_users), lengths)
    cluster = rng.integers(CLUSTERS, size=n_users)[user]
    inside = rng.random(len(user)) < 0.8
    each = touched // CLUSTERS
    ranks = 1 / np.arange(1, each + 1)
    of_cluster = rng.choice(each, len(user), p=ranks / ranks.sum()) * CLUSTERS + cluster
    everywhere = 1 / np.arange(1, touched + 1)
    anything = rng.choice(touched, len(user), p=everywhere / everywhere.sum())
    frame = pl.DataFrame({"user_id": user, "item_id": np.where(inside, of_cluster, anything)}).unique(
        maintain_order=True
    )
    frame = frame.with_columns(pl.all().cast(pl.String), timestamp=1_000_000_000_000 + pl.int_range(pl.len()) * 400_000)
    return build_dataset(frame, pl.DataFrame({"item_id": [str(item) for item in range(items)]}), name="made up")


def measure(name: str, items: int, touched: int, events: int) -> dict[str, Any]:
    """Return what one model takes and brings."""
    from poise import models as shelf
    from poise.evaluation import evaluate
    from poise.models.validation import sample

    split = leave_last_out(log(items, touched, events))
    before = peak_memory_mb()
    members = [getattr(shelf, member)() for member in MODELS[:-1]]
    model = shelf.Blend(members=members) if name == "Blend" else getattr(shelf, name)()
    start = time.perf_counter()
    model.fit(split.train, split.valid)
    seconds = time.perf_counter() - start
    peak = peak_memory_mb()
    report = evaluate({name: model}, sample(split.test), k=10, metrics=["NDCG"])
    ndcg = report.estimates[name]["NDCG@10"]
    return {
        "items": items,
        "touched": int((split.train.item_counts > 0).sum()),
        "events": split.train.n_events,
        "model": name,
        "fit_seconds": round(seconds, 1),
        "peak_memory_mb": round(peak),
        "of_it_the_log_mb": round(before),
        "ndcg_at_10": round(ndcg.value, 4),
        "ndcg_interval": f"{ndcg.low:.4f} to {ndcg.high:.4f}",
        "chosen": str(model.selection),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=92_336)
    parser.add_argument("--touched", type=int, default=21_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    options = parser.parse_args()
    rows = []
    for name in options.models:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            row = pool.apply(measure, (name, options.items, options.touched, options.events))
        print(row, flush=True)
        rows.append(row)
    write_result(f"large_catalogues_{options.items}", rows)


if __name__ == "__main__":
    main()
