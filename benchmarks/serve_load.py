"""The live server under load from a second process on loopback: how many answers, how quick, how fresh, how steady.

Targets, with two cores for server and load together and one worker: 12,000 items (Amazon Beauty), histories of 50
and the default pipeline at least 1,000 requests a second for 60 s with p99 under 25 ms; 100,000 items p99 under 40 ms;
10,000 events a second in batches of 100, durable; an event changes the next answer within 100 ms (p99) beside 500
requests a second; memory flat (5 %) over 10 minutes; ready within 5 s.

The pipelines are fitted for one epoch: how good they are is measured elsewhere, and does not change how long they take.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._common import write_result
from benchmarks._data import _BEAUTY
from benchmarks._http_load import Connection, Load, closed_loop, for_ever, open_loop, request

USERS = 5_000  # with a history of 50 events
HISTORY = 50
PORT = 8765
CONNECTIONS = 16


def make_project(folder: Path, items: int | None, beauty: Path) -> None:
    """Fit a project on Amazon Beauty, or on a synthetic catalogue with so many items, and give it users."""
    from poise.project import Project
    from poise.project.fitting import fit
    from poise.store.records import Event

    if not (folder / "poise.toml").exists():
        folder.mkdir(parents=True, exist_ok=True)
        events, catalogue = beauty / "sequences.txt", beauty / "items.jsonl"
        if items is not None:
            events, catalogue = synthetic(folder, items)
        (folder / "poise.toml").write_text(
            f'name = "load"\n[data]\nevents = "{events}"\nitems = "{catalogue}"\n'
            '[models.SASRec]\nepochs = 1\n[fit]\nrefit = false\n[evaluation]\nprotocols = ["leave-last-out"]\n'
        )
    project = Project(folder, say=lambda line: print(line, file=sys.stderr))
    if not project.runs:
        fit(project)
    store = project.fill_store()
    if not store.history("load-0"):
        ids = project.run().pipeline.item_ids.series.to_list()
        rng = random.Random(0)
        start = int(time.time() * 1000) - HISTORY * 1000
        for first in range(0, USERS, 100):
            store.add_events(
                [
                    Event(f"load-{user}", rng.choice(ids), "view", None, start + index * 1000)
                    for user in range(first, first + 100)
                    for index in range(HISTORY)
                ]
            ).result()
    store.close()


def synthetic(folder: Path, items: int) -> tuple[str, str]:
    """Write a log and a catalogue of short titles; returns the names of the files."""
    rng = np.random.default_rng(0)
    words = [
        f"{a}{b}" for a in ("red", "blue", "green", "old", "new") for b in ("lamp", "chair", "book", "shoe", "cup")
    ]
    with (folder / "items.jsonl").open("w") as file:
        for item in range(items):
            title = " ".join(rng.choice(words, 3)) + f" {item}"
            file.write(json.dumps({"item_id": str(item), "title": title}) + "\n")
    popular = np.minimum(rng.zipf(1.2, 1_000_000) - 1, items - 1)
    spread = np.where(popular == items - 1, rng.integers(0, items, len(popular)), popular)
    with (folder / "events.csv").open("w") as file:
        file.write("user_id,item_id,timestamp\n")
        for index, item in enumerate(spread.tolist()):
            file.write(f"{index // 10},{item},{1_600_000_000 + index % 10 * 1000}\n")
    return "events.csv", "items.jsonl"


class Served:
    """A server process on a project."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.started = time.perf_counter()
        command = [sys.executable, "-m", "poise", "serve", "-p", str(folder), "--port", str(PORT), *options]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        while not self._is_ready():
            time.sleep(0.02)
        self.ready_after = time.perf_counter() - self.started

    def settle(self) -> None:
        """Return when the server has done what it does after its start."""
        spent = self.cpu_seconds()
        while True:
            time.sleep(1)
            spent, before = self.cpu_seconds(), spent
            if spent - before < 0.05:
                return

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def memory_mb(self) -> float:
        """Return the resident memory of the process."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return float("nan")

    def cpu_seconds(self) -> float:
        """Return the processor time that the process took."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)


