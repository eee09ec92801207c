from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from sqlalchemy import Connection, select

from poise.data.dataset import Dataset
from poise.data.ingest.clean import Cleaning
from poise.data.ingest.feedback import Feedback
from poise.store import (
    audit_log,
    catalogue,
    changes,
    erasure,
    event_log,
    impression_log,
    keys,
    loading,
    reading,
    settings,
)
from poise.store.records import (
    Added,
    AuditEntry,
    Changes,
    Erasure,
    Event,
    Impression,
    Item,
    Key,
    RunMetrics,
    User,
)
from poise.store.sql.database import Database
from poise.store.sql.migrate import migrate
from poise.store.sql.tables import projects
from poise.store.writer import Writer

Answer = TypeVar("Answer")


class Store:
    """The live log of one project: events, items, users, impressions, settings, keys and receipts of erasures.

    Methods that write return a future: when it is done, the data is on the disk. All writes go through one thread,
    which commits waiting writes together; callbacks of the futures run in that thread and must be quick. Methods that
    read do so at once, in the calling thread. Several stores, also in several processes, may be open on one database;
    projects do not see each other.

    A future that fails holds a :class:`poise.store.StoreError` (the database cannot be written to now) or a
    :class:`poise.errors.DataError` (no database accepts these values); every method that reads may raise a
    ``StoreError``. Make one with :meth:`open`.
    """

    def __init__(self, database: Database, project: int, salt: bytes, *, capacity: int) -> None:
        self._database = database
        self._project = project
        self._salt = salt
        self._writer = Writer(database, project, capacity)

    @classmethod
    def open(cls, url: str | Path, project: str = "default", *, capacity: int = 200_000) -> Store:
        """Open a store; the database file, its tables and the project are created if they do not exist.

        Args:
            url: the path of a SQLite file, or ``postgresql://user:password@host/database``.
            project: whose data to see.
            capacity: how many rows may wait to be written.

        Raises:
            StoreError: the database cannot be opened, or a newer version wrote it.
            UsageError: the URL is of another kind.
        """
        database = Database(url)
        try:
            migrate(database)
            number, salt = _project(database, project)
        except BaseException:
            database.close()
            raise
        return cls(database, number, salt, capacity=capacity)

    def close(self) -> None:
        """Write what is still waiting, and close the database."""
        self._writer.close()
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Writing

    @property
    def pending(self) -> int:
        """How many rows are waiting to be written."""
        return self._writer.pending

    def add_events(self, events: Sequence[Event]) -> Future[Added]:
        """Add events, each once: one whose ``event_id`` was stored before, or occurs twice here, counts as a duplicate.

        Raises:
            StoreFull: too many rows are waiting to be written.
        """
        return self._writer.submit(lambda transaction: event_log.add(transaction, events), len(events))

    def put_items(self, items: Sequence[Item]) -> Future[int]:
        """Insert items, or replace those that exist; gives how many."""
        return self._writer.submit(lambda transaction: catalogue.put_items(transaction, items), len(items))

    def put_users(self, users: Sequence[User]) -> Future[int]:
        """Insert users, or replace those that exist; gives how many."""
        return self._writer.submit(lambda transaction: catalogue.put_users(transaction, users), len(users))

    def patch_item(
        self, item_id: str, content: Mapping[str, Any] | None = None, available: bool | None = None
    ) -> Future[Item | None]:
        """Merge ``content`` into an item's, a null removing its key; gives the item, None if there is none."""
        return self._writer.submit(lambda transaction: catalogue.patch_item(transaction, item_id, content, available))

    def patch_user(self, user_id: str, content: Mapping[str, Any]) -> Future[User | None]:
        """Merge ``content`` into a user's, a null removing its key; gives the user, None if there is none."""
        return self._writer.submit(lambda transaction: catalogue.patch_user(transaction, user_id, content))

    def delete_item(self, item_id: str) -> Future[bool]:
        """Delete an item; its events stay. Gives whether there was such an item."""
        return self._writer.submit(lambda transaction: catalogue.delete_item(transaction, item_id))

    def add_impressions(self, impressions: Sequence[Impression]) -> Future[int]:
        """Write down what was shown, within some hundredths of a second; gives how many pages were new.

        Raises:
            StoreFull: too many rows are waiting to be written.
        """
        return self._writer.submit(
            lambda transaction: impression_log.add_impressions(transaction, impressions, self._salt),
            len(impressions),
            versioned=False,
            waits=True,
        )

    def forget_impressions(self, before: int) -> Future[int]:
        """Delete some of what was shown before a time, the oldest first; gives how much: 0 when there is no more."""
        return self._writer.submit(
            lambda transaction: impression_log.forget_impressions(transaction, before), versioned=False
        )

    def erase_user(self, user_id: str, runs: Sequence[str], actor: str) -> Future[Erasure]:
        """Delete everything about a user except a receipt. See :func:`poise.store.erasure.erase`.

        Args:
            user_id: the user to erase.
            runs: the runs that were fitted with the user's events, for the receipt.
            actor: who asked for it, for the audit log.
        """
        return self._writer.submit(lambda transaction: erasure.erase(transaction, user_id, self._salt, runs, actor))

    def set(self, name: str, value: Any) -> Future[None]:
        """Store a JSON value under a name; it is part of the changes that other processes read."""
        return self._writer.submit(lambda transaction: settings.put_setting(transaction, name, value))

    def add_audit(self, actor: str, act: str, detail: Mapping[str, Any]) -> Future[None]:
        """Add an entry to the audit log. Users should appear in ``detail`` as :meth:`subject` calls them."""
        return self._writer.submit(
            lambda transaction: audit_log.write_audit(transaction, actor, act, dict(detail)), versioned=False
        )

    def load(self, data: Dataset) -> int:
        """Load a data set: all of it or, if anything goes wrong, nothing. Returns the number of events.

        Vectors are not kept, as encoders have a cache of their own, nor are impressions. Others' writes wait until it
        is done.

        Raises:
            StoreError: a data set was loaded before, or the database cannot be written to.
        """
        return self._writer.submit(lambda transaction: loading.load(transaction, data), alone=True).result()

    # Reading

    def version(self) -> int:
        """Return the version: it grows with every write that other processes must hear of."""
        return self._read(changes.version)

    def changes(self, since: int, limit: int = 10_000) -> Changes:
        """Return what is newer than the version ``since``; quick when that is nothing.

        Args:
            since: the ``version`` of the changes, or of the snapshot, that were seen last.
            limit: about how many events, items and users to return; a version is never cut.
        """
        return self._read(changes.changes, since, limit)

    def history(self, user_id: str, limit: int = 200) -> list[Event]:
        """Return the newest ``limit`` events of a user, the oldest first, by time and then order of arrival."""
        return self._read(event_log.history, user_id, limit)

    def whole_history(self, user_id: str) -> tuple[event_log.Columns, int]:
        """Return all events of a user, the oldest first, in columns, and the version that they are of.

        The columns are items, behaviours, values and times.
        """
        with self._database.snapshot() as connection:
            newest_version = changes.version(connection, self._project)
            return event_log.whole_history(connection, self._project, user_id), newest_version

    def feedback(self, request_id: str) -> list[Event]:
        """Return the events that answer a request, in order of arrival."""
        return self._read(event_log.feedback, request_id)

    def latest_users(self, limit: int = 10) -> list[str]:
        """Return the ids of the users whose events arrived last, the latest first."""
        return self._read(event_log.latest_users, limit)

    def everything(self) -> Iterator[event_log.LogPart]:
        """Yield all events, many at a time, in columns: users, items, behaviours, values, times."""
        with self._database.snapshot() as connection:
            yield from event_log.everything(connection, self._project)

    def item(self, item_id: str) -> Item | None:
        """Return an item; None if there is none, or it was deleted."""
        return self._read(catalogue.item, item_id)

    def items(self, after: str | None = None, limit: int = 100) -> list[Item]:
        """Return items that are not deleted, in the order of their ids, from the one behind ``after`` on."""
        return self._read(catalogue.items_page, after, limit)

    def all_items(self) -> Iterator[Item]:
        """Yield the items that are not deleted, in the order of the vocabulary."""
        return catalogue.all_items(self._database, self._project)

    def deleted_items(self) -> list[str]:
        """Return the ids of the items that were deleted."""
        return self._read(catalogue.deleted_items)

    def user(self, user_id: str) -> User | None:
        """Return a user; None if nothing is known about them."""
        return self._read(catalogue.user, user_id)

    def users(self, after: str | None = None, limit: int = 100) -> list[User]:
        """Return users in the order of their ids, from the one behind ``after`` on."""
        return self._read(catalogue.users_page, after, limit)

    def impressions(self, request_id: str) -> list[Impression]:
        """Return the pages of a request, in order."""
        return self._read(impression_log.pages, request_id)

    def impressions_of(self, user_id: str, limit: int = 20) -> list[Impression]:
        """Return the newest ``limit`` pages that a user was shown, the newest first."""
        return self._read(impression_log.impressions_of, user_id, limit)

    def run_metrics(self) -> dict[str, RunMetrics]:
        """Return by run how many items it has shown, and how much feedback came."""
        return self._read(impression_log.run_metrics)

    def setting(self, name: str) -> Any | None:
        """Return the value that was set last; None if none was."""
        return self._read(settings.setting, name)

    def audit(self, limit: int = 100) -> list[AuditEntry]:
        """Return the newest entries of the audit log, the newest first."""
        return self._read(audit_log.read_audit, limit)

    def erasures(self) -> list[Erasure]:
        """Return the receipts of all erasures, the oldest first."""
        return self._read(erasure.every)

    def subject(self, user_id: str) -> str:
        """Return what to call a user in logs: a salted hash, the same for the same user of this project."""
        return erasure.subject(user_id, self._salt)

    def dataset(self, feedback: Feedback | None = None, cleaning: Cleaning | None = None) -> Dataset:
        """Return everything as a data set. See :func:`poise.store.reading.read_dataset`.

        Args:
            feedback: which events say yes and which say no; None for the rules of the data that was loaded.
            cleaning: which events are fit to learn from; None for all.

        Raises:
            DataError: there are no events.
        """
        return reading.read_dataset(self._database, self._project, feedback, cleaning)[0]

    def snapshot(self) -> tuple[Dataset, int]:
        """Return everything as a data set, and its version."""
        return reading.read_dataset(self._database, self._project)

    # Keys

    def keys(self) -> list[Key]:
        """Return all API keys, the oldest first, without their secrets."""
        return self._read(keys.every)

    def create_key(self, name: str, scopes: Sequence[str]) -> tuple[Key, str]:
        """Create an API key; returns it with its token, which is shown now and never again."""
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        key = self._writer.submit(
            lambda transaction: keys.create(transaction, name, scopes, key_id, secret), versioned=False
        ).result()
        return key, keys.token(key_id, secret)

    def revoke_key(self, key_id: str) -> bool:
        """Revoke an API key; False if there is no valid key with this id."""
        return self._writer.submit(lambda transaction: keys.revoke(transaction, key_id), versioned=False).result()

    def check_key(self, token: str) -> Key | None:
        """Return the valid key that a token belongs to, else None, in a time that does not depend on the secret."""
        return self._read(keys.check, token)

    def _read(self, question: Callable[..., Answer], *arguments: Any) -> Answer:
        return self._database.read(lambda connection: question(connection, self._project, *arguments))


def _project(database: Database, name: str) -> tuple[int, bytes]:
    """Return the number and the salt of a project, which is created if it does not exist."""

    def find(connection: Connection) -> tuple[int, bytes] | None:
        row = connection.execute(select(projects.c.id, projects.c.salt).where(projects.c.name == name)).one_or_none()
        return None if row is None else (row[0], bytes(row[1]))

    known_project = database.read(find)
    if known_project is None:
        with database.transaction() as connection:
            connection.execute(
                database.insert(projects).on_conflict_do_nothing(),
                {"name": name, "version": 0, "salt": secrets.token_bytes(32)},
            )
            known_project = find(connection)
    assert known_project is not None
    return known_project
