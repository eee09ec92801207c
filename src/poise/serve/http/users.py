"""Users: their columns, their profiles, and how they are erased."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from datetime import datetime
from functools import partial

import msgspec
from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from poise.errors import DataError
from poise.serve.errors import NotFoundError
from poise.serve.http.parameters import AFTER, LIMIT, read_id, read_int, read_text
from poise.serve.http.request_bodies import Batch, decode, import_lines, read_body
from poise.serve.http.responses import as_json
from poise.serve.state.interests import in_words, interests
from poise.serve.state.store_writes import settled
from poise.serve.tenant import Tenant
from poise.store import records
from poise_client.schema.batches import Accepted
from poise_client.schema.users import ErasureReceipt, PastEvent, User, UserBody, UserPage, UserPatch, UserProfile

HISTORY_SHOWN = 50
MOST_EVENTS = 1_000_000
_USERS = Batch(UserBody, "users")
_PATCH = msgspec.json.Decoder(UserPatch)


async def post_users(request: Request, tenant: Tenant) -> Response:
    """Put in what is known of users, or replace it."""
    entries, refused, _ = _USERS.read(await read_body(request, tenant.options.max_body_bytes))
    accepted = await _put_users(tenant, [user for _, user in entries])
    return as_json(Accepted(accepted, refused=refused))


async def import_users(request: Request, tenant: Tenant) -> Response:
    """Put in users, one a line."""
    return as_json(await import_lines(request, tenant.options.max_body_bytes, _USERS, partial(_put_users, tenant)))


async def patch_user(request: Request, tenant: Tenant) -> Response:
    """Change some columns of a user."""
    user_id = read_id(request, "user_id")
    patch = decode(_PATCH, await read_body(request, tenant.options.max_body_bytes))
    user = await settled(tenant.store.patch_user(user_id, {} if patch.content is UNSET else patch.content))
    if user is None:
        raise NotFoundError(f"nothing is known of the user {user_id!r}")
    await tenant.catch_up()
    return as_json(_user(user))


async def delete_user(request: Request, tenant: Tenant) -> Response:
    """Erase a user: what they did, what is known of them, what they were shown."""
    user_id = read_id(request, "user_id")
    await tenant.engine.impressions.flush()
    runs = await asyncio.to_thread(_holding, tenant, user_id)
    receipt = await settled(tenant.store.erase_user(user_id, runs, request.state.key.key_id))
    tenant.state.user_histories.forget([user_id])
    tenant.engine.forget(user_id)
    await tenant.catch_up()
    await asyncio.to_thread(tenant.project.forget_data)
    return as_json(ErasureReceipt(receipt.receipt_id, user_id, receipt.counts, receipt.runs))


async def get_user(request: Request, tenant: Tenant) -> Response:
    """Return what is known of a user."""
    user_id = read_id(request, "user_id")
    user = await tenant.engine.read(tenant.store.user, user_id)
    if user is None:
        raise NotFoundError(f"nothing is known of the user {user_id!r}")
    return as_json(_user(user))


async def list_users(request: Request, tenant: Tenant) -> Response:
    """Return a part of the users."""
    limit, after = read_int(request, LIMIT), read_text(request, AFTER)
    users = await tenant.engine.read(tenant.store.users, after, limit)
    return as_json(UserPage([_user(user) for user in users], users[-1].user_id if len(users) == limit else None))


async def get_profile(request: Request, tenant: Tenant) -> Response:
    """Return what the system believes of a user."""
    user_id = read_id(request, "user_id")
    user_profile = await profile(tenant, user_id)
    if user_profile is None:
        raise NotFoundError(f"nothing is known of the user {user_id!r}")
    return as_json(user_profile)


async def profile(tenant: Tenant, user_id: str) -> UserProfile | None:
    """Return what is believed of a user; None if nothing is known.

    Raises:
        StoreError: the store cannot be read.
    """
    model, state = tenant.state.serving_model, tenant.state
    if tenant.engine.shared:
        await tenant.catch_up()
    past = await tenant.engine.read(state.user_histories.past, user_id)
    events = await tenant.engine.read(tenant.store.history, user_id, HISTORY_SHOWN)
    user = await tenant.engine.read(tenant.store.user, user_id)
    if not past.n_events and user is None:
        return None
    index = model.catalogue.item_ids.index([event.item_id for event in events])
    titles = model.catalogue.titles
    history = [
        PastEvent(event.item_id, titles[item] if item else event.item_id, event.behaviour, event.time, event.value)
        for event, item in zip(events, index.tolist(), strict=True)
    ]
    leading = await asyncio.to_thread(
        interests, model.catalogue, state.user_histories.chosen(past, model.catalogue.item_ids)
    )
    content = {} if user is None else dict(user.content)
    return UserProfile(user_id, past.n_events, history[::-1], leading, in_words(leading), content)


async def _put_users(tenant: Tenant, users: Sequence[UserBody]) -> int:
    if not users:
        return 0
    accepted = await settled(tenant.store.put_users([records.User(user.user_id, user.content) for user in users]))
    await tenant.catch_up()
    return accepted


def _holding(tenant: Tenant, user_id: str) -> list[str]:
    """Return the runs that were made after the user first did something: they may have learnt from it.

    An event that is dated in the future does not tell when it came: all runs may have learnt from it.
    """
    history = tenant.store.history(user_id, MOST_EVENTS)
    if not history and tenant.store.user(user_id) is None:
        return []
    first = history[0].time if history and history[0].time <= tenant.clock.milliseconds() else 0
    return [name for name in tenant.project.runs if _made(tenant, name) >= first]


def _made(tenant: Tenant, name: str) -> float:
    """Return when a run was made, in milliseconds since 1970; infinity if it is damaged and cannot tell."""
    try:
        return datetime.fromisoformat(tenant.project.run(name).metadata["made"]).timestamp() * 1000
    except (DataError, KeyError, ValueError, TypeError):
        return math.inf


def _user(user: records.User) -> User:
    return User(user.user_id, dict(user.content))
