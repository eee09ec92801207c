"""Events: each is added once; read as histories, as feedback and as counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, bindparam, func, select

from poise.store.records import Added, Event
from poise.store.sql.rows import EVENT_COLUMNS, INSERT_EVENTS, from_event, to_event
from poise.store.sql.stream import stream_rows
from poise.store.sql.tables import events
from poise.store.writer import Transaction

_NEWEST = 5_000  # events that are looked at for who came last

_HISTORY = (  # made once: to make a statement takes longer than to run it
    select(*EVENT_COLUMNS)
    .where(events.c.project == bindparam("project"), events.c.user_id == bindparam("user_id"))
    .order_by(events.c.time.desc(), events.c.id.desc())
    .limit(bindparam("limit"))
)


_WHOLE_HISTORY = (
    select(events.c.item_id, events.c.behaviour, events.c.value, events.c.time)
    .where(events.c.project == bindparam("project"), events.c.user_id == bindparam("user_id"))
    .order_by(events.c.time, events.c.id)
)

Columns = tuple[Sequence[str], Sequence[str], Sequence[float | None], Sequence[int]]
LogPart = tuple[Sequence[str], Sequence[str], Sequence[str], Sequence[float | None], Sequence[int]]


def add(transaction: Transaction, batch: Sequence[Event]) -> Added:
    """Insert events whose ``event_id`` is neither stored yet nor twice in ``batch``."""
    rows = [from_event(event, transaction.project, transaction.version) for event in batch]
    accepted = INSERT_EVENTS.run(transaction.connection, rows)
    return Added(accepted, len(batch) - accepted)


def history(connection: Connection, project: int, user_id: str, limit: int) -> list[Event]:
    """Return the newest ``limit`` events of a user, the oldest first."""
    rows = connection.execute(_HISTORY, {"project": project, "user_id": user_id, "limit": limit}).all()
    newest = [to_event(row) for row in rows]
    newest.reverse()
    return newest


def whole_history(connection: Connection, project: int, user_id: str) -> Columns:
    """Return all events of a user, the oldest first, in columns: items, behaviours, values, times."""
    result = connection.execute(_WHOLE_HISTORY, {"project": project, "user_id": user_id})
    rows = result.cursor.fetchall()  # as the driver gives them: an object for each takes as long as to read it
    items, behaviours, values, times = zip(*rows, strict=True) if rows else ((), (), (), ())
    return items, behaviours, values, times


def feedback(connection: Connection, project: int, request_id: str) -> list[Event]:
    """Return the events that answer a request, in order of arrival."""
    answers = select(*EVENT_COLUMNS).where(events.c.project == project, events.c.request_id == request_id)
    return [to_event(row) for row in connection.execute(answers.order_by(events.c.id))]


def latest_users(connection: Connection, project: int, limit: int) -> list[str]:
    """Return the users whose events arrived last, the latest first, among the newest few thousand events."""
    newest = (
        select(events.c.user_id, events.c.id)
        .where(events.c.project == project)
        .order_by(events.c.version.desc(), events.c.id.desc())
        .limit(_NEWEST)
        .subquery()
    )
    latest = select(newest.c.user_id).group_by(newest.c.user_id).order_by(func.max(newest.c.id).desc())
    return list(connection.scalars(latest.limit(limit)))


def everything(connection: Connection, project: int) -> Iterator[LogPart]:
    """Yield all events, many at a time, in columns: users, items, behaviours, values, times."""
    columns = (events.c.user_id, events.c.item_id, events.c.behaviour, events.c.value, events.c.time)
    for rows in stream_rows(connection, select(*columns).where(events.c.project == project)):
        users, items, behaviours, values, times = zip(*rows, strict=True)
        yield users, items, behaviours, values, times
