"""The ten best of many items by an index and by all products: what is missed, how long it takes, what it costs.

Vectors lie in clusters and differ in length, as those of items do; queries lie in the same clusters.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from benchmarks._common import peak_memory_mb, write_result
from poise.types import Floats, Indices

K = 10


def vectors(n: int, centres: Floats, rng: np.random.Generator) -> Floats:
    """Return points about the centres, float32 ``[n, dim]``."""
    noise = rng.standard_normal((n, centres.shape[1]), dtype=np.float32)
    return centres[rng.integers(len(centres), size=n)] + np.float32(0.7) * noise


def main() -> None:
    import torch

    from poise.models.hnsw_index import HNSWIndex

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, nargs="+", default=[50_000, 200_000, 1_000_000])
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2, help="for building; each query takes one")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for n_items in options.items:
        rng = np.random.default_rng(0)
        centres = rng.standard_normal((1_000, options.dim), dtype=np.float32)
        items = vectors(n_items, centres, rng)
        items *= rng.lognormal(0, 0.3, (n_items, 1)).astype(np.float32)
        queries = vectors(options.queries, centres, rng)
        table = torch.from_numpy(items)

        def exactly(query: Floats, table: torch.Tensor = table) -> Indices:
            return torch.topk(table @ torch.from_numpy(query), K).indices.numpy()

        expected, seconds_exact = zip(*(timed(exactly, query) for query in queries), strict=True)
        before = peak_memory_mb()
        start = time.perf_counter()
        index = HNSWIndex.build(items, np.arange(n_items, dtype=np.int32), threads=options.threads)
        built = time.perf_counter() - start

        def quickly(query: Floats, items: Floats = items, index: HNSWIndex = index) -> Indices:
            retrieved = index.search(query[None], 4 * K)[0]
            return retrieved[np.argsort(-(items[retrieved] @ query))[:K]]

        retrieved, seconds = zip(*(timed(quickly, query) for query in queries), strict=True)
        recall = np.mean([len(np.intersect1d(row, other)) / K for row, other in zip(retrieved, expected, strict=True)])
        rows.append(
            {
                "items": n_items,
                "dim": options.dim,
                "recall_at_10": float(round(recall, 4)),
                "exact_ms": round(1e3 * float(np.median(seconds_exact)), 3),
                "index_ms": round(1e3 * float(np.median(seconds)), 3),
                "build_seconds": round(built, 1),
                "build_threads": options.threads,
                "index_mb": round(index.to_array().nbytes / 2**20),
                "peak_memory_before_mb": round(before),
                "peak_memory_mb": round(peak_memory_mb()),
            }
        )
        write_result("neighbours", rows)


def timed(ask: Any, query: Floats) -> tuple[Indices, float]:
    """Return an answer and the seconds that it took."""
    start = time.perf_counter()
    answer = ask(query)
    return answer, time.perf_counter() - start


if __name__ == "__main__":
    main()
