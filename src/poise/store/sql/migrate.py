"""Bring a database to the tables of this version, from nothing or from an older version."""

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
    """Make or change the tables, whole or not at all; nothing happens where they are as they should be.

    Raises:
        StoreError: a newer version made them, or the database cannot be read or written.
    """
    with database.transaction() as connection:
        if not database.is_sqlite:  # there BEGIN IMMEDIATE has locked the file
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        found = _revision(connection)
        if found == REVISION:
            return
        if found is not None and found > REVISION:
            raise StoreError(
                f"the store {database.label} was written by a newer Poise (tables {found}, this one knows "
                f"{REVISION}): upgrade Poise to open it"
            )
        _upgrade(connection)


def _revision(connection: Connection) -> str | None:
    from sqlalchemy import inspect

    if not inspect(connection).has_table("poise_revision"):
        return None
    found = connection.execute(text("SELECT version_num FROM poise_revision")).scalar()
    return None if found is None else str(found)


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "poise.store.sql:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
