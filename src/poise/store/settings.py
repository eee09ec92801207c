"""Settings: JSON values by name, such as the run that is served."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, select

from poise.store.sql.rows import dump
from poise.store.sql.tables import settings
from poise.store.writer import Transaction

CATALOGUE = "catalogue"
"""What cannot be told from the rows: the columns, their kinds and the behaviours of the data set that was loaded."""

RUN = "run"
"""The run that is served; servers follow it."""

EARLIER_RUNS = "runs before"
"""The runs that were served before, the oldest first."""


def put_setting(transaction: Transaction, name: str, value: Any) -> None:
    """Keep a JSON value under a name."""
    statement = transaction.database.insert(settings).values(
        project=transaction.project, name=name, version=transaction.version, value=dump(value)
    )
    replaced = {column: statement.excluded[column] for column in ("version", "value")}
    transaction.connection.execute(statement.on_conflict_do_update(index_elements=["project", "name"], set_=replaced))


def setting(connection: Connection, project: int, name: str) -> Any | None:
    """Return the value that was set last; None if none was."""
    newest = select(settings.c.value).where(settings.c.project == project, settings.c.name == name)
    value = connection.execute(newest).scalar()
    return None if value is None else json.loads(value)
