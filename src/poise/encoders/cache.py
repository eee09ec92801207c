"""A cache of vectors on disk, keyed by content: no text is encoded twice."""

from __future__ import annotations

import hashlib
import logging
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from poise.files import cache_folder
from poise.types import Mask

HalfFloats = npt.NDArray[np.float16]

_logger = logging.getLogger(__name__)
_AT_ONCE = 10_000  # keys in one query; SQLite allows 32,766
_PATIENCE = 30.0  # seconds to wait for another process that writes


class VectorCache:
    """The unit vectors of one encoder, one SQLite file: float16, keyed by a hash of the text.

    Several processes may read and write at once, and any may be killed. A cache that cannot be used is not an error: a
    damaged file is renamed, a full or read-only disk is reported once, and the texts are encoded again.

    Args:
        identity: of the encoder and its version.
    """

    def __init__(self, identity: str) -> None:
        digest = hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()
        name = re.sub(r"[^A-Za-z0-9.]+", "-", identity)[:60].strip("-")
        self.path = cache_folder() / "vectors" / f"{name}-{digest}.sqlite"
        self._usable = True

    def get(self, texts: Sequence[str]) -> tuple[Mask, HalfFloats]:
        """Look up texts.

        Returns:
            bool ``[n]``, which texts are cached, and float16 ``[n_cached, dim]``, their vectors in the texts' order.
        """
        keys = [_key(text) for text in texts]
        stored: dict[bytes, bytes] = {}
        with self._connection() as connection:
            for start in range(0, len(keys), _AT_ONCE):
                part = keys[start : start + _AT_ONCE]
                marks = ",".join("?" * len(part))
                stored.update(connection.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", part))
        is_known = np.fromiter((key in stored for key in keys), dtype=np.bool_, count=len(keys))
        width = max(map(len, stored.values()), default=0) // 2
        vectors = np.zeros((len(keys), width), dtype=np.float16)
        for row in np.flatnonzero(is_known):
            vector = np.frombuffer(stored[keys[row]], dtype=np.float16)
            is_known[row] = len(vector) == width
            if is_known[row]:
                vectors[row] = vector
        is_known &= _whole(vectors)
        return is_known, vectors[is_known]

    def put(self, texts: Sequence[str], vectors: HalfFloats) -> None:
        """Store the vectors, float16 ``[n, dim]``, of ``texts``; all or, if the process is killed, none."""
        rows = [(_key(text), vector.tobytes()) for text, vector in zip(texts, vectors, strict=True)]
        with self._connection() as connection, connection:
            connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection; an error of it ends the block silently and is reported once."""
        try:
            if not self._usable:
                connection = _opened(":memory:")
            else:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                connection = _opened(self.path)
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
            connection = _opened(":memory:")
        with closing(connection):
            try:
                yield connection
            except sqlite3.Error as error:
                self._give_up(error)

    def _give_up(self, error: sqlite3.Error | OSError) -> None:
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            aside = self.path.with_suffix(f".damaged-{time.time_ns()}")
            _logger.warning(
                "the cache of vectors %s is damaged (%s); it was renamed to %s", self.path, error, aside.name
            )
            for suffix in ("-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            with suppress(OSError):
                self.path.rename(aside)
        else:
            self._usable = False
            _logger.warning("the cache of vectors %s cannot be used (%s); texts are encoded again", self.path, error)


def _opened(path: Path | str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_PATIENCE)
    try:
        with suppress(sqlite3.OperationalError):  # another process is just switching it on
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")
    except BaseException:
        connection.close()
        raise
    return connection


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()


def _whole(vectors: HalfFloats) -> Mask:
    """Return which rows are unit vectors or zero; damage on the disk would break that."""
    squares = np.einsum("nd,nd->n", vectors, vectors, dtype=np.float32)
    return np.asarray((np.abs(squares - 1) < 0.01) | (squares == 0))