def recommendations(seed: int = 0, *, anew: bool = True) -> Iterator[bytes]:
    """Yield requests of the users, in random order.

    Args:
        seed: of the order.
        anew: whether no two requests of a user in a row ask for the same, so that each is scored, and none is answered
            with the slate of the one before.
    """
    rng, requests = random.Random(seed), Counter[int]()

    def make() -> bytes:
        user = rng.randrange(USERS)
        requests[user] += anew
        k = 10 + (requests[user] + seed) % 7
        return request("POST", "/v1/recommendations", b'{"user_id":"load-%d","k":%d}' % (user, k))

    return for_ever(make)


def event_batches(size: int, ids: list[str]) -> Iterator[bytes]:
    """Yield batches of events of other users than those that ask."""
    rng, number = random.Random(1), iter(range(10**9))

    def make() -> bytes:
        events = [
            {"user_id": f"writer-{rng.randrange(10_000)}", "item_id": rng.choice(ids), "event_id": f"e{next(number)}"}
            for _ in range(size)
        ]
        return request("POST", "/v1/events", json.dumps({"events": events}).encode())

    return for_ever(make)


def prepared(requests: Iterator[bytes], many: int) -> Iterator[bytes]:
    """Make requests beforehand, so that making them takes nothing from the measured time."""
    return iter([next(requests) for _ in range(many)])


async def freshness(ids: list[str], seconds: float) -> list[float]:
    """Send an event of a user, ask for their recommendations until they change; return how many seconds it took."""
    changed = []
    rng = random.Random(2)
    connection = await Connection.open(PORT)
    end = time.perf_counter() + seconds
    number = 0
    while time.perf_counter() < end:
        number += 1
        user = f"fresh-{number}"
        ask = request("POST", "/v1/recommendations", json.dumps({"user_id": user, "k": 20}).encode())
        event = json.dumps({"user_id": user, "item_id": rng.choice(ids)}).encode()
        _, before = await connection.ask(ask)
        start = time.perf_counter()
        await connection.ask(request("POST", "/v1/events", event))
        while True:
            _, after = await connection.ask(ask)
            if json.loads(after)["stage"] == "ranker" and json.loads(before)["items"] != json.loads(after)["items"]:
                break
        changed.append(time.perf_counter() - start)
        await asyncio.sleep(0.02)
    connection.close()
    return changed


async def mixed(server: Served, ids: list[str], minutes: float) -> list[float]:
    """Ask and send events for minutes; return the memory of the server every five seconds, in MB."""
    memory: list[float] = []

    async def watch() -> None:
        while True:
            await asyncio.sleep(5)
            memory.append(server.memory_mb())

    watching = asyncio.create_task(watch())
    await asyncio.gather(
        open_loop(PORT, recommendations(), 150, 60 * minutes),
        open_loop(PORT, event_batches(10, ids), 20, 60 * minutes, connections=4),
    )
    watching.cancel()
    return memory


def row(what: str, load: Any, target: str, cpu: float) -> dict[str, Any]:
    """Return a row of the table."""
    return {
        "what": what,
        "per_second": round(load.rate),
        "p50_ms": round(load.percentile(50), 1),
        "p99_ms": round(load.percentile(99), 1),
        "other_than_200": sum(count for status, count in load.statuses.items() if status != 200),
        "server_cpu_ms_each": round(1000 * cpu / max(len(load.seconds), 1), 2),
        "target": target,
    }


