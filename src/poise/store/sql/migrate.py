"""Bring a database to the tables of this version, from an empty one or from an older version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from poise.store.errors import StoreError
from poise.store.sql.tables import REVISION

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from poise.store.sql.database import Database

_LOCK = 7_205_893_112  # any number that other programs do not choose


def migrate(database: Database) -> None:
    """Create or change the tables, in one transaction; nothing happens where they are up to date.

    Raises:
        StoreError: a newer version of Poise made them, or the database cannot be read or written.
    """
    with database.transaction() as connection:
        if not database.is_sqlite:  # there BEGIN IMMEDIATE has locked the file
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        revision = _revision(connection)
        if revision == REVISION:
            return
        if revision is not None and revision > REVISION:
            raise StoreError(
                f"the store {database.label} was written by a newer Poise (tables {revision}, this one knows "
                f"{REVISION}): upgrade Poise to open it"
            )
        _upgrade(connection)


def _revision(connection: Connection) -> str | None:
    from sqlalchemy import inspect

    if not inspect(connection).has_table("poise_revision"):
        return None
    revision = connection.execute(text("SELECT version_num FROM poise_revision")).scalar()
    return None if revision is None else str(revision)


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "poise.store.sql:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
