"""Items and users: put in, changed, taken out, looked at."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from poise.errors import PoiseError
from poise.serve.http.events import IMPORTED_AT_ONCE, MOST_REFUSALS
from poise.serve.http.parameters import AFTER, LIMIT, read_id, read_int, read_text
from poise.serve.http.request_bodies import Batch, decode, explain, read_body, read_lines
from poise.serve.http.responses import as_json, settled
from poise.serve.schema.problems import NotFoundError
from poise.serve.tenant import Tenant
from poise.store import records
from poise_client.schema.batches import Accepted, Refusal
from poise_client.schema.items import Item, ItemBody, ItemPage, ItemPatch
from poise_client.schema.users import User, UserBody, UserPage, UserPatch

ENCODED_WITHIN = 2.0  # seconds that an answer waits for, so that what is new is ranked by its meaning when it is given
_ITEMS, _USERS = Batch(ItemBody, "items"), Batch(UserBody, "users")
_ITEM_PATCH, _USER_PATCH = msgspec.json.Decoder(ItemPatch), msgspec.json.Decoder(UserPatch)


async def post_items(request: Request, tenant: Tenant) -> Response:
    """Put in items, or replace them."""
    entries, refused, _ = _ITEMS.read(await read_body(request, tenant.options.max_body_bytes))
    accepted = await _put_items(tenant, [one for _, one in entries])
    return as_json(Accepted(accepted, refused=refused))


async def post_users(request: Request, tenant: Tenant) -> Response:
    """Put in what is known of users, or replace it."""
    entries, refused, _ = _USERS.read(await read_body(request, tenant.options.max_body_bytes))
    accepted = await _put_users(tenant, [one for _, one in entries])
    return as_json(Accepted(accepted, refused=refused))


async def import_items(request: Request, tenant: Tenant) -> Response:
    """Put in items, one a line."""
    return await _import(request, tenant, _ITEMS, _put_items)


async def import_users(request: Request, tenant: Tenant) -> Response:
    """Put in users, one a line."""
    return await _import(request, tenant, _USERS, _put_users)


async def patch_item(request: Request, tenant: Tenant) -> Response:
    """Change some columns of an item."""
    item_id = read_id(request, "item_id")
    patch = decode(_ITEM_PATCH, await read_body(request, tenant.options.max_body_bytes))
    content = None if patch.content is UNSET else patch.content
    available = None if patch.available is UNSET else patch.available
    item = await settled(tenant.store.patch_item(item_id, content, available))
    if item is None:
        raise NotFoundError(f"there is no item {item_id!r}")
    await tenant.catch_up()
    return as_json(_item(item))


async def patch_user(request: Request, tenant: Tenant) -> Response:
    """Change some columns of a user."""
    user_id = read_id(request, "user_id")
    patch = decode(_USER_PATCH, await read_body(request, tenant.options.max_body_bytes))
    user = await settled(tenant.store.patch_user(user_id, {} if patch.content is UNSET else patch.content))
    if user is None:
        raise NotFoundError(f"nothing is known of the user {user_id!r}")
    await tenant.catch_up()
    return as_json(_user(user))


async def delete_item(request: Request, tenant: Tenant) -> Response:
    """Take an item out of the catalogue; what people did with it stays."""
    item_id = read_id(request, "item_id")
    if not await settled(tenant.store.delete_item(item_id)):
        raise NotFoundError(f"there is no item {item_id!r}")
    await tenant.catch_up()
    return Response(status_code=204)


async def get_item(request: Request, tenant: Tenant) -> Response:
    """Return an item."""
    item_id = read_id(request, "item_id")
    item = await tenant.engine.read(tenant.store.item, item_id)
    if item is None:
        raise NotFoundError(f"there is no item {item_id!r}")
    return as_json(_item(item))


async def get_user(request: Request, tenant: Tenant) -> Response:
    """Return what is known of a user."""
    user_id = read_id(request, "user_id")
    user = await tenant.engine.read(tenant.store.user, user_id)
    if user is None:
        raise NotFoundError(f"nothing is known of the user {user_id!r}")
    return as_json(_user(user))


async def list_items(request: Request, tenant: Tenant) -> Response:
    """Return a part of the catalogue."""
    limit, after = read_int(request, LIMIT), read_text(request, AFTER)
    items = await tenant.engine.read(tenant.store.items, after, limit)
    return as_json(ItemPage([_item(one) for one in items], items[-1].item_id if len(items) == limit else None))


async def list_users(request: Request, tenant: Tenant) -> Response:
    """Return a part of the users."""
    limit, after = read_int(request, LIMIT), read_text(request, AFTER)
    users = await tenant.engine.read(tenant.store.users, after, limit)
    return as_json(UserPage([_user(one) for one in users], users[-1].user_id if len(users) == limit else None))


async def _put_items(tenant: Tenant, items: Sequence[ItemBody]) -> int:
    if not items:
        return 0
    rows = [records.Item(one.item_id, one.content, one.available) for one in items]
    accepted = await settled(tenant.store.put_items(rows))
    await tenant.catch_up()
    with contextlib.suppress(PoiseError):  # the items are there, and are encoded when the encoder is back
        await tenant.encode_new(ENCODED_WITHIN)
    return accepted


async def _put_users(tenant: Tenant, users: Sequence[UserBody]) -> int:
    if not users:
        return 0
    accepted = await settled(tenant.store.put_users([records.User(one.user_id, one.content) for one in users]))
    await tenant.catch_up()
    return accepted


async def _import(request: Request, tenant: Tenant, batch: Batch[Any], put: Any) -> Response:
    accepted = 0
    refused: list[Refusal] = []
    waiting: list[Any] = []
    async for number, line in read_lines(request, tenant.options.max_body_bytes):
        try:
            waiting.append(decode(batch.one, line))
        except Exception as error:
            if len(refused) < MOST_REFUSALS:
                refused.append(Refusal(number, explain(error)))
        if len(waiting) >= IMPORTED_AT_ONCE:
            accepted += await put(tenant, waiting)
            waiting.clear()
    accepted += await put(tenant, waiting)
    return as_json(Accepted(accepted, refused=refused))


def _item(item: records.Item) -> Item:
    return Item(item.item_id, dict(item.content), item.available)


def _user(user: records.User) -> User:
    return User(user.user_id, dict(user.content))
