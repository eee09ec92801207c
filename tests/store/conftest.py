from __future__ import annotations

import importlib.util
import itertools
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from poise.store import Store
from poise.store.records import Event

OpenStore = Callable[..., Store]

NURSERY = """
import os, sys, time
from poise.data.storage import open_dataset
from poise.store import Store
from poise.store.records import Event

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def add(path, start):
    store = Store.open(path)
    for batch in range(int(start), 10**9):
        events = [Event(f"u{row % 3}", "i", "view", None, 0, f"{batch}-{row}") for row in range(20)]
        future = store.add_events(events)
        future.add_done_callback(lambda done, batch=batch: say("kept", batch, done.result().accepted))
        while store.pending > 100:
            time.sleep(0.001)

def load(path, data):
    store = Store.open(path)
    data = open_dataset(data)
    say("loading")
    store.load(data)
    say("loaded")

def enter(url, project, item):
    with Store.open(url, project) as store:
        store.add_events([Event("u", item, "view", None, 0)]).result()

for line in sys.stdin:  # whoever is born here has imported everything already
    children = []
    for what, *arguments in map(str.split, line.split(";")):
        children.append(os.fork())
        if not children[-1]:
            globals()[what](*arguments)
            os._exit(0)
    say("children", *children)
    died = [os.waitpid(child, 0)[1] for child in children]
    say("dead", *died)
"""


class Nursery:
    """Gives birth to processes that need not import anything."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def line(self) -> list[str]:
        assert self._process.stdout is not None
        return self._process.stdout.readline().split()

    def bear(self, *orders: str) -> list[int]:
        """Have a process do each of ``orders``, all at once; return their numbers."""
        assert self._process.stdin is not None
        self._process.stdin.write(";".join(orders) + "\n")
        self._process.stdin.flush()
        word, *children = self.line()
        assert word == "children"
        return [int(child) for child in children]

    def last_words(self) -> Iterator[list[str]]:
        """Yield what they say until all are dead, and then how each died."""
        while True:
            words = self.line()
            assert words, "the nursery itself has died"
            yield words
            if words[0] == "dead":
                return

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


_numbers = itertools.count()


def event(user: str = "u", item: str = "i", time: int = 0, event_id: str | None = None, **more: Any) -> Event:
    return Event(user, item, more.pop("behaviour", "view"), more.pop("value", None), time, event_id, **more)


@pytest.fixture(scope="session")
def make_event() -> Callable[..., Event]:
    return event


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A running PostgreSQL server; its folder is one that another account can reach."""
    with tempfile.TemporaryDirectory(prefix="poise-postgres-") as folder:
        spec = importlib.util.spec_from_file_location("postgres", Path(__file__).with_name("postgres.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        server = module.Server(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "live.sqlite")
    address: str = request.getfixturevalue("postgres").url
    return address


@pytest.fixture
def open_store(url: str) -> Iterator[OpenStore]:
    """Opens stores on one database; the project is one that no other test has, unless it is named."""
    opened: list[Store] = []
    name = f"project {next(_numbers)}"

    def open_one(project: str = name, **options: Any) -> Store:
        opened.append(Store.open(url, project, **options))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()
