"""Small things that are kept by name or in order: settings and the audit log."""

from __future__ import annotations

import json
import time
from typing import Any

from sqlalchemy import Connection, select

from poise.store.records import AuditEntry
from poise.store.sql.rows import dump
from poise.store.sql.tables import audit, settings
from poise.store.writer import Transaction


def now() -> int:
    """Return the time, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def put_setting(transaction: Transaction, name: str, value: Any) -> None:
    """Keep a JSON value under a name."""
    statement = transaction.database.insert(settings).values(
        project=transaction.project, name=name, version=transaction.version, value=dump(value)
    )
    replaced = {column: statement.excluded[column] for column in ("version", "value")}
    transaction.connection.execute(statement.on_conflict_do_update(index_elements=["project", "name"], set_=replaced))


def setting(connection: Connection, project: int, name: str) -> Any | None:
    """Return the value that was set last; None if none was."""
    one = select(settings.c.value).where(settings.c.project == project, settings.c.name == name)
    value = connection.execute(one).scalar()
    return None if value is None else json.loads(value)


def write_audit(transaction: Transaction, actor: str, act: str, detail: dict[str, Any]) -> None:
    """Write down what somebody did."""
    transaction.connection.execute(
        audit.insert(),
        {"project": transaction.project, "time": now(), "actor": actor, "act": act, "detail": dump(detail)},
    )


def read_audit(connection: Connection, project: int, limit: int) -> list[AuditEntry]:
    """Return the newest lines of the audit log, the newest first."""
    newest = (
        select(audit.c.time, audit.c.actor, audit.c.act, audit.c.detail)
        .where(audit.c.project == project)
        .order_by(audit.c.id.desc())
        .limit(limit)
    )
    return [AuditEntry(when, actor, act, json.loads(detail)) for when, actor, act, detail in connection.execute(newest)]
