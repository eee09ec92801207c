"""How quickly text is encoded, and whether bfloat16 says the same as float32: real titles with their categories."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks._common import peak_memory_mb, write_result
from poise.data.ingest.indexing import index
from poise.encoders.passage import compose
from poise.encoders.text import TextEncoder
from poise.types import Floats

ITEMS = Path(__file__).parents[2] / "shared" / "data" / "amazon-beauty" / "items.jsonl"
RUNS = [
    {"model": "minilm", "precision": "float32", "threads": 1},
    {"model": "minilm", "precision": "float32", "threads": 2},
    {"model": "minilm", "precision": "bfloat16", "threads": 1},
    {"model": "minilm", "precision": "bfloat16", "threads": 2},
    {"model": "multilingual", "precision": "float32", "threads": 2},
]


def passages(path: Path, n: int) -> list[str]:
    """Return the passages of ``n`` items, evenly spaced over the catalogue."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows = rows[:: max(1, len(rows) // n)][:n]
    items = pl.DataFrame(
        [{"item_id": str(row["item_id"])} | {k: row[k] for k in ("title", "attributes")} for row in rows]
    )
    events = items.select(pl.lit("nobody").alias("user_id"), "item_id")
    data = index(events, items, item_kinds={"title": "text", "attributes": "categories"}, title_column="title")
    return compose(data)


def run(texts: list[str], model: str, precision: str, threads: int) -> tuple[dict[str, Any], Floats]:
    """Encode ``texts``, once without a cache, then twice with one, in a process of its own."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads)
    with threadpool_limits(threads):
        bare = TextEncoder(model=model, precision=precision, cache=False)
        loading = _seconds(lambda: bare.encode(["a text"]))
        bare.encode(texts[:64])
        encoding = _seconds(lambda: bare.encode(texts))
        encoder = TextEncoder(model=model, precision=precision)
        vectors = encoder.encode(texts)
        again = _seconds(lambda: TextEncoder(model=model, precision=precision).encode(texts))
    row = {
        "encoder": model,
        "precision": precision,
        "threads": threads,
        "load_s": loading,
        "texts_per_s": len(texts) / encoding,
        "cached_texts_per_s": len(texts) / again,
        "peak_memory_mb": peak_memory_mb(),
    }
    return row, vectors


def agreement(exact: Floats, vectors: Floats) -> dict[str, float]:
    """Return how near ``vectors`` are to ``exact``, and how many of the ten nearest neighbours they share."""
    nearest = []
    for matrix in (exact, vectors):
        cosine = matrix @ matrix.T
        np.fill_diagonal(cosine, -1)
        nearest.append(np.argsort(-cosine, axis=1)[:, :10])
    shared = [len(np.intersect1d(*pair)) / 10 for pair in zip(*nearest, strict=True)]
    return {"lowest_cosine": float((exact * vectors).sum(axis=1).min()), "same_neighbours": float(np.mean(shared))}


def _seconds(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=Path, default=ITEMS, help="JSON lines with item_id, title and attributes")
    parser.add_argument("--texts", type=int, default=1_024)
    options = parser.parse_args()
    texts = passages(options.items, options.texts)
    rows, exact = [], {}
    for settings in RUNS:
        with (
            tempfile.TemporaryDirectory() as folder,
            ProcessPoolExecutor(1, get_context("spawn"), _use_cache, (folder,)) as process,
        ):
            row, vectors = process.submit(run, texts, **settings).result()
        exact.setdefault(settings["model"], vectors)
        rows.append(row | agreement(exact[settings["model"]], vectors))
    write_result("encoders", rows)


def _use_cache(folder: str) -> None:
    import os

    os.environ["POISE_CACHE"] = folder


if __name__ == "__main__":
    main()
