"""Erasing a user: everything is deleted except a receipt that does not name them."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from poise.store.audit_log import write_audit
from poise.store.clock import now
from poise.store.records import Erasure
from poise.store.sql.rows import dump
from poise.store.sql.tables import erasures, events, impressions, users
from poise.store.writer import Transaction


def subject(user_id: str, salt: bytes) -> str:
    """Return a hash of a user's id with the project's salt: it distinguishes users without naming them."""
    return hmac.digest(salt, user_id.encode(errors="surrogatepass"), hashlib.sha256).hex()[:32]


def erase(transaction: Transaction, user_id: str, salt: bytes, runs: Sequence[str], actor: str) -> Erasure:
    """Delete a user's events, impressions and row; keep a receipt and an entry of the audit log.

    SQLite overwrites what it deletes (``PRAGMA secure_delete``). Older copies of those pages stay in the write-ahead
    log until its next checkpoint; the writer makes one right after the commit and truncates the log or, if a reader
    prevents that, after the next commits until it succeeds. PostgreSQL frees the space in its own time (VACUUM), and
    its write-ahead log and backups hold the old rows as long as the server keeps them.
    """
    counts: dict[str, int] = {}
    for name, table in (("events", events), ("users", users), ("impressions", impressions)):
        gone = delete(table).where(table.c.project == transaction.project, table.c.user_id == user_id)
        counts[name] = transaction.connection.execute(gone).rowcount
    receipt = Erasure(secrets.token_hex(8), subject(user_id, salt), now(), counts, list(runs))
    transaction.connection.execute(
        erasures.insert(),
        {
            "project": transaction.project,
            "version": transaction.version,
            "receipt_id": receipt.receipt_id,
            "subject": receipt.subject,
            "time": receipt.time,
            "counts": dump(counts),
            "runs": dump(receipt.runs),
        },
    )
    write_audit(
        transaction,
        actor,
        "erase_user",
        {"user": receipt.subject, "receipt_id": receipt.receipt_id, "erased": counts, "runs": receipt.runs},
    )
    transaction.truncate = transaction.database.is_sqlite
    return receipt


def every(connection: Connection, project: int) -> list[Erasure]:
    """Return all receipts, the oldest first."""
    receipts = (
        select(erasures.c.receipt_id, erasures.c.subject, erasures.c.time, erasures.c.counts, erasures.c.runs)
        .where(erasures.c.project == project)
        .order_by(erasures.c.id)
    )
    return [
        Erasure(receipt_id, who, when, json.loads(counts), json.loads(runs))
        for receipt_id, who, when, counts, runs in connection.execute(receipts)
    ]
