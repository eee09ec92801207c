"""What a live server does when things go wrong around it: nothing acknowledged is lost, and there are answers.

Each fault is tried on a server in a process of its own, while four people ask for recommendations and a shop sends
events ten at a time. Lost: events that were acknowledged and are not in the store afterwards. Twice: events that are in
it more than once, although what was not acknowledged was sent again.

Full and read-only disks are a tmpfs, which only root may mount; as somebody else they are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from benchmarks._common import write_result
from benchmarks._fault_harness import People, Server, Shop, launched, make_project, outcome, stored_events, wait_until
from benchmarks._http_load import Connection, request

Row = dict[str, Any]


def kills(base: Path, many: int) -> Row:
    """Kill the server at random moments while three shops send."""
    folder = make_project(base / "shop")
    draw, shops = random.Random(0), [Shop(f"kills{number}") for number in range(3)]
    lost_at_once = 0
    for _ in range(many):
        with launched(folder) as server:
            for shop in shops:
                shop.send_again(server.url)
                shop.begin(server.url)
            time.sleep(draw.uniform(0.02, 0.4))
            os.kill(server.process.pid, signal.SIGKILL)
            for shop in shops:
                shop.end()
        counts = stored_events(folder, shops)
        lost_at_once += sum(event_id not in counts for shop in shops for event_id in shop.acknowledged)
    with launched(folder) as server:
        for shop in shops:
            shop.send_again(server.url)
    row = outcome(f"kill -9 during ingestion, {many} times", stored_events(folder, shops), shops)
    return {**row, "lost": row["lost"] + lost_at_once}


@contextlib.contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """Mount a small disk."""
    with tempfile.TemporaryDirectory(prefix="poise-disk-") as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def full_disk(base: Path) -> Row:
    """Fill the disk, go on for some seconds, and make room again."""
    with small_disk("12m") as disk:
        store = str(disk / "live.sqlite")
        folder, shop = make_project(base / "shop", store), Shop("full")
        with launched(folder, store) as server, People(server.url) as people:
            shop.begin(server.url)
            wait_until(lambda: shop.statuses["200"] > 20, 30)
            filler = disk / "filler"
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)
            wait_until(lambda: shop.statuses["503"] > 5, 60)
            time.sleep(2)
            filler.unlink()
            before = shop.statuses["200"]
            wait_until(lambda: shop.statuses["200"] > before + 10, 60)
            shop.end()
            shop.send_again(server.url)
        with contextlib.closing(sqlite3.connect(store)) as connection:
            (whole,) = connection.execute("PRAGMA integrity_check").fetchone()
        row = outcome("full disk, and room again", stored_events(folder, [shop], store), [shop], people.seen)
        return {**row, "note": f"integrity: {whole}"}


def read_only_disk(base: Path) -> Row:
    """Start on a disk that may only be read."""
    with small_disk("12m") as disk:
        store = str(disk / "live.sqlite")
        folder = make_project(base / "shop", store)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        command = [sys.executable, "-m", "poise", "serve", "-p", str(folder), "--store", store, "--port", "0"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    lines = done.stderr.replace(str(disk), "DISK").strip().splitlines()
    note = f"ends with {done.returncode} and {len(lines)} line: {lines[-1]}"
    return {**outcome("read-only disk at the start", stored_events(folder, []), []), "note": note}


def locked_database(base: Path, seconds: float = 10) -> Row:
    """Have another program lock the database."""
    folder, shop = make_project(base / "shop"), Shop("locked")
    with launched(folder) as server, People(server.url) as people:
        shop.begin(server.url)
        wait_until(lambda: shop.statuses["200"] > 20, 30)
        other = sqlite3.connect(folder / "live.sqlite", isolation_level=None)
        wait_until(lambda: _begins(other), 30)
        time.sleep(seconds)
        other.execute("ROLLBACK")
        other.close()
        before = shop.statuses["200"]
        wait_until(lambda: shop.statuses["200"] > before + 10, 60)
        shop.end()
        shop.send_again(server.url)
    return outcome(f"database locked for {seconds:g} s", stored_events(folder, [shop]), [shop], people.seen)


def _begins(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        return False
    return True


@contextlib.contextmanager
def postgresql() -> Iterator[Any]:
    """Run a PostgreSQL server."""
    path = Path(__file__).parents[1] / "tests" / "store" / "postgres.py"
    spec = importlib.util.spec_from_file_location("postgres", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with tempfile.TemporaryDirectory(prefix="poise-postgres-") as folder:
        database = module.Server(Path(folder))
        database.start()
        try:
            yield database
        finally:
            database.stop("immediate")


def postgresql_away(base: Path, fault: str, away: Callable[[Any], None], back: Callable[[Any], None]) -> Row:
    """Take PostgreSQL away for some seconds in the middle."""
    with postgresql() as database:
        folder, shop = make_project(base / "shop", database.url), Shop("away")
        with launched(folder, database.url) as server, People(server.url) as people:
            shop.begin(server.url)
            wait_until(lambda: shop.statuses["200"] > 20, 30)
            away(database)
            time.sleep(5)
            back(database)
            before = shop.statuses["200"]
            wait_until(lambda: shop.statuses["200"] > before + 10, 60)
            shop.end()
            shop.send_again(server.url)
        return outcome(fault, stored_events(folder, [shop], database.url), [shop], people.seen)


def _signal_all(database: Any, what: signal.Signals) -> None:
    """Send a signal to the PostgreSQL server and each of its processes."""
    first = int((database.data / "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    for pid in [first, *map(int, children)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, what)


def _only_read(database: Any, value: str) -> None:
    import psycopg

    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")  # type: ignore[arg-type]
        connection.execute("SELECT pg_reload_conf()")


def clock_jumps(base: Path) -> Row:
    """Let the clock go back a day, then forward a year, then be right again, under a server in this process."""
    import uvicorn

    from poise.serve.clock import Clock
    from poise.serve.http.app import make_app
    from poise.serve.server import Settings, open_tenants

    folder = make_project(base / "shop")
    jumps = [0]
    clock = Clock(lambda: time.time() + jumps[-1], time.monotonic)
    app = make_app(lambda: open_tenants(Settings(folders=[str(folder)], is_open=True), clock))
    config = uvicorn.Config(app, port=0, log_level="warning", access_log=False)
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run)
    thread.start()
    wait_until(lambda: running.started, 30)
    url = f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    wait_until(lambda: httpx.get(f"{url}/ready").status_code == 200, 60)
    shop, unseen = Shop("jumps"), 0
    with People(url) as people, httpx.Client(base_url=url) as client:
        shop.begin(url)
        for index, jump in enumerate((0, -86_400, 365 * 86_400, -3 * 365 * 86_400, 0)):
            jumps.append(jump)
            for number in range(20):
                user, item = f"traveller{index}-{number}", f"i{number}"
                client.post("/v1/events", json={"user_id": user, "item_id": item}).raise_for_status()
                slate = client.post("/v1/recommendations", json={"user_id": user, "k": 200}).json()
                unseen += slate["stage"] != "ranker" or item in [shown["item_id"] for shown in slate["items"]]
            time.sleep(1)
        shop.end()
    running.should_exit = True
    thread.join()
    row = outcome("clock 1 day back, 1 year on, 3 years back", stored_events(folder, [shop]), [shop], people.seen)
    return {**row, "note": f"{unseen} of 100 events not seen by the next request"}


def slow_clients(base: Path, many: int = 500) -> Row:
    """Send heads and bodies a byte at a time, over many connections, until the server has had enough."""

    async def dawdle(server: Server, position: int) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
        writer.write(head + b"\r\n" if position % 2 else b"")
        start = time.monotonic()
        reading = asyncio.ensure_future(reader.read(100))
        for sign in (b" " * 100 if position % 2 else head * 2).decode():
            await asyncio.wait([reading], timeout=1)
            if reading.done():
                break
            writer.write(sign.encode())
        try:
            status = (await reading).split(b" ")[1:2]
        except ConnectionError:  # what was sent just before it was closed was not read any more
            status = []
        writer.close()
        return f"{(status or [b'closed'])[0].decode()} after {5 * round((time.monotonic() - start) / 5)} s"

    async def all_of_them(server: Server) -> list[str]:
        return await asyncio.gather(*[dawdle(server, index) for index in range(many)])

    folder, shop = make_project(base / "shop"), Shop("slow")
    with launched(folder) as server, People(server.url) as people:
        shop.begin(server.url)
        ends = asyncio.run(all_of_them(server))
        shop.end()
    row = outcome(f"{many} clients that send a byte a second", stored_events(folder, [shop]), [shop], people.seen)
    return {**row, "note": ", ".join(f"{ends.count(end)} × {end}" for end in sorted(set(ends)))}


def many_connections(base: Path, many: int) -> Row:
    """Keep many connections open, of which each has asked once, while some go on asking."""

    async def open_and_ask(server: Server) -> tuple[int, int]:
        connections: list[Connection] = []
        opened = asyncio.Semaphore(100)

        async def connect_and_ask() -> bool:
            async with opened:
                connection = await Connection.open(server.port)
                status, _ = await connection.ask(request("GET", "/health"))
                connections.append(connection)
                return status == 200

        answered = sum(await asyncio.gather(*[connect_and_ask() for _ in range(many)]))
        memory = _memory_mb(server.process.pid)
        await asyncio.sleep(5)
        for connection in connections:
            connection.close()
        return answered, memory

    folder, shop = make_project(base / "shop"), Shop("many")
    with launched(folder) as server:
        before = _memory_mb(server.process.pid)
        with People(server.url) as people:
            shop.begin(server.url)
            answered, memory = asyncio.run(open_and_ask(server))
            shop.end()
    row = outcome(f"{many:,} connections", stored_events(folder, [shop]), [shop], people.seen)
    return {**row, "note": f"{answered:,} open and answered; memory {before} to {memory} MB"}


def _memory_mb(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1_000_000


def a_worker_killed(base: Path, many: int = 3) -> Row:
    """Kill one of two workers, several times; the other goes on, and a new one takes its place."""
    folder, shop = make_project(base / "shop"), Shop("workers", batch=1)
    command = [sys.executable, "-m", "poise", "serve", "-p", str(folder), "--port", "0", "--workers", "2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split(" at ")[1].split()[0]
        for number in range(many):
            wait_until(lambda: all(_ready(url) for _ in range(20)), 120)
            shop.begin(url)
            workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            serving = [int(pid) for pid in workers if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
            time.sleep(0.5)
            os.kill(serving[number % len(serving)], signal.SIGKILL)
            time.sleep(1)
            shop.end()
        wait_until(lambda: all(_ready(url) for _ in range(20)), 120)
        shop.send_again(url)
    finally:
        process.terminate()
        process.wait(30)
    return outcome(f"one of two workers killed, {many} times", stored_events(folder, [shop]), [shop])


def _ready(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{url}/ready", timeout=5).status_code == 200
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--only", nargs="*", help="names of functions")
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard) if soft < hard else (soft, hard))
    faults: dict[str, Callable[[Path], Row]] = {
        "kills": lambda base: kills(base, options.kills),
        "worker": a_worker_killed,
        "full_disk": full_disk,
        "read_only_disk": read_only_disk,
        "locked": locked_database,
        "stopped": lambda base: postgresql_away(
            base, "PostgreSQL stopped for 5 s", lambda it: it.stop("immediate"), lambda it: it.start()
        ),
        "frozen": lambda base: postgresql_away(
            base,
            "PostgreSQL frozen for 5 s",
            lambda it: _signal_all(it, signal.SIGSTOP),
            lambda it: _signal_all(it, signal.SIGCONT),
        ),
        "only_read": lambda base: postgresql_away(
            base,
            "PostgreSQL takes no writes for 5 s",
            lambda it: _only_read(it, "on"),
            lambda it: _only_read(it, "off"),
        ),
        "clock": clock_jumps,
        "slow": slow_clients,
        "connections": lambda base: many_connections(base, min(options.connections, hard - 500)),
    }
    rows = []
    for name, fault in faults.items():
        if options.only and name not in options.only:
            continue
        if "disk" in name and os.geteuid() != 0:
            continue
        with tempfile.TemporaryDirectory() as base:
            print(f"{name} ...", file=sys.stderr, flush=True)
            rows.append({"note": "", **fault(Path(base))})
    for row in rows:
        row["note"] = row.pop("note")  # last
    if options.only:
        for row in rows:
            print(row)
    else:
        write_result("serve_faults", rows)


if __name__ == "__main__":
    main()
