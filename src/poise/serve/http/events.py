"""Events come in: checked one by one, durable when acknowledged, and known to the next request."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response

from poise.serve.errors import InvalidRequestError
from poise.serve.http.request_bodies import (
    IMPORTED_AT_ONCE,
    MOST_REFUSALS,
    Batch,
    explain,
    read_body,
    read_lines,
)
from poise.serve.http.responses import as_json
from poise.serve.schema.timestamps import milliseconds
from poise.serve.state.rules import LiveRules
from poise.serve.state.store_writes import settled
from poise.serve.tenant import Tenant
from poise.store import records
from poise.store.records import Added
from poise_client.schema.batches import MOST_NAMED, Accepted, Refusal
from poise_client.schema.events import Event

_BATCH = Batch(Event, "events")


async def post_events(request: Request, tenant: Tenant) -> Response:
    """Take in one event or many."""
    body = await read_body(request, tenant.options.max_body_bytes)
    entries, refused, alone = _BATCH.read(body)
    added, late = await take_in(tenant, entries)
    if late and alone:
        raise InvalidRequestError(late[0].reason, "#/timestamp")
    refused = sorted([*refused, *late], key=lambda refusal: refusal.index)
    tenant.metrics.events.labels("refused").inc(len(refused))
    return as_json(_accepted(added.accepted, added.duplicates, refused, _unknown_items(tenant, entries)))


async def take_in(tenant: Tenant, entries: list[tuple[int, Event]]) -> tuple[Added, list[Refusal]]:
    """Add events, which have numbers: when this returns they are durable, and the next request knows them.

    Returns:
        what became of them, and why some were refused.

    Raises:
        StoreError: the store cannot be written, and nothing was added.
    """
    events, late = _events(entries, tenant.state.rules, tenant.clock.milliseconds())
    return await _add(tenant, events), late


async def import_events(request: Request, tenant: Tenant) -> Response:
    """Take in events, one a line, as they come."""
    accepted = duplicates = 0
    refused: list[Refusal] = []  # the first ones
    unknown: dict[str, None] = {}  # the first items
    waiting: list[tuple[int, Event]] = []

    async def flush() -> None:
        nonlocal accepted, duplicates
        added, late = await take_in(tenant, waiting)
        accepted += added.accepted
        duplicates += added.duplicates
        if len(unknown) <= MOST_NAMED:
            unknown.update(dict.fromkeys(_unknown_items(tenant, waiting)))
        waiting.clear()
        refuse(late)

    def refuse(more: list[Refusal]) -> None:
        tenant.metrics.events.labels("refused").inc(len(more))
        refused.extend(more)
        refused.sort(key=lambda refusal: refusal.index)
        del refused[MOST_REFUSALS:]

    bad: list[Refusal] = []
    async for number, line in read_lines(request, tenant.options.max_body_bytes):
        try:
            waiting.append((number, _BATCH.read_line(line)))
        except Exception as error:
            bad.append(Refusal(number, explain(error)))
        if len(waiting) + len(bad) >= IMPORTED_AT_ONCE:
            refuse(bad)
            bad.clear()
            await flush()
    refuse(bad)
    await flush()
    return as_json(_accepted(accepted, duplicates, refused, list(unknown)))


def _unknown_items(tenant: Tenant, entries: list[tuple[int, Event]]) -> list[str]:
    """Return the items of events that the catalogue does not have, each once, the first of them."""
    known = tenant.state.serving_model.catalogue.item_ids
    unknown = dict.fromkeys(event.item_id for _, event in entries if event.item_id not in known)
    return list(unknown)[: MOST_NAMED + 1]


def _accepted(accepted: int, duplicates: int, refused: list[Refusal], unknown: list[str]) -> Accepted:
    if not unknown:
        return Accepted(accepted, duplicates, refused)
    named = unknown[:MOST_NAMED]
    words = ", ".join(repr(item_id) for item_id in named[:3]) + (" and others" if len(unknown) > 3 else "")
    hint = (
        f"not in the catalogue: {words}. Their events are kept, and the next fit learns from them; "
        "put the items in with POST /v1/items so that they can be recommended, or check the ids"
    )
    return Accepted(accepted, duplicates, refused, named, hint)


def _events(entries: list[tuple[int, Event]], rules: LiveRules, now: int) -> tuple[list[records.Event], list[Refusal]]:
    events, refused = [], []
    for number, event in entries:
        try:
            moment = milliseconds(event.timestamp, now)
            rules.check_time(moment)
        except InvalidRequestError as error:
            refused.append(Refusal(number, str(error)))
            continue
        events.append(
            records.Event(
                event.user_id,
                event.item_id,
                event.behaviour,
                event.value,
                moment,
                event.event_id,
                event.context,
                event.request_id,
            )
        )
    return events, refused


async def _add(tenant: Tenant, events: list[records.Event]) -> Added:
    if not events:
        return Added(0, 0)
    start = time.perf_counter()
    added: Added = await settled(tenant.store.add_events(events))
    tenant.metrics.seconds_of("store", start)
    await tenant.catch_up()
    tenant.metrics.events.labels("accepted").inc(added.accepted)
    tenant.metrics.events.labels("duplicate").inc(added.duplicates)
    return added
