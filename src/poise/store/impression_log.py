"""What was shown to whom, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import polars as pl
from sqlalchemy import Connection, delete, func, select

from poise.data.impressions import ImpressionLog
from poise.data.schema import json_columns
from poise.data.vocabulary import Vocabulary
from poise.store.erasure import subject
from poise.store.records import Impression, RunMetrics
from poise.store.sql.rows import IMPRESSION_COLUMNS, INSERT_IMPRESSIONS, from_impression, to_impression
from poise.store.sql.stream import stream_rows
from poise.store.sql.tables import erasures, events, impressions
from poise.store.writer import Transaction


def add_impressions(transaction: Transaction, batch: Sequence[Impression], salt: bytes) -> int:
    """Write down what was shown; a page that is known already is left as it is. Returns how many are new.

    What was shown to somebody who has been erased since, while it waited here or in another process, is left out.
    """
    if not batch:
        return 0
    since = select(erasures.c.subject, erasures.c.time).where(
        erasures.c.project == transaction.project, erasures.c.time >= min(page.time for page in batch)
    )
    erased = {row.subject: row.time for row in transaction.connection.execute(since.order_by(erasures.c.id))}
    if erased:
        batch = [
            page for page in batch if page.user_id is None or erased.get(subject(page.user_id, salt), -1) < page.time
        ]
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
    of_request = select(*IMPRESSION_COLUMNS).where(
        impressions.c.project == project, impressions.c.request_id == request_id
    )
    return [to_impression(row) for row in connection.execute(of_request.order_by(impressions.c.offset))]


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
    """Return what each run has shown, and with how many of its requests people did something."""
    shown = connection.execute(
        select(impressions.c.run, func.count(impressions.c.request_id.distinct()), func.sum(impressions.c.shown))
        .where(impressions.c.project == project)
        .group_by(impressions.c.run)
    ).all()
    n_answered = (
        select(impressions.c.run, func.count(impressions.c.request_id.distinct()))
        .join(events, (events.c.project == impressions.c.project) & (events.c.request_id == impressions.c.request_id))
        .where(impressions.c.project == project)
        .group_by(impressions.c.run)
    )
    answered: dict[str, int] = dict(connection.execute(n_answered).all())
    return {run: RunMetrics(count, int(items), answered.get(run, 0)) for run, count, items in shown}


def read_log(
    connection: Connection,
    project: int,
    item_ids: Vocabulary,
    user_ids: Vocabulary,
    *,
    context_types: Mapping[str, str],
) -> ImpressionLog | None:
    """Return all that was shown, in columns, without outcomes; None if nothing was.

    Args:
        connection: to read with.
        project: whose impressions.
        item_ids: by which items are numbered; others are left out.
        user_ids: by which users are numbered.
        context_types: the name of the type, of ``json_columns.KNOWN``, of columns that are known.
    """
    columns = _Columns(item_ids, user_ids)
    rows = select(*IMPRESSION_COLUMNS).where(impressions.c.project == project).order_by(impressions.c.id)
    for part in stream_rows(connection, rows):
        columns.add(part)
    return columns.log(context_types) if columns.contexts else None


_LABELS = ("request_id", "run", "policy_version", "arm", "surface", "filters", "features")
_SLATE = msgspec.json.Decoder(tuple[list[str], list[float | None], list[float | None]])
_DETAIL = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _Columns:
    """Gathers rows of ``IMPRESSION_COLUMNS`` as columns, part by part, so that few objects are there at once."""

    def __init__(self, item_ids: Vocabulary, user_ids: Vocabulary) -> None:
        self._item_ids, self._user_ids = item_ids, user_ids
        self._requests: list[pl.DataFrame] = []
        self._shown: list[pl.DataFrame] = []
        self._sources: dict[str, int] = {}
        self._values: dict[bytes, Any] = {}  # many contexts are the same
        self.contexts: list[Mapping[str, Any] | None] = []

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        request_ids, offsets, users, times, surfaces, runs, stages, slates, texts = zip(*rows, strict=True)
        details = [_DETAIL.decode(text) if text else {} for text in texts]
        self._shown.append(self._items(offsets, stages, [_SLATE.decode(slate) for slate in slates], details))
        self.contexts += [self._value(detail, "context") for detail in details]
        labels: dict[str, Sequence[str | None]] = {
            "request_id": request_ids,
            "run": runs,
            "surface": surfaces,
            "policy_version": [self._value(detail, "policy_version") for detail in details],
            "arm": [self._value(detail, "arm") for detail in details],
            "filters": [_text(detail, "filters") for detail in details],
            "features": [_text(detail, "features") for detail in details],
        }
        eligible = [self._value(detail, "n_eligible") for detail in details]
        self._requests.append(
            pl.DataFrame(
                [
                    pl.Series("user", self._user_ids.index(pl.Series(users, dtype=pl.String).fill_null("\0"))),
                    pl.Series("time", times, dtype=pl.Int64),
                    *(pl.Series(name, labels[name], dtype=pl.String) for name in _LABELS),
                    pl.Series("n_eligible", eligible, dtype=pl.Int64),
                ]
            )
        )

    def _items(
        self,
        offsets: Sequence[int],
        stages: Sequence[str],
        slates: Sequence[tuple[list[str], list[float | None], list[float | None]]],
        details: Sequence[Mapping[str, msgspec.Raw]],
    ) -> pl.DataFrame:
        lengths = np.array([len(items) for items, _, _ in slates])
        first = np.cumsum(lengths) - lengths
        ids, scores, probabilities = (list(chain.from_iterable(part)) for part in zip(*slates, strict=True))
        sources = self._source_codes(stages, lengths.tolist(), details)
        return pl.DataFrame(
            {
                "request": np.repeat(np.arange(len(slates), dtype=np.int32) + len(self.contexts), lengths),
                "item": self._item_ids.index(pl.Series(ids, dtype=pl.String)),
                "position": (np.arange(len(ids)) + np.repeat(np.array(offsets) - first, lengths)).astype(np.int32),
                "score": pl.Series(scores, dtype=pl.Float32).fill_null(float("nan")),
                "probability": pl.Series(probabilities, dtype=pl.Float32).fill_null(float("nan")),
                "source": np.fromiter(sources, dtype=np.int32, count=len(ids)),
            }
        )

    def _source_codes(
        self, stages: Sequence[str], lengths: Sequence[int], details: Sequence[Mapping[str, msgspec.Raw]]
    ) -> Iterator[int]:
        codes = self._sources
        for stage, length, detail in zip(stages, lengths, details, strict=True):
            if "sources" in detail:
                yield from (codes.setdefault(name, len(codes) + 1) for name in self._value(detail, "sources"))
            else:
                yield from [codes.setdefault(stage, len(codes) + 1)] * length

    def _value(self, detail: Mapping[str, msgspec.Raw], name: str) -> Any:
        if (raw := detail.get(name)) is None:
            return None
        key = bytes(raw)
        if key not in self._values:
            self._values[key] = json.loads(key)
        return self._values[key]

    def log(self, context_types: Mapping[str, str]) -> ImpressionLog:
        names = set(chain.from_iterable(context for context in self.contexts if context))
        remembered = {name: dtype for name, dtype in context_types.items() if name in names}
        context = json_columns.frame(self.contexts, remembered) if names else pl.DataFrame()
        return ImpressionLog.from_arrival(
            pl.concat(self._requests), context, pl.concat(self._shown), list(self._sources)
        )


def _text(detail: Mapping[str, msgspec.Raw], name: str) -> str | None:
    return bytes(detail[name]).decode() if name in detail else None
