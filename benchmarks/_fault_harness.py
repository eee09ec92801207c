"""What faults are tried on: a small project, a server in a process of its own, people who ask, shops that send."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

USERS, ITEMS = 200, 300
PRELOADED = [
    "poise.serve.server",
    "poise.serve.page.routes",
    "poise.serve.http.connections",
    "poise.models.linear.item_knn",
    "torch",
]
TOML = 'name = "faults"\n[data]\nevents = "log.ndjson"\n[pipeline]\nmodels = ["ItemKNN"]\n[encoder]\nmodel = "none"\n'


def make_project(folder: Path, store: str | None = None) -> Path:
    """Write and fit a project, and fill its live log."""
    from poise.project import Project
    from poise.project.fitting import fit

    if not (folder / "poise.toml").exists():
        draw = random.Random(0)
        lines = [
            json.dumps(
                {"user_id": f"u{user}", "item_id": f"i{draw.randrange(ITEMS)}", "timestamp": 1_760_000_000 + index}
            )
            for user in range(USERS)
            for index in range(20)
        ]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "log.ndjson").write_text("\n".join(lines))
        (folder / "poise.toml").write_text(TOML)
        fit(Project(folder))
    Project(folder).fill_store(store).close()
    return folder


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A server: where it is, and its process."""

    url: str
    process: Any

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])


@contextlib.contextmanager
def launched(folder: Path, store: str | None = None) -> Iterator[Server]:
    """Start a server in a new process; all that it imports is there already, so that it is ready soon."""
    from poise.serve.server import Settings, serve

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    port = free_port()
    settings = Settings(folders=[str(folder)], port=port, store=store, is_open=True)
    process = context.Process(target=serve, args=(settings,))
    process.start()
    server = Server(f"http://127.0.0.1:{port}", process)
    try:
        wait_until(lambda: _is_ready(server.url), 60)
        yield server
    finally:
        process.kill()
        process.join()


def _is_ready(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{url}/ready", timeout=5).status_code == 200
    return False


def wait_until(condition: Any, seconds: float) -> None:
    """Wait until something is so."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"not so within {seconds} s")
        time.sleep(0.01)


@dataclass
class Seen:
    """What people were answered: by status, by stage, and the slowest."""

    statuses: Counter[str] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)


class People:
    """Ask for recommendations, some at the same time, one after the other each."""

    def __init__(self, url: str, many: int = 4) -> None:
        self.url, self.seen = url, Seen()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(many)]

    def __enter__(self) -> People:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number: int) -> None:
        draw = random.Random(number)
        with httpx.Client(base_url=self.url, timeout=60) as client:
            while not self._stop.wait(0.005):
                start = time.perf_counter()
                try:
                    body = {"user_id": f"u{draw.randrange(USERS)}"}
                    answer = client.post("/v1/recommendations", json=body)
                    self.seen.statuses[str(answer.status_code)] += 1
                    if answer.status_code == 200:
                        self.seen.stages[answer.json()["stage"]] += 1
                except httpx.HTTPError as error:
                    self.seen.statuses[type(error).__name__] += 1
                self.seen.seconds.append(time.perf_counter() - start)


class Shop:
    """Sends events with ids of their own, and remembers which were acknowledged."""

    def __init__(self, name: str, batch: int = 10) -> None:
        self.name, self.batch = name, batch
        self.sent: list[str] = []
        self.acknowledged: set[str] = set()
        self.statuses: Counter[str] = Counter()
        self.slowest = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, url: str) -> None:
        """Send until told to stop, or until the server is gone."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._send_on, args=(url,))
        self._thread.start()

    def end(self) -> None:
        """Stop, and wait for the last answer."""
        self._stop.set()
        assert self._thread is not None
        self._thread.join()

    def send_again(self, url: str) -> None:
        """Send what was not acknowledged, as whoever got no answer does."""
        doubtful = [event_id for event_id in self.sent if event_id not in self.acknowledged]
        with httpx.Client(base_url=url, timeout=60) as client:
            for first in range(0, len(doubtful), 1_000):
                self._send(client, doubtful[first : first + 1_000])

    def _send_on(self, url: str) -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            while not self._stop.is_set():
                ids = [f"{self.name}-{len(self.sent) + index}" for index in range(self.batch)]
                self.sent += ids
                try:
                    if self._send(client, ids) != 200:
                        time.sleep(0.05)
                except httpx.HTTPError as error:
                    self.statuses[type(error).__name__] += 1
                    return

    def _send(self, client: httpx.Client, ids: list[str]) -> int:
        events = [{"user_id": self.name, "item_id": "i1", "event_id": event_id} for event_id in ids]
        start = time.perf_counter()
        answer = client.post("/v1/events", json={"events": events})
        self.slowest = max(self.slowest, time.perf_counter() - start)
        self.statuses[str(answer.status_code)] += 1
        if answer.status_code == 200:
            self.acknowledged.update(ids)
        return answer.status_code


def stored_events(folder: Path, shops: list[Shop], store: str | None = None) -> Counter[str]:
    """Return how often each event of the shops is in the store."""
    from poise.project import Project

    with Project(folder).open_store(store) as opened:
        counts: Counter[str] = Counter()
        for shop in shops:
            counts.update(str(event.event_id) for event in opened.history(shop.name, 10_000_000))
    return counts


def outcome(fault: str, counts: Counter[str], shops: list[Shop], people: Seen | None = None) -> dict[str, Any]:
    """Return a row of the table."""
    acknowledged = {event_id for shop in shops for event_id in shop.acknowledged}
    statuses = people.statuses if people else Counter()
    return {
        "fault": fault,
        "acknowledged": len(acknowledged),
        "lost": sum(event_id not in counts for event_id in acknowledged),
        "twice": sum(count > 1 for count in counts.values()),
        "events answered": _told(sum((shop.statuses for shop in shops), Counter())),
        "slowest events, s": round(max((shop.slowest for shop in shops), default=0.0), 2),
        "asked": sum(statuses.values()),
        "recommendations": _told(statuses),
        "stages": _told(people.stages) if people else "",
        "slowest, ms": round(max(people.seconds) * 1000) if people and people.seconds else 0,
    }


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{count} × {what}" for what, count in counts.most_common())
