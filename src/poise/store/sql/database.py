"""A database by URL: connections to write, to read, and to read one snapshot over several queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError

from poise.errors import UsageError
from poise.store.errors import StoreError, explained, is_gone
from poise.store.sql.write_lock import WriteLock

Answer = TypeVar("Answer")

PATIENCE = 5.0  # seconds to wait for another program that writes
_POSTGRESQL = {"connect_timeout": 10, "tcp_user_timeout": 10_000}  # seconds; milliseconds without an answer


class Database:
    """The database that holds a store.

    Args:
        url: ``postgresql://user:password@host/name``, ``sqlite:///path``, or the path of a SQLite file.

    Raises:
        UsageError: the URL is of another kind.
        StoreError: the driver is not installed, or the file is not a SQLite database.
    """

    def __init__(self, url: str | Path) -> None:
        self.url = _url(url)
        self.is_sqlite = self.url.drivername.startswith("sqlite")
        self.label = (self.url.database or "") if self.is_sqlite else self.url.render_as_string(hide_password=True)
        self._write_lock: WriteLock | None = None
        if self.is_sqlite:
            _require_sqlite(Path(self.label))
            self._write_lock = WriteLock(f"{self.label}.lock")
        self._writing = self._engine(writes=True)
        self._reading = self._engine(writes=False)

    def _engine(self, *, writes: bool) -> Engine:
        options: dict[str, Any] = {"pool_size": 1 if writes else 8, "pool_use_lifo": True, "pool_timeout": PATIENCE}
        if not writes:
            more = 56 if self.is_sqlite else 8  # a server allows for 100 connections, of all workers
            options |= {"max_overflow": more, "isolation_level": "AUTOCOMMIT"}  # no trip for a BEGIN
        if self.is_sqlite:
            options["connect_args"] = {"timeout": PATIENCE, "check_same_thread": False, "cached_statements": 256}
        else:
            options["connect_args"] = _POSTGRESQL
        try:
            engine = create_engine(self.url, **options)
        except ModuleNotFoundError:
            raise StoreError("PostgreSQL needs a driver: pip install 'poise[postgres]'") from None
        if self.is_sqlite:
            _set_up_sqlite(engine, writes=writes)
        return engine

    def insert(self, table: Table) -> Any:
        """Return an INSERT that knows ON CONFLICT, in the dialect of this database."""
        return (sqlite if self.is_sqlite else postgresql).insert(table)

    @property
    def write_lock(self) -> AbstractContextManager[None]:
        """The lock to hold while writing, from before the transaction begins until it has ended."""
        return nullcontext() if self._write_lock is None else self._write_lock

    def connect_to_write(self) -> Connection:
        """Return a connection whose transactions write; each must begin and end with :attr:`write_lock` held."""
        return self._writing.connect()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a connection in a transaction that writes, and commit it at the end.

        Raises:
            StoreError: the database cannot be written to.
        """
        with explained(self.label), self.write_lock, self._writing.connect() as connection, connection.begin():
            yield connection

    def read(self, question: Callable[[Connection], Answer]) -> Answer:
        """Run a query; once more if the connection was broken, as after a restart of the server.

        Raises:
            StoreError: the database cannot be read.
        """
        with explained(self.label):
            try:
                with self._reading.connect() as connection:
                    return question(connection)
            except DBAPIError as error:
                if not is_gone(error):
                    raise
            with self._reading.connect() as connection:
                return question(connection)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Yield a connection that sees one snapshot, whatever is written meanwhile.

        Raises:
            StoreError: the database cannot be read.
        """
        with explained(self.label), self._reading.connect() as connection:
            if not self.is_sqlite:
                yield connection.execution_options(isolation_level="REPEATABLE READ")
                return
            connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                connection.exec_driver_sql("ROLLBACK")

    def close(self) -> None:
        """Close all connections."""
        self._reading.dispose()
        self._writing.dispose()
        if self._write_lock is not None:
            self._write_lock.close()


def _url(given: str | Path) -> URL:
    if isinstance(given, Path) or ("://" not in given and given not in ("", ":memory:")):
        return URL.create("sqlite+pysqlite", database=str(given))
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        raise UsageError("the store's URL is malformed: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE") from None
    if url.drivername in ("sqlite", "sqlite+pysqlite") and url.database not in (None, "", ":memory:") and not url.query:
        return url
    if url.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    raise UsageError(
        f"{url.drivername!r} is no kind of store: give the path of a SQLite file or postgresql://USER@HOST/DATABASE"
    )


def _require_sqlite(path: Path) -> None:
    """Refuse a file that is not a SQLite database, before anything is written beside it."""
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"the store {path} cannot be opened ({error.strerror}): choose another with --store") from None
    if start not in (b"", b"SQLite format 3\0"):
        raise StoreError(f"the store {path} is no SQLite database: choose another file with --store")


def _set_up_sqlite(engine: Engine, *, writes: bool) -> None:
    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say so
        if writes:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")  # an acknowledged event survives a power cut
            connection.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten
            connection.execute("PRAGMA cache_size = -32000")  # KiB: the pages of the indexes that new rows go into
            connection.execute("PRAGMA wal_autocheckpoint = 4000")  # pages: each is copied to its place less often
        else:
            connection.execute("PRAGMA query_only = ON")

    if writes:

        @event.listens_for(engine, "begin")
        def begun(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # not to read first and find it locked on writing
