"""A million answers of ten items: write them to SQLite, read them with what followed, save, open."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._common import peak_memory_mb, write_result

N_REQUESTS, K, N_EVENTS, N_USERS, N_ITEMS = 1_000_000, 10, 500_000, 100_000, 50_000
AT_ONCE = 1_000  # answers in one batch, as the server has them
START, BETWEEN = 1_760_000_000_000, 20  # milliseconds
DELAY = 20 * 60_000  # milliseconds from an answer to what follows it, at most


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="poise-impressions-") as folder:
        row: dict[str, Any] = {"requests": N_REQUESTS, "items_shown": N_REQUESTS * K, "events": N_EVENTS}
        for step in ("write", "read"):
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.impressions", step, folder],
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            row |= json.loads(done.stdout)
    write_result("impressions", [row])


def write(folder: Path) -> dict[str, Any]:
    from poise.store import Store
    from poise.store.records import Event, Impression

    rng = np.random.default_rng(0)
    seconds = 0.0
    with Store.open(folder / "live.sqlite") as store:
        for first in range(0, N_REQUESTS, AT_ONCE):
            users = rng.integers(0, N_USERS, AT_ONCE).tolist()
            items = (N_ITEMS * rng.random((AT_ONCE, K)) ** 2).astype(int).tolist()
            scores = np.sort(rng.random((AT_ONCE, K)).round(6))[:, ::-1].tolist()
            pages = [
                Impression(
                    request_id=f"{first + row:024x}",
                    offset=0,
                    user_id=f"customer-{user:08}",
                    time=START + BETWEEN * (first + row),
                    scenario="home",
                    run="20260101-000000",
                    stage="ranker",
                    items=[f"sku-{item:06}" for item in items[row]],
                    scores=scores[row],
                    probabilities=[1.0] * K,
                    sources=["ItemKNN"] * (K - 1) + ["new"],
                    policy_version="3fa9c1d2",
                    context={"device": ("phone", "tv")[user % 2]},
                    n_eligible=N_ITEMS - user % 200,
                )
                for row, user in enumerate(users)
            ]
            start = time.perf_counter()
            store.add_impressions(pages).result()
            seconds += time.perf_counter() - start
            share = N_EVENTS * AT_ONCE // N_REQUESTS
            events = [  # every other one says which request it answers
                Event(
                    page.user_id or "",
                    page.items[place],
                    "click",
                    None,
                    page.time + delay,
                    request_id=page.request_id if row % 2 else None,
                )
                for row, (page, place, delay) in enumerate(
                    zip(pages, rng.integers(0, K, share).tolist(), rng.integers(0, DELAY, share).tolist(), strict=False)
                )
            ]
            store.add_events(events).result()
    size = (folder / "live.sqlite").stat().st_size
    return {"write_s": seconds, "peak_mb_write": peak_memory_mb(), "store_mb": size / 2**20}


def read(folder: Path) -> dict[str, Any]:
    from poise.data.dataset import Dataset
    from poise.data.outcomes import join_outcomes
    from poise.store import Store

    start = time.perf_counter()
    with Store.open(folder / "live.sqlite") as store:
        data = store.dataset()
    done = time.perf_counter()
    peak = peak_memory_mb()
    log = data.impressions
    assert log is not None
    assert len(log.outcome_event) == N_EVENTS
    join_outcomes(log, data.events)
    joined = time.perf_counter()
    data.save(folder / "saved")
    saved = time.perf_counter()
    Dataset.open(folder / "saved")
    size = sum(file.stat().st_size for file in (folder / "saved").glob("impressions.*"))
    return {
        "read_and_join_s": done - start,
        "peak_mb_read_and_join": peak,
        "join_by_time_s": joined - done,
        "save_s": saved - joined,
        "saved_mb": size / 2**20,
        "open_s": time.perf_counter() - saved,
    }


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps({"write": write, "read": read}[sys.argv[1]](Path(sys.argv[2]))))
    else:
        main()
