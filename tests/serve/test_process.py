"""A server in a process of its own: killed, stopped, started on what is damaged."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter

import httpx
import pytest

from poise.project import Project
from poise.project.fitting import fit
from poise.serve.server import Settings, serve
from poise.store.store import Store

KILLS = 5
PRELOADED = [
    "poise.serve.server",
    "poise.serve.page.routes",
    "poise.serve.http.connections",
    "poise.models.linear.item_knn",
    "torch",
]


@pytest.fixture(scope="module")
def folder(write_shop, tmp_path_factory):
    """Return a project without an encoder, which another process would have to load."""
    folder = write_shop(tmp_path_factory.mktemp("process") / "shop", encoder="none", models=["ItemKNN"])
    project = Project(folder)
    fit(project)
    fit(project)
    project.fill_store().close()
    return folder


@pytest.fixture(scope="module")
def launch():
    """Return a function that starts a server in a new process, quickly: all it imports is there already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)

    @contextlib.contextmanager
    def start(folder, **settings):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        given = Settings(folders=[str(folder)], port=port, is_open=True, **settings)
        process = context.Process(target=serve, args=(given,))
        process.start()
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until_ready(url, process.is_alive)
            yield process, url
        finally:
            process.kill()
            process.join()

    return start


def wait_until_ready(url, is_alive):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert is_alive()
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/ready").status_code == 200:
                return
        time.sleep(0.02)
    raise AssertionError("the server is not ready")


class Shop:
    """Sends events with ids of their own, until the server is gone, and remembers which were acknowledged."""

    def __init__(self, name):
        self.name = name
        self.sent, self.acknowledged = [], set()

    def send_until_it_is_gone(self, url):
        with httpx.Client(base_url=url, verify=False) as client, contextlib.suppress(httpx.HTTPError):
            while True:
                self.send(client, [f"{self.name}-{len(self.sent) + index}" for index in range(7)])

    def send_again(self, url):
        """Send what was not acknowledged, as whoever got no answer does."""
        with httpx.Client(base_url=url, verify=False) as client:
            if doubtful := [event_id for event_id in self.sent if event_id not in self.acknowledged]:
                self.send(client, doubtful)

    def send(self, client, ids):
        self.sent += [event_id for event_id in ids if event_id not in self.sent[-20:]]
        events = [{"user_id": self.name, "item_id": "i01", "event_id": event_id} for event_id in ids]
        body = client.post("/v1/events", json={"events": events}).raise_for_status().json()
        assert body["accepted"] + body["duplicates"] == len(ids)
        self.acknowledged.update(ids)


def test_acknowledged_events_survive_a_kill_exactly_once(folder, launch):
    draw = random.Random(0)
    shops = [Shop(f"shop{number}") for number in range(3)]
    for _ in range(KILLS):
        with launch(folder) as (process, url):
            for shop in shops:
                shop.send_again(url)
            threads = [threading.Thread(target=shop.send_until_it_is_gone, args=(url,)) for shop in shops]
            before = sum(len(shop.acknowledged) for shop in shops)
            for thread in threads:
                thread.start()
            while sum(len(shop.acknowledged) for shop in shops) < before + 50:
                time.sleep(0.001)
            time.sleep(draw.uniform(0, 0.05))
            os.kill(process.pid, signal.SIGKILL)
            for thread in threads:
                thread.join()
            assert stored_events(folder, shops) >= {event_id for shop in shops for event_id in shop.acknowledged}
    with launch(folder) as (_, url):
        for shop in shops:
            shop.send_again(url)
            profile = httpx.get(f"{url}/v1/users/{shop.name}/profile").json()
            assert profile["events"] == len(shop.sent)
    assert stored_events(folder, shops) == {event_id for shop in shops for event_id in shop.sent}
    assert sum(len(shop.sent) for shop in shops) > 50 * KILLS


def stored_events(folder, shops):
    """Return the ids of the events that are in the store, each of which is there once."""
    with Store.open(folder / "live.sqlite", "shop") as store:
        stored = [event.event_id for shop in shops for event in store.history(shop.name, 1_000_000)]
    assert max(Counter(stored).values(), default=1) == 1
    return set(stored)


def test_a_graceful_stop_finishes_requests_at_work(folder, launch):
    shop = Shop("polite")
    with launch(folder) as (process, url):
        thread = threading.Thread(target=shop.send_until_it_is_gone, args=(url,))
        thread.start()
        httpx.post(f"{url}/v1/recommendations", json={"user_id": "polite"}).raise_for_status()
        while len(shop.acknowledged) < 50:
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGTERM)
        process.join(20)
        assert process.exitcode in (0, -signal.SIGTERM)
        thread.join()
    assert stored_events(folder, [shop]) == shop.acknowledged
    with Store.open(folder / "live.sqlite", "shop") as store:
        assert len(store.impressions_of("polite")) == 1


SLOW_BATCHES = """
import sys, time
from poise.serve.engine.batcher import Batcher
real = Batcher.__init__
def slow(self, work, **options):
    def later(asked):
        time.sleep(1.0)
        return work(asked)
    real(self, later, **options)
Batcher.__init__ = slow
from poise.cli.main import main
sys.exit(main())
"""


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_batch_at_work_when_the_server_stops_leaves_no_traceback(folder, stop):
    command = [sys.executable, "-c", SLOW_BATCHES, "serve", "-p", str(folder), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    answers = []

    def ask(url, user_id):
        with httpx.Client(base_url=url, verify=False, timeout=30) as client, contextlib.suppress(httpx.HTTPError):
            while True:
                answers.append(client.post("/v1/recommendations", json={"user_id": user_id}).status_code)

    try:
        url = server.stdout.readline().split(" at ")[1].split()[0]
        wait_until_ready(url, lambda: server.poll() is None)
        threads = [threading.Thread(target=ask, args=(url, f"u{number:02}")) for number in range(4)]
        for thread in threads:
            thread.start()
        while len(answers) < 4:
            time.sleep(0.01)
        server.send_signal(stop)
        _, output = server.communicate(timeout=60)
        for thread in threads:
            thread.join()
    finally:
        server.kill()
    assert set(answers) <= {200, 503}
    assert "Traceback" not in output
    assert "Error" not in output


def test_poise_serve_skips_a_damaged_run_and_prints_its_address(folder):
    older, newest = Project(folder).runs[-2:]
    (folder / "runs" / newest / "catalogue.arrow").unlink()
    command = [sys.executable, "-m", "poise", "serve", "-p", str(folder), "--port", "0", "--log-requests"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        url = server.stdout.readline().split(" at ")[1].split()[0]
        wait_until_ready(url, lambda: server.poll() is None)
        assert httpx.get(f"{url}/ready").json()["run"] == older
        httpx.post(f"{url}/v1/recommendations", json={"user_id": "u00"}).raise_for_status()
    finally:
        server.terminate()
        _, output = server.communicate(timeout=30)
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert any(newest in line.get("text", "") and "damaged" in line["text"] for line in lines)
    assert any(line.get("route") == "/v1/recommendations" and line["status"] == 200 for line in lines)
    assert "u00" not in output
