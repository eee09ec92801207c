"""Ten million events with string ids: load from Parquet, split, save, open. Target: load and split in 30 s and 3 GB."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks._common import peak_memory_mb, write_result

N_EVENTS, N_USERS, N_ITEMS = 10_000_000, 500_000, 100_000


def main() -> None:
    folder = Path(tempfile.gettempdir()) / "poise-benchmark"
    source = folder / f"events-{N_EVENTS}.parquet"
    if not source.exists():
        make(source)
    measured = subprocess.run(
        [sys.executable, "-m", "benchmarks.dataset_10m", str(source)], check=True, stdout=subprocess.PIPE, text=True
    )
    opened = subprocess.run(
        [sys.executable, "-m", "benchmarks.dataset_10m", str(folder / "saved")],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    write_result("dataset_10m", [json.loads(measured.stdout) | json.loads(opened.stdout)])


def make(path: Path) -> None:
    """Write events with long-tailed users and items, ids of the kind that shops have, in the order of time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    user = (N_USERS * rng.random(N_EVENTS) ** 2).astype(np.int64)
    item = (N_ITEMS * rng.random(N_EVENTS) ** 3).astype(np.int64)
    pl.DataFrame(
        {
            "user_id": pl.Series(user).cast(pl.String).str.zfill(8).str.replace("^", "customer-"),
            "item_id": pl.Series(item).cast(pl.String).str.zfill(6).str.replace("^", "sku-"),
            "value": rng.integers(1, 6, N_EVENTS).astype(np.float32),
            "timestamp": np.sort(rng.integers(1_600_000_000, 1_700_000_000, N_EVENTS)),
        }
    ).write_parquet(path)


def measure(source: Path) -> dict[str, Any]:
    from poise.data.ingest.build import load_files
    from poise.data.split import leave_last_out
    from poise.data.storage import save_dataset

    start = time.perf_counter()
    data = load_files(source)
    loaded = time.perf_counter()
    leave_last_out(data)
    split = time.perf_counter()
    peak = peak_memory_mb()
    save_dataset(data, source.with_name("saved"))
    saved = time.perf_counter()
    return {
        "events": data.n_events,
        "load_s": loaded - start,
        "split_s": split - loaded,
        "peak_mb_load_and_split": peak,
        "save_s": saved - split,
        "peak_mb_with_save": peak_memory_mb(),
    }


def measure_open(saved: Path) -> dict[str, Any]:
    from poise.data.storage import open_dataset

    start = time.perf_counter()
    data = open_dataset(saved)
    data.queries(users=[data.user_ids.id(1)])
    return {"open_s": time.perf_counter() - start, "peak_mb_open": peak_memory_mb()}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        given = Path(sys.argv[1])
        print(json.dumps(measure_open(given) if given.is_dir() else measure(given)))
    else:
        main()
