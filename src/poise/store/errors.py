"""Errors of the database, in one line that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from poise.errors import DataError, PoiseError, one_line


class StoreError(PoiseError):
    """The store cannot be opened, read or written now; the data itself is in order."""


class StoreFull(StoreError):  # noqa: N818
    """More rows are waiting to be written than the store holds in memory: send them again in a moment."""


_SQLITE = {
    "is locked": "another program keeps it locked; close that, or wait, and try again",
    "is full": "the disk is full: free some space; nothing of this was written",
    "readonly": "it may not be written to: check its permissions and those of its folder, or choose another place",
    "read-only": "it may not be written to: check its permissions and those of its folder, or choose another place",
    "unable to open": "it cannot be opened: check that its folder is there and may be written to",
    "not a database": "it is no SQLite database: choose another file with --store",
    "malformed": "it is damaged: put a copy from before in its place",
    "disk I/O error": "the disk does not read or write: check that it is not full and is in order",
}
_POSTGRESQL = {
    "password authentication failed": "it refused the user or the password: correct the URL",
    "no password supplied": "it wants a password: write it into the URL or into PGPASSWORD",
    "does not exist": "{detail}: create it (createdb), or correct the URL",
    "permission denied": "{detail}: grant the rights to the user",
    "too many clients": "it has no connection left: raise max_connections, or run fewer workers",
    "No space left": "its disk is full: free some space; nothing of this was written",
    "read-only transaction": "it takes no writes now: use the URL of the primary server",
}


@contextmanager
def explained(label: str) -> Iterator[None]:
    """Replace what a database raises in the block by an error of one line. See :func:`explain`."""
    try:
        yield
    except Exception as error:
        explained_error = explain(error, label)
        if explained_error is error:
            raise
        raise explained_error from error


def explain(error: Exception, label: str) -> Exception:
    """Turn what a database raised into one line.

    Args:
        error: from SQLAlchemy or the driver.
        label: the name of the database for messages, without a password.

    Returns:
        a :class:`poise.errors.DataError` if no database accepts the values, else a :class:`StoreError`; an error that
        does not come from a database as it is.
    """
    home = type(error).__module__.partition(".")[0]
    if home not in ("sqlalchemy", "sqlite3", "psycopg") and not isinstance(error, OverflowError | UnicodeError):
        return error
    cause = getattr(error, "orig", None) or error
    words = str(cause)
    detail = " ".join(words.split())
    if _is_wrong_value(error, cause):
        return DataError(f"this cannot be kept: {detail}")
    for part, advice in (_POSTGRESQL if label.startswith("postgresql") else _SQLITE).items():
        if part in words:
            return StoreError(f"the store {label}: {advice.format(detail=detail)}")
    if is_gone(error):
        return StoreError(f"the store {label} cannot be reached ({detail}): start the server, or correct the URL")
    return StoreError(f"the store {label} failed ({one_line(error if cause is error else cause)}): try again")


def is_gone(error: Exception) -> bool:
    """Return whether the connection to a server broke or could not be made, so that a new one may help."""
    if not isinstance(error, DBAPIError):
        return False
    unreachable = ("OperationalError", "ConnectionTimeout", "AdminShutdown", "CannotConnectNow", "CrashShutdown")
    return error.connection_invalidated or (
        type(error.orig).__module__.startswith("psycopg") and type(error.orig).__name__ in unreachable
    )


def is_locked(error: Exception) -> bool:
    """Return whether another program kept the database locked for longer than we wait."""
    return isinstance(error, DBAPIError) and "is locked" in str(error.orig)


def _is_wrong_value(error: Exception, cause: object) -> bool:
    """Return whether a value is one that no database takes: a NUL, half a surrogate pair, a number over 64 bits."""
    if isinstance(cause, OverflowError | ValueError | TypeError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    unfit = ("DataError", "NumericValueOutOfRange", "UntranslatableCharacter", "NotNullViolation", "IntegrityError")
    return type(cause).__name__ in unfit or any(words in str(cause) for words in ("binding parameter", "cannot adapt"))
