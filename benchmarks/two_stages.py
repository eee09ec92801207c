"""Retrieve, then rank, against ranking everything: SASRec over 300 candidates from its index of 100,000 items.

A request asks for 10 items after a history of 50 events. The vectors of the items are drawn around centres, as learnt
ones lie; what the network has learnt changes no time. Target: two stages take at most a fifth of the time of scoring
everything, for one request and for 256 at once. Recall says how many of the 10 best of everything two stages find.

    python -m benchmarks.two_stages --threads 1
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from benchmarks._common import write_result
from poise.data.ingest.build import build_dataset
from poise.data.queries import Queries
from poise.data.vocabulary import Vocabulary
from poise.models import SASRec
from poise.options.fit_options import FitOptions
from poise.pipeline import Pipeline
from poise.types import Indices

CANDIDATES = 300
K = 10
HISTORY = 50
CENTRES = 2_000


def fitted(n_items: int, dim: int) -> SASRec:
    """Return a model of that many items, whose vectors lie around centres; its network learnt from a small log."""
    import torch

    rng = np.random.default_rng(0)
    item = rng.integers(0, 2_000, 20_000)
    events = pl.DataFrame({"user_id": (np.arange(len(item)) // 20).astype(str), "item_id": item.astype(str)})
    model = SASRec(items="id", dim=dim, epochs=1, max_length=HISTORY).fit(
        build_dataset(events), options=FitOptions(progress=False)
    )
    centres = rng.standard_normal((CENTRES, dim), dtype=np.float32)
    noise = rng.standard_normal((n_items + 1, dim), dtype=np.float32)
    vectors = (centres[rng.integers(0, CENTRES, n_items + 1)] + np.float32(0.7) * noise) / np.float32(dim**0.5)
    vectors[0] = 0
    model.item_ids = Vocabulary([str(number) for number in range(n_items)])
    model._set_vectors(torch.from_numpy(vectors), np.ones(n_items + 1, dtype=np.int64))
    return model


def seconds(work: Callable[[], object], rounds: int) -> float:
    """Return the median time of some rounds, after one that does not count."""
    work()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measured(n_items: int, dim: int, rounds: int) -> list[dict[str, Any]]:
    """Return a row for one request and one for 256."""
    model = fitted(n_items, dim)
    everything = Pipeline(ranker=model)
    start = time.perf_counter()
    model.index_items()
    built = time.perf_counter() - start
    two_stages = Pipeline(ranker=model, retrievers=[model], candidates=CANDIDATES)
    for pipeline in (everything, two_stages):
        pipeline.item_ids = model.item_ids
    rng = np.random.default_rng(1)
    rows = []
    for n in (1, 256):
        histories = [rng.integers(1, n_items + 1, HISTORY).astype(np.int32) for _ in range(n)]

        def ask(pipeline: Pipeline, histories: list[Indices] = histories) -> Indices:
            return pipeline.rank(Queries.from_histories(histories, model.item_ids), K)[0].items

        whole = seconds(partial(ask, everything), rounds)
        staged = seconds(partial(ask, two_stages), rounds)
        best, two_stage = ask(everything), ask(two_stages)
        recall = np.mean(
            [len(np.intersect1d(first, second)) / K for first, second in zip(best, two_stage, strict=True)]
        )
        rows.append(
            {
                "items": n_items,
                "index_built_s": round(built, 1),
                "requests": n,
                "everything_ms": round(1000 * whole, 2),
                "two_stages_ms": round(1000 * staged, 2),
                "share": round(staged / whole, 3),
                "recall": round(float(recall), 3),
            }
        )
    return rows


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    rows = []
    for n_items in options.items:
        rows += measured(n_items, options.dim, options.rounds)
    write_result("two_stages", [{"dim": options.dim, "threads": options.threads} | row for row in rows])


if __name__ == "__main__":
    main()
