"""The audit log: who did what, and when."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, select

from poise.store.clock import now
from poise.store.records import AuditEntry
from poise.store.sql.rows import dump
from poise.store.sql.tables import audit
from poise.store.writer import Transaction


def write_audit(transaction: Transaction, actor: str, act: str, detail: dict[str, Any]) -> None:
    """Add an entry for what ``actor`` did."""
    transaction.connection.execute(
        audit.insert(),
        {"project": transaction.project, "time": now(), "actor": actor, "act": act, "detail": dump(detail)},
    )


def read_audit(connection: Connection, project: int, limit: int) -> list[AuditEntry]:
    """Return the newest ``limit`` entries, the newest first."""
    newest = (
        select(audit.c.time, audit.c.actor, audit.c.act, audit.c.detail)
        .where(audit.c.project == project)
        .order_by(audit.c.id.desc())
        .limit(limit)
    )
    return [AuditEntry(when, actor, act, json.loads(detail)) for when, actor, act, detail in connection.execute(newest)]