def measure_small(
    server: Served,
    ids: list[str],
    wanted: list[str],
    options: argparse.Namespace,
    note: Callable[[dict[str, Any]], None],
) -> None:
    """Measure the server with 12,000 items."""
    note({"what": "ready after start, s", "per_second": round(server.ready_after, 2), "target": "5 s"})
    server.settle()
    if "empty" in wanted:
        nothing = for_ever(lambda: request("GET", "/health"))
        load = asyncio.run(closed_loop(PORT, nothing, options.connections, min(options.seconds, 10)))
        note(row("an empty endpoint", load, "", server.cpu_seconds()))
    if "ask" in wanted:
        asyncio.run(closed_loop(PORT, recommendations(9), options.connections, 5))
        before = server.cpu_seconds()
        load = asyncio.run(closed_loop(PORT, recommendations(), options.connections, options.seconds))
        spent = server.cpu_seconds() - before
        note(row(f"recommendations scored anew, {len(ids):,} items", load, "1,000/s, p99 25 ms", spent))
        before = server.cpu_seconds()
        again = recommendations(anew=False)
        load = asyncio.run(closed_loop(PORT, again, options.connections, options.seconds))
        spent = server.cpu_seconds() - before
        note(row("the same users asking again, nothing having happened", load, "", spent))
    for rate in (500, 800) if "open" in wanted else ():
        before = server.cpu_seconds()
        load = asyncio.run(open_loop(PORT, recommendations(rate), rate, min(options.seconds, 20)))
        what = f"recommendations scored anew, people who come at their own time, {rate} a second"
        note(row(what, load, "", server.cpu_seconds() - before))
    if "events" in wanted:
        before = server.cpu_seconds()
        batches = prepared(event_batches(100, ids), 6_000)
        load = asyncio.run(closed_loop(PORT, batches, 4, min(options.seconds, 20)))
        spent = server.cpu_seconds() - before
        events_row = row("events in batches of 100, durable (batches)", load, "10,000 events/s", spent)
        note(events_row | {"per_second": round(100 * load.rate)})
    if "fresh" in wanted:
        before = server.cpu_seconds()
        load, changed = asyncio.run(fresh_beside_load(ids, min(options.seconds, 30)))
        note(row("500 requests a second beside it", load, "", server.cpu_seconds() - before))
        p50, p99 = (round(1000 * float(np.percentile(changed, p)), 1) for p in (50, 99))
        what = f"event to changed recommendation, {len(changed)} times"
        note({"what": what, "p50_ms": p50, "p99_ms": p99, "target": "p99 100 ms"})
    if "memory" in wanted:
        memory = asyncio.run(mixed(server, ids, options.minutes))
        start = float(np.median(memory[len(memory) // 10 : len(memory) // 5 + 1]))
        end = float(np.median(memory[-max(len(memory) // 10, 1) :]))
        what = f"memory over {options.minutes:g} minutes: {start:.0f} to {end:.0f} MB, %"
        note({"what": what, "per_second": round(100 * (end / start - 1), 1), "target": "5 %"})


async def fresh_beside_load(ids: list[str], seconds: float) -> tuple[Load, list[float]]:
    """Measure freshness beside 500 requests a second."""
    return await asyncio.gather(open_loop(PORT, recommendations(3), 500, seconds), freshness(ids, seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path.home() / ".cache" / "poise-benchmarks" / "serve")
    parser.add_argument("--beauty", type=Path, default=_BEAUTY)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--minutes", type=float, default=10, help="of mixed load")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--only", nargs="+", choices=["empty", "ask", "open", "events", "fresh", "memory", "large"])
    options = parser.parse_args()
    wanted = options.only or ["empty", "ask", "open", "events", "fresh", "memory", "large"]
    rows: list[dict[str, Any]] = []

    def note(result: dict[str, Any]) -> None:
        rows.append(result)
        print(result, flush=True)

    small, large = options.folder / "beauty", options.folder / "large"
    make_project(small, None, options.beauty)
    with Served(small) as server:
        measure_small(server, _item_ids(small), wanted, options, note)
    if "large" in wanted:
        make_project(large, 100_000, options.beauty)
        with Served(large) as server:
            note({"what": "ready with 100,000 items, s", "per_second": round(server.ready_after, 2)})
            server.settle()
            asyncio.run(closed_loop(PORT, recommendations(9), 4, 5))
            before = server.cpu_seconds()
            load = asyncio.run(closed_loop(PORT, recommendations(), 4, min(options.seconds, 30)))
            spent = server.cpu_seconds() - before
            note(row("recommendations, 100,000 items, 4 connections", load, "p99 40 ms", spent))
    columns = list(dict.fromkeys(key for result in rows for key in result))
    write_result("serve_load", [{key: result.get(key, "") for key in columns} for result in rows])


def _item_ids(folder: Path) -> list[str]:
    from poise.project import Project

    return [str(item_id) for item_id in Project(folder).run().pipeline.item_ids.series.to_list()]


if __name__ == "__main__":
    main()
