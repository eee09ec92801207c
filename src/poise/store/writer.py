"""One thread that writes: all waiting jobs are committed together."""

from __future__ import annotations

import logging
import secrets
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError

from poise.store.errors import StoreError, StoreFull, explain, is_gone, is_locked
from poise.store.sql.database import PATIENCE, Database
from poise.store.sql.tables import projects, writers

Answer = TypeVar("Answer")

_TOGETHER = 5_000  # rows in one transaction, beyond which further jobs wait for the next
_AGAIN = 1.0  # seconds until a checkpoint that readers prevented is tried again
_LINGER = 0.02  # seconds that jobs which nobody waits for may wait for company

_logger = logging.getLogger(__name__)

_RAISE = (
    update(projects)
    .where(projects.c.id == bindparam("project"))
    .values(version=projects.c.version + 1)
    .returning(projects.c.version)
)


_NEW = postgresql.insert(writers)
_SIGN = _NEW.on_conflict_do_update(index_elements=["project", "writer"], set_={"version": _NEW.excluded.version})


class _UnknownOutcomeError(StoreError):
    """The server was lost in the middle of a commit and has not come back."""


@dataclass
class Transaction:
    """The transaction that a job writes in.

    Attributes:
        connection: in a transaction.
        database: that the connection belongs to.
        project: the number of the project.
        version: of the rows of this transaction; 0 where none of its jobs makes a version.
    """

    connection: Connection
    database: Database
    project: int
    version: int = 0
    truncate: bool = False  # whether what it overwrote must leave SQLite's write-ahead log too

    def bump_version(self) -> None:
        """Begin the next version.

        The row stays locked until the commit, so that versions become visible in order and without gaps.
        """
        self.version = self.connection.execute(_RAISE, {"project": self.project}).scalar_one()


@dataclass
class _Job(Generic[Answer]):
    run: Callable[[Transaction], Answer]
    rows: int
    versioned: bool
    waits: bool
    alone: bool
    future: Future[Answer] = field(default_factory=Future)


