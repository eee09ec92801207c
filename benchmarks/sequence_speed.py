"""How training grows with the log, and how long one request takes among 100,000 items. Synthetic logs, id items.

Targets: time and memory linear in events from 100 thousand to 10 million; one request with a history of 50 against
100,000 items in under 5 ms, median, on one core. All logs are learnt with the same options, so that only their size
differs: one layer, dim 64, histories of up to 50 and 1,024 negatives.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

import numpy as np
import polars as pl

from benchmarks._common import peak_memory_mb, write_result
from poise.data.dataset import Dataset
from poise.data.ingest.indexing import index
from poise.data.queries import Queries

OPTIONS: dict[str, Any] = {"blocks": 1, "max_length": 50, "dropout": 0.2, "dim": 64, "negatives": 1024}
REQUESTS = 200


def synthetic(n_events: int, n_items: int, length: int = 10, seed: int = 0) -> Dataset:
    """Return a log of people with ``length`` events each, on items as popular as in a shop, without content."""
    rng = np.random.default_rng(seed)
    item = np.minimum(rng.zipf(1.3, n_events * 2), 2**31)
    item = np.resize(item[item <= n_items], n_events) - 1
    events = pl.DataFrame({"user_id": np.arange(n_events) // length, "item_id": item}).cast(pl.String)
    return index(events, pl.DataFrame({"item_id": np.arange(n_items)}).cast(pl.String))


def train(n_events: int, threads: int) -> dict[str, Any]:
    """Learn one epoch of a log of that size."""
    import torch

    from poise.models.sequential.sasrec import SASRec

    torch.set_num_threads(threads)
    data = synthetic(n_events, 10_000)
    before = peak_memory_mb()
    start = time.perf_counter()
    SASRec(epochs=1, **OPTIONS).fit(data)
    seconds = time.perf_counter() - start
    return {
        "what": "one epoch",
        "events": n_events,
        "items": data.n_items,
        "threads": threads,
        "seconds": round(seconds, 1),
        "events_per_second": round(n_events / seconds),
        "median_ms": "",
        "peak_memory_mb": round(peak_memory_mb()),
        "of_it_the_log_mb": round(before),
    }


def ask() -> dict[str, Any]:
    """Score one request after the other with a history of 50 against 100,000 items, on one thread."""
    import torch

    from poise.models.sequential.sasrec import SASRec

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    item = rng.permutation(np.repeat(np.arange(100_000), 2))  # each item is known
    users = np.arange(len(item)) // 50
    data = index(pl.DataFrame({"user_id": users, "item_id": item}).cast(pl.String))
    model = SASRec(epochs=1, negatives=64, dim=128, blocks=1).fit(data)
    taken = []
    for _ in range(REQUESTS):
        query = Queries.from_histories([rng.integers(1, data.n_items, 50)], data.item_ids)
        start = time.perf_counter()
        model.score(query)
        taken.append(time.perf_counter() - start)
    return {
        "what": "score one request, history of 50, dim 128",
        "events": "",
        "items": data.n_items,
        "threads": 1,
        "seconds": "",
        "events_per_second": "",
        "median_ms": round(1000 * float(np.median(taken)), 2),
        "peak_memory_mb": round(peak_memory_mb()),
        "of_it_the_log_mb": "",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", nargs="*", type=int, default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(ask() if options.only == "ask" else train(int(options.only), options.threads)))
        return
    rows = []
    for job in ["ask", *map(str, options.events)]:  # each in a process of its own, so that its memory is its own
        command = [sys.executable, "-m", "benchmarks.sequence_speed", "--only", job, "--threads", str(options.threads)]
        rows.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))
    write_result("sequence_speed", rows)


if __name__ == "__main__":
    main()
