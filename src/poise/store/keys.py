"""API keys: the token is shown once, and only its hash is stored."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select, update

from poise.store.clock import now
from poise.store.records import Key
from poise.store.sql.rows import dump
from poise.store.sql.tables import keys
from poise.store.writer import Transaction

_COLUMNS = [keys.c.key_id, keys.c.name, keys.c.scopes, keys.c.created, keys.c.revoked]
_CHECK = select(keys.c.secret_hash, *_COLUMNS).where(
    keys.c.project == bindparam("project"), keys.c.key_id == bindparam("key_id")
)
_NOBODY = secrets.token_bytes(32)  # compared with where there is no such key, so that it takes as long


def create(transaction: Transaction, name: str, scopes: Sequence[str], key_id: str, secret: str) -> Key:
    """Store the hash of a new secret.

    The secret has 256 random bits, so that no slow hash is needed against guessing.
    """
    key = Key(key_id, name, tuple(scopes), now())
    transaction.connection.execute(
        keys.insert(),
        {
            "project": transaction.project,
            "key_id": key_id,
            "name": name,
            "scopes": dump(list(scopes)),
            "secret_hash": _hash(secret),
            "created": key.created,
        },
    )
    return key


def revoke(transaction: Transaction, key_id: str) -> bool:
    """Revoke a key from now on; False if there is no valid key with this id."""
    revoked = transaction.connection.execute(
        update(keys)
        .where(keys.c.project == transaction.project, keys.c.key_id == key_id, keys.c.revoked.is_(None))
        .values(revoked=now())
    )
    return revoked.rowcount > 0


def every(connection: Connection, project: int) -> list[Key]:
    """Return all keys, the oldest first."""
    oldest_first = select(*_COLUMNS).where(keys.c.project == project).order_by(keys.c.created, keys.c.key_id)
    return [_key(row) for row in connection.execute(oldest_first)]


def check(connection: Connection, project: int, token: str) -> Key | None:
    """Return the valid key that ``token`` belongs to, else None, in a time that does not depend on the secret."""
    prefix, _, rest = token.replace("\0", "").partition("_")
    key_id, _, secret = rest.partition("_")
    row = connection.execute(_CHECK, {"project": project, "key_id": key_id}).one_or_none()
    same = hmac.compare_digest(_NOBODY if row is None else bytes(row[0]), _hash(secret))
    if row is None or not same or prefix != "poise":
        return None
    key = _key(row[1:])
    return key if key.revoked is None else None


def token(key_id: str, secret: str) -> str:
    """Return what a client sends."""
    return f"poise_{key_id}_{secret}"


def _key(row: Sequence[object]) -> Key:
    key_id, name, scopes, created, revoked = row
    return Key(key_id, name, tuple(json.loads(scopes)), created, revoked)  # type: ignore[arg-type]


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()
