"""A process that writes is killed at random moments."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl

from poise.data.ingest.indexing import index
from poise.data.storage import save_dataset
from poise.store import Store


def test_acknowledged_events_survive_a_kill_exactly_once(tmp_path: Path, nursery: Any) -> None:
    path = tmp_path / "live.sqlite"
    rng = random.Random(0)
    acknowledged: set[int] = set()
    for _ in range(10):
        (child,) = nursery.bear(f"add {path} {max(acknowledged, default=-1) + 1}")
        words = nursery.line()
        time.sleep(rng.random() * 0.1)
        os.kill(child, signal.SIGKILL)
        *said, died = words, *nursery.last_words()
        assert died == ["dead", str(signal.SIGKILL.value)]
        for word, batch, accepted in said:
            assert word == "kept"
            assert int(accepted) in (0, 20)  # none where the one before was killed between commit and answer
            acknowledged.add(int(batch))
    with Store.open(path) as store:
        counts = Counter(event.event_id for user in range(3) for event in store.history(f"u{user}", limit=10**6))
        assert set(counts.values()) == {1}
        assert {f"{batch}-{row}" for batch in acknowledged for row in range(20)} <= set(counts)
        batches = Counter(str(event_id).split("-")[0] for event_id in counts)
        assert set(batches.values()) == {20}  # whole batches only
        assert store.dataset().n_events == len(counts)


def test_a_killed_load_leaves_all_or_nothing(tmp_path: Path, nursery: Any) -> None:
    n = 20_000
    data = index(
        pl.DataFrame(
            {"user_id": [f"u{row % 500}" for row in range(n)], "item_id": [f"i{row % 900}" for row in range(n)]}
        )
    )
    save_dataset(data, tmp_path / "data")
    rng = random.Random(1)
    for attempt in range(2):
        path = tmp_path / f"live{attempt}.sqlite"
        (child,) = nursery.bear(f"load {path} {tmp_path / 'data'}")
        assert nursery.line() == ["loading"]
        time.sleep(rng.random() * 0.15)
        with contextlib.suppress(ProcessLookupError):  # a quick machine was done before
            os.kill(child, signal.SIGKILL)
        loaded = ["loaded"] in list(nursery.last_words())
        with Store.open(path) as store:
            if store.setting("catalogue") is None:
                assert not loaded
                assert store.version() == 0
                assert list(store.all_items()) == store.history("u1") == []
                store.load(data)
            assert store.dataset().fingerprint == data.fingerprint