class Writer:
    """Takes jobs from any thread and runs them in its own, many in one transaction.

    Args:
        database: where to write.
        project: the number of the project.
        capacity: how many rows may wait.
    """

    def __init__(self, database: Database, project: int, capacity: int) -> None:
        self._database = database
        self._project = project
        self._capacity = capacity
        self._jobs: deque[_Job[Any]] = deque()
        self._changed = threading.Condition()
        self._pending = 0
        self._urgent = 0  # jobs that somebody waits for
        self._closing = False
        self._connection: Connection | None = None
        self._truncate = False
        self._name = secrets.token_hex(8)
        self._thread = threading.Thread(target=self._work, name="poise-store-writer", daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        """How many rows are waiting or being written."""
        return self._pending

    def submit(
        self,
        run: Callable[[Transaction], Answer],
        rows: int = 1,
        *,
        versioned: bool = True,
        waits: bool = False,
        alone: bool = False,
    ) -> Future[Answer]:
        """Queue a job: ``run`` is called in a transaction of the writer.

        Args:
            run: writes, and returns the result of the future, given once the write is durable. It may be called a
                second time, if the first transaction failed.
            rows: about how many rows it writes.
            versioned: whether other processes must hear of it.
            waits: whether it may be delayed a little to join other jobs, since nobody waits for its result.
            alone: whether it needs a transaction of its own.

        Raises:
            StoreFull: too many rows are waiting already.
            StoreError: the store was closed.
        """
        job = _Job(run, max(rows, 1), versioned, waits, alone)
        with self._changed:
            if self._closing:
                raise StoreError("the store was closed: open it again")
            if self._pending and self._pending + job.rows > self._capacity:
                raise StoreFull(
                    f"{self._pending:,} rows wait to be written to the store and no more than {self._capacity:,} may: "
                    "send them again in a moment"
                )
            self._jobs.append(job)
            self._pending += job.rows
            self._urgent += not waits
            self._changed.notify()
        return job.future

    def close(self) -> None:
        """Write what is still waiting, and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _work(self) -> None:
        while (jobs := self._take()) or not self._closing:
            started = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            try:
                self._write(started)
            except Exception as error:  # a fault of ours: nobody must wait for ever
                self._fail([job for job in started if not job.future.done()], error)
            finally:
                with self._changed:
                    self._pending -= sum(job.rows for job in jobs)
            if self._truncate:
                self._checkpoint()
        self._disconnect()
        self._sign_off()

    def _take(self) -> list[_Job[Any]]:
        """Wait for jobs and return those of the next transaction; none if the writer closes or a checkpoint is due."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._closing, timeout=_AGAIN if self._truncate else None)
            if self._jobs and not self._urgent and not self._closing:
                self._changed.wait_for(lambda: self._urgent or self._closing, timeout=_LINGER)
            taken: list[_Job[Any]] = []
            rows = 0
            while self._jobs and rows < _TOGETHER and not (taken and (taken[-1].alone or self._jobs[0].alone)):
                job = self._jobs.popleft()
                taken.append(job)
                rows += job.rows
                self._urgent -= not job.waits
            return taken

    def _write(self, jobs: Sequence[_Job[Any]]) -> None:
        if not jobs:
            return
        try:
            answers = self._transact(jobs)
        except Exception as error:
            if len(jobs) == 1 or isinstance(error, _UnknownOutcomeError):
                self._fail(jobs, error)
            else:
                self._one_by_one(jobs)
        else:
            for job, answer in zip(jobs, answers, strict=True):
                job.future.set_result(answer)

    def _one_by_one(self, jobs: Sequence[_Job[Any]]) -> None:
        for index, job in enumerate(jobs):
            try:
                answers = self._transact([job])
            except Exception as error:
                self._fail([job], error)
                if is_gone(error) or is_locked(error):  # the rest would wait as long, each, and in vain
                    self._fail(jobs[index + 1 :], error)
                    return
            else:
                job.future.set_result(answers[0])

    def _fail(self, jobs: Sequence[_Job[Any]], error: Exception) -> None:
        for job in jobs:
            explained = explain(error, self._database.label)
            if explained is not error:
                explained.__cause__ = error
            job.future.set_exception(explained)

    def _transact(self, jobs: Sequence[_Job[Any]]) -> list[Any]:
        """Run jobs in one transaction, on a new connection if the old one was found broken."""
        fresh = self._connection is None
        try:
            return self._attempt(jobs)
        except DBAPIError as error:
            if fresh or not is_gone(error):
                raise
            return self._attempt(jobs)

    def _attempt(self, jobs: Sequence[_Job[Any]]) -> list[Any]:
        with self._database.write_lock:
            transaction, answers = self._attempt_locked(jobs)
        self._truncate |= transaction.truncate
        return answers

    def _attempt_locked(self, jobs: Sequence[_Job[Any]]) -> tuple[Transaction, list[Any]]:
        try:
            if self._connection is None:
                self._connection = self._database.connect_to_write()
            transaction = Transaction(self._connection, self._database, self._project)
            begun = self._connection.begin()
            if any(job.versioned for job in jobs):
                transaction.bump_version()
            answers = [job.run(transaction) for job in jobs]
            if transaction.version and not self._database.is_sqlite:
                self._sign(transaction)
        except BaseException:
            self._disconnect()
            raise
        try:
            begun.commit()
        except Exception as error:
            self._disconnect()
            if not (transaction.version and is_gone(error) and self._has_signed(transaction.version)):
                raise
        return transaction, answers

    def _sign(self, transaction: Transaction) -> None:
        """Write down whose version it is: if the server is lost just when it commits, its answer is lost too."""
        mine = {"project": self._project, "writer": self._name, "version": transaction.version}
        transaction.connection.execute(_SIGN, mine)

    def _sign_off(self) -> None:
        """Delete the row by which this writer recognises its own commits."""
        if not self._database.is_sqlite:
            mine = delete(writers).where(writers.c.project == self._project, writers.c.writer == self._name)
            with suppress(StoreError), self._database.transaction() as connection:
                connection.execute(mine)

    def _has_signed(self, version: int) -> bool:
        """Return whether the transaction that made ``version`` was committed."""
        mine = select(writers.c.version).where(writers.c.project == self._project, writers.c.writer == self._name)
        lock = select(projects.c.id).where(projects.c.id == self._project).with_for_update()
        try:
            with self._database.transaction() as connection:
                connection.execute(lock)  # waits for the transaction, should it still be on its way
                return connection.execute(mine).scalar() == version
        except Exception as error:
            raise _UnknownOutcomeError(
                f"the store {self._database.label} was lost while it committed, and may or may not have kept this: "
                "start the server and send it again with the same event_id"
            ) from error

    def _checkpoint(self) -> None:
        """Move the write-ahead log into the file and truncate it; where readers prevent that, try again soon."""
        try:
            if self._connection is not None:
                driver: Any = self._connection.connection.driver_connection  # SQLAlchemy would begin a transaction
                driver.execute("PRAGMA busy_timeout = 0")  # events must not wait for a long reader
                busy, *_ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                driver.execute(f"PRAGMA busy_timeout = {PATIENCE * 1000:.0f}")
                self._truncate = bool(busy)
        except sqlite3.Error as error:
            _logger.warning("the store %s keeps its write-ahead log for now: %s", self._database.label, error)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()  # rolls back
