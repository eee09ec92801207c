from __future__ import annotations

import contextlib
import importlib.util
import itertools
import json
import random
import re
import shutil
import socket
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn

from poise.encoders.text import TextEncoder
from poise.project import Project
from poise.project.fitting import fit
from poise.serve.clock import SYSTEM_CLOCK, Clock
from poise.serve.http.app import make_app
from poise.serve.http.connections import Connection
from poise.serve.page.routes import PAGES, not_found
from poise.serve.server import Settings, open_tenants
from poise.serve.tenant import Tenant

N_USERS, N_ITEMS = 60, 40
DAY = 86_400_000  # milliseconds
THEMES = {0: ("Sea", ["sea", "ships"]), 1: ("Moon", ["moon", "night"])}

TOML = """\
name = "{name}"

[data]
events = "log.ndjson"
items = "things.ndjson"

[pipeline]
models = {models}

[policy]
cold_start_boost = 0.5

[encoder]
model = "{encoder}"
cache = false

[serve]
{serve}
"""


SAME = {"ocean": "sea", "waves": "sea", "lunar": "moon", "luna": "moon"}


class Meanings:
    """An encoder in no time: a text is the sum of its words, of which some mean the same."""

    identity = "meanings"
    batch_size = 100

    def reads(self, script: str) -> bool:
        return True

    def encode(self, texts: list[str]) -> np.ndarray:
        vectors = np.zeros((len(texts), 24), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                seed = zlib.crc32(SAME.get(word, word).encode())
                vectors[row] += np.random.default_rng(seed).normal(size=24)
        return vectors


def configure(
    folder: Path,
    *,
    name: str = "shop",
    encoder: str = "meanings",
    models: Sequence[str] = ("ItemKNN", "Content", "Popularity"),
    serve: str = "",
) -> Path:
    """Write the ``poise.toml`` of a project; ``serve`` is what stands in its ``[serve]``."""
    text = TOML.format(name=name, encoder=encoder, models=json.dumps(models), serve=serve)
    (folder / "poise.toml").write_text(text)
    return folder


def write_shop(folder: Path, **config: Any) -> Path:
    """Write a small project: people of two groups, each with its own half of the things."""
    rng = random.Random(0)
    events = []
    for user in range(N_USERS):
        mine = rng.sample(range(user % 2, N_ITEMS - 2, 2), rng.randint(5, 9))
        for place, item in enumerate(mine):
            events.append(
                {
                    "user_id": f"u{user:02}",
                    "item_id": f"i{item:02}",
                    "behaviour": "like" if rng.random() < 0.3 else "view",
                    "timestamp": 1_760_000_000_000 + (user * 3 + place * 7) * DAY // 4,
                }
            )
    items = [
        {
            "item_id": f"i{item:02}",
            "title": f"{THEMES[item % 2][0]} story {item}",
            "genres": THEMES[item % 2][1] if item % 3 else [*THEMES[item % 2][1], "classic"],
            "country": ["no", "pt", "jp"][item % 3],
            "price": 5.0 + item,
        }
        for item in range(N_ITEMS)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log.ndjson").write_text("".join(f"{json.dumps(event)}\n" for event in events))
    (folder / "things.ndjson").write_text("".join(f"{json.dumps(item)}\n" for item in items))
    return configure(folder, **config)


@pytest.fixture(scope="session", name="write_shop")
def _write_shop() -> Callable[..., Path]:
    """Return the function that writes a small project."""
    return write_shop


@contextlib.contextmanager
def meanings() -> Iterator[None]:
    """Let every encoder of texts be :class:`Meanings`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TextEncoder, "backend", property(lambda self: Meanings()))
        yield


class Running:
    """A server in a thread of this process, over a real socket.

    Attributes:
        url: where it listens.
        client: asks it.
        app: the application.
    """

    def __init__(self, settings: Settings, clock: Clock = SYSTEM_CLOCK) -> None:
        self.settings = settings
        self.app = make_app(lambda: open_tenants(settings, clock), PAGES, not_found)
        config = uvicorn.Config(
            self.app, http=Connection, log_level="warning", access_log=False, timeout_graceful_shutdown=2
        )
        self._server = uvicorn.Server(config)
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)
        self._thread.start()
        self.client = httpx.Client(base_url=self.url, timeout=30, verify=False)  # what verifies takes time to load
        self.wait_for(lambda: self._server.started)

    @property
    def tenants(self) -> list[Tenant]:
        """The projects."""
        return list(self.app.state.server.tenants)

    @property
    def tenant(self) -> Tenant:
        """The only project."""
        (tenant,) = self.tenants
        return tenant

    def ready(self) -> Running:
        """Wait until it answers."""
        self.wait_for(lambda: self.client.get("/ready").status_code == 200)
        return self

    def wait_for(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait until something is so."""
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, f"not so within {seconds} s"
            time.sleep(0.005)

    def metric(self, name: str, **labels: str) -> float:
        """Return the value of a metric, summed over the labels that are not given."""
        total = 0.0
        for tenant in self.tenants:
            for family in tenant.metrics.registry.collect():
                for sample in family.samples:
                    if sample.name == name and labels.items() <= sample.labels.items():
                        total += sample.value
        return total

    def recommend(self, **body: Any) -> dict[str, Any]:
        """Ask for recommendations."""
        answer = self.client.post("/v1/recommendations", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def shown(self, **body: Any) -> list[str]:
        """Return the ids of the items that are recommended."""
        return [item["item_id"] for item in self.recommend(**body)["items"]]

    def add(self, user_id: str, item_id: str, **more: Any) -> None:
        """Send an event."""
        answer = self.client.post("/v1/events", json={"user_id": user_id, "item_id": item_id, **more})
        assert answer.json() == {"accepted": 1, "refused": [], "duplicates": 0}, answer.text

    def close(self) -> None:
        """Stop it."""
        self.client.close()
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()
        self._socket.close()


@pytest.fixture(scope="module", autouse=True)
def _meanings() -> Iterator[None]:
    with meanings():
        yield


@pytest.fixture(scope="session")
def fitted_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small project with a filled store and two runs, the newest of all models."""
    folder = write_shop(tmp_path_factory.mktemp("serve") / "shop", models=["ItemKNN"])
    with meanings():
        fit(Project(folder))
        project = Project(configure(folder))
        fit(project)
        project.fill_store().close()
    return folder


@pytest.fixture(scope="module")
def copy_shop(fitted_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that gives a fresh copy of the project; ``serve`` is what stands in its ``[serve]``."""

    def copy(serve: str = "budget = 10") -> Path:  # however busy the machine is
        folder = tmp_path_factory.mktemp("copy") / "shop"
        shutil.copytree(fitted_shop, folder)
        return configure(folder, serve=serve)

    return copy


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[..., Running]]:
    """Return a function that starts a server on folders of projects, and stops it at the end of the module."""
    with contextlib.ExitStack() as stack:

        def run(*folders: Path, ready: bool = True, clock: Clock = SYSTEM_CLOCK, **settings: Any) -> Running:
            given = Settings(folders=[str(folder) for folder in folders], **{"is_open": True, **settings})
            running = Running(given, clock)
            stack.callback(running.close)
            return running.ready() if ready else running

        yield run


@pytest.fixture(scope="module")
def server(start: Callable[..., Running], copy_shop: Callable[..., Path]) -> Running:
    """Return a server without keys on a fresh copy of the project, one for each module of tests."""
    return start(copy_shop())


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """Return a real PostgreSQL server."""
    with tempfile.TemporaryDirectory(prefix="poise-postgres-") as folder:  # which another account can reach
        database = _load(Path(__file__).parents[1] / "store" / "postgres.py").Server(Path(folder))
        database.start()
        try:
            yield database
        finally:
            database.stop("immediate")


@pytest.fixture(scope="session")
def new_database(postgres: Any) -> Callable[[], str]:
    """Return a function that makes an empty database and returns its address."""
    import psycopg

    numbers = itertools.count(1)

    def make() -> str:
        name = f"shop{next(numbers)}"
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
        return f"{postgres.url.rpartition('/')[0]}/{name}"

    return make
