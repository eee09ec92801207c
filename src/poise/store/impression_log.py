"""What was shown to whom, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, select

from poise.store.erasure import subject
from poise.store.records import Impression, RunMetrics
from poise.store.sql.rows import IMPRESSION_COLUMNS, INSERT_IMPRESSIONS, from_impression, to_impression
from poise.store.sql.tables import erasures, events, impressions
from poise.store.writer import Transaction


def add_impressions(transaction: Transaction, batch: Sequence[Impression], salt: bytes) -> int:
    """Write down what was shown; a page that is known already is left as it is. Returns how many are new.

    What was shown to somebody who has been erased since, while it waited here or in another process, is left out.
    """
    if not batch:
        return 0
    since = select(erasures.c.subject, erasures.c.time).where(
        erasures.c.project == transaction.project, erasures.c.time >= min(one.time for one in batch)
    )
    erased = {row.subject: row.time for row in transaction.connection.execute(since.order_by(erasures.c.id))}
    if erased:
        batch = [one for one in batch if one.user_id is None or erased.get(subject(one.user_id, salt), -1) < one.time]
    rows = [from_impression(impression, transaction.project) for impression in batch]
    return INSERT_IMPRESSIONS.run(transaction.connection, rows)


def forget_impressions(transaction: Transaction, before: int, most: int = 5_000) -> int:
    """Delete what was shown before a time, the oldest ``most`` pages of it. Returns how many were deleted."""
    oldest = select(impressions.c.id, impressions.c.time).where(impressions.c.project == transaction.project)
    rows = transaction.connection.execute(oldest.order_by(impressions.c.id).limit(most))
    old = [number for number, time in rows if time < before]
    if old:
        transaction.connection.execute(delete(impressions).where(impressions.c.id.in_(old)))
    return len(old)


def pages(connection: Connection, project: int, request_id: str) -> list[Impression]:
    """Return the pages of a request, in order."""
    found = select(*IMPRESSION_COLUMNS).where(impressions.c.project == project, impressions.c.request_id == request_id)
    return [to_impression(row) for row in connection.execute(found.order_by(impressions.c.offset))]


def impressions_of(connection: Connection, project: int, user_id: str, limit: int) -> list[Impression]:
    """Return the newest ``limit`` pages that a user was shown, the newest first."""
    newest = (
        select(*IMPRESSION_COLUMNS)
        .where(impressions.c.project == project, impressions.c.user_id == user_id)
        .order_by(impressions.c.id.desc())
        .limit(limit)
    )
    return [to_impression(row) for row in connection.execute(newest)]


def run_metrics(connection: Connection, project: int) -> dict[str, RunMetrics]:
    """Return what each run has shown, and how often that was answered."""
    shown = connection.execute(
        select(impressions.c.run, func.count(impressions.c.request_id.distinct()), func.sum(impressions.c.shown))
        .where(impressions.c.project == project)
        .group_by(impressions.c.run)
    ).all()
    answers = (
        select(events.c.request_id, func.count().label("clicks"))
        .where(events.c.project == project, events.c.request_id.is_not(None))
        .group_by(events.c.request_id)
        .subquery()
    )
    requests = (
        select(impressions.c.run, impressions.c.request_id)
        .where(impressions.c.project == project)
        .distinct()
        .subquery()
    )
    answered = {
        run: (count, clicks)
        for run, count, clicks in connection.execute(
            select(requests.c.run, func.count(), func.sum(answers.c.clicks))
            .join(answers, answers.c.request_id == requests.c.request_id)
            .group_by(requests.c.run)
        )
    }
    return {run: RunMetrics(count, int(items), *map(int, answered.get(run, (0, 0)))) for run, count, items in shown}
