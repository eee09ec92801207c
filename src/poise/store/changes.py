"""What is newer than the version that a worker has seen."""

from __future__ import annotations

import json

from sqlalchemy import ColumnElement, Connection, Table, bindparam, func, select

from poise.store.records import Changes
from poise.store.sql.rows import EVENT_COLUMNS, ITEM_COLUMNS, USER_COLUMNS, to_event, to_item, to_user
from poise.store.sql.tables import erasures, events, items, projects, settings, users

_VERSION = select(projects.c.version).where(projects.c.id == bindparam("project"))


def version(connection: Connection, project: int) -> int:
    """Return the newest version."""
    newest: int = connection.execute(_VERSION, {"project": project}).scalar_one()
    return newest


def changes(connection: Connection, project: int, since: int, limit: int) -> Changes:
    """Return what is newer than the version ``since``.

    Args:
        connection: to read with.
        project: the number of the project.
        since: the version that the caller has seen.
        limit: about how many rows of a table to return; a version is never cut, even if it alone has more.
    """
    newest = version(connection, project)
    if newest <= since:
        return Changes(since)
    upto = max(
        min(_last_whole(connection, table, project, since, limit, newest) for table in (events, items, users)),
        since + 1,
    )

    def new(table: Table) -> list[ColumnElement[bool]]:
        return [table.c.project == project, table.c.version > since, table.c.version <= upto]

    catalogue = connection.execute(
        select(*ITEM_COLUMNS, items.c.deleted).where(*new(items)).order_by(items.c.version, items.c.id)
    ).all()
    return Changes(
        version=upto,
        events=[
            to_event(row)
            for row in connection.execute(
                select(*EVENT_COLUMNS).where(*new(events)).order_by(events.c.version, events.c.id)
            )
        ],
        items=[to_item(row) for row in catalogue if not row[3]],
        deleted_items=[row[0] for row in catalogue if row[3]],
        users=[
            to_user(row)
            for row in connection.execute(
                select(*USER_COLUMNS).where(*new(users)).order_by(users.c.version, users.c.id)
            )
        ],
        erased=connection.execute(select(func.count()).select_from(erasures).where(*new(erasures))).scalar_one(),
        settings={
            name: json.loads(value)
            for name, value in connection.execute(select(settings.c.name, settings.c.value).where(*new(settings)))
        },
    )


def _last_whole(connection: Connection, table: Table, project: int, since: int, limit: int, newest: int) -> int:
    """Return the last version up to which a table has no more than ``limit`` new rows."""
    beyond = (
        select(table.c.version)
        .where(table.c.project == project, table.c.version > since, table.c.version <= newest)
        .order_by(table.c.version)
        .offset(limit)
        .limit(1)
    )
    first_beyond = connection.execute(beyond).scalar()
    return newest if first_beyond is None else first_beyond - 1
