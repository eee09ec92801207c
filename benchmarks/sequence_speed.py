"""How fast a sequence model learns, as the log grows, and how long one request takes among 100,000 items."""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import polars as pl

from benchmarks._common import peak_memory_mb, write_result
from poise.data.dataset import Dataset
from poise.data.index import index
from poise.data.queries import Queries


def synthetic(n_events: int, n_items: int, length: int = 10, seed: int = 0) -> Dataset:
    """Return a log of people with ``length`` events each, on items as popular as in a shop, without content."""
    rng = np.random.default_rng(seed)
    item = np.minimum(rng.zipf(1.3, n_events * 2), 2**31)
    item = np.resize(item[item <= n_items], n_events) - 1
    events = pl.DataFrame({"user_id": np.arange(n_events) // length, "item_id": item}).cast(pl.String)
    return index(events, pl.DataFrame({"item_id": np.arange(n_items)}).cast(pl.String))


def main() -> None:
    import torch

    from poise.models.sasrec import SASRec

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", nargs="+", type=int, default=[100_000, 1_000_000])
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows: list[dict[str, Any]] = []
    for n_events in options.events:
        data = synthetic(n_events, 10_000)
        start = time.perf_counter()
        SASRec(epochs=1).fit(data)
        seconds = time.perf_counter() - start
        rows.append(
            {
                "what": "one epoch",
                "events": n_events,
                "items": data.n_items,
                "threads": options.threads,
                "seconds": round(seconds, 1),
                "events_per_second": round(n_events / seconds),
                "median_ms": "",
                "peak_memory_mb": round(peak_memory_mb()),
            }
        )
    torch.set_num_threads(1)
    data = synthetic(20_000, 100_000)
    model = SASRec(epochs=1).fit(data)
    rng = np.random.default_rng(0)
    taken = []
    for _ in range(200):
        query = Queries.from_histories([rng.integers(1, data.n_items, 50)], data.item_ids)
        start = time.perf_counter()
        model.score(query)
        taken.append(time.perf_counter() - start)
    rows.append(
        {
            "what": "score one request, history of 50",
            "events": "",
            "items": data.n_items,
            "threads": 1,
            "seconds": "",
            "events_per_second": "",
            "median_ms": round(1000 * float(np.median(taken)), 2),
            "peak_memory_mb": round(peak_memory_mb()),
        }
    )
    write_result("sequence_speed", rows)


if __name__ == "__main__":
    main()
