from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from poise.encoders.cache import HalfFloats, VectorCache


def unit_vectors(n: int, dim: int = 8, seed: int = 0) -> HalfFloats:
    vectors = np.random.default_rng(seed).normal(size=(n, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def test_the_vector_cache_returns_what_was_put() -> None:
    vectors = unit_vectors(3)
    VectorCache("one").put(["a", "b", "影"], vectors)
    is_cached, cached_vectors = VectorCache("one").get(["影", "x", "a"])
    assert is_cached.tolist() == [True, False, True]
    np.testing.assert_array_equal(cached_vectors, vectors[[2, 0]])


def test_encoders_do_not_share_cached_vectors() -> None:
    VectorCache("one==1").put(["a"], unit_vectors(1))
    assert not VectorCache("one==2").get(["a"])[0].any()


def test_looking_up_many_vectors_is_quick() -> None:
    texts = [f"text {index}" for index in range(100_000)]
    cache = VectorCache("many")
    cache.put(texts, unit_vectors(len(texts), 64))
    start = time.perf_counter()
    is_cached, _ = cache.get(texts)
    assert is_cached.all()
    assert time.perf_counter() - start < 10  # about one on a quiet machine


@pytest.mark.parametrize("damage", [b"this is no database" * 500, b"SQLite format 3\x00" + b"\x99" * 8000])
def test_a_damaged_file_is_set_aside(damage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    cache = VectorCache("one")
    cache.path.parent.mkdir(parents=True)
    cache.path.write_bytes(damage)
    with caplog.at_level(logging.WARNING):
        assert not cache.get(["a"])[0].any()
    assert "damaged" in caplog.text
    cache.put(["a"], unit_vectors(1))
    assert cache.get(["a"])[0].all()
    assert [path.read_bytes() for path in cache.path.parent.glob("*.damaged-*")] == [damage]


def test_a_damaged_vector_is_a_cache_miss() -> None:
    cache = VectorCache("one")
    vectors = unit_vectors(3)
    cache.put(["a", "b", "c"], vectors)
    with sqlite3.connect(cache.path) as connection:
        key = connection.execute("SELECT key FROM vectors WHERE vector = ?", [vectors[1].tobytes()]).fetchone()[0]
        connection.execute("UPDATE vectors SET vector = ? WHERE key = ?", [b"\xff" * 16, key])
    connection.close()
    assert cache.get(["a", "b", "c"])[0].tolist() == [True, False, True]


def test_a_folder_that_cannot_be_written_is_reported_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("POISE_CACHE", str(tmp_path / "file"))
    cache = VectorCache("one")
    with caplog.at_level(logging.WARNING):
        cache.put(["a"], unit_vectors(1))
        assert not cache.get(["a"])[0].any()
    assert len(caplog.records) == 1
    assert "cannot be used" in caplog.text


WRITE = """
import sys
import numpy as np
from poise.encoders.cache import VectorCache

name, part, n = sys.argv[1:]
cache = VectorCache(name)
vector = np.eye(8, dtype=np.float16)
for at in range(int(n)):
    cache.put([f"{part} {at}", f"both {at}"], vector[:2])
"""


def start_writing(name: str, part: int, n: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITE, name, str(part), str(n)])


def test_two_processes_write_to_the_cache_at_once() -> None:
    processes = [start_writing("shared", part, 40) for part in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    texts = [f"{who} {index}" for who in ("0", "1", "both") for index in range(40)]
    assert VectorCache("shared").get(texts)[0].all()


def test_a_killed_process_loses_only_what_it_was_writing() -> None:
    process = start_writing("killed", 0, 1_000_000)
    cache = VectorCache("killed")
    deadline = time.monotonic() + 60
    while not cache.get(["0 0"])[0].any() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert cache.get(["0 0"])[0].all()
    cache.put(["after"], unit_vectors(1))
    assert cache.get(["after", "0 0"])[0].all()
