"""Items: put in, changed, taken out, looked at, and what is like them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial

import msgspec
from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from poise.errors import PoiseError, UsageError
from poise.options.likeness import SIMILAR_BY, SimilarBy
from poise.serve.errors import NotFoundError
from poise.serve.http.parameters import AFTER, BY, LIMIT, K, read_choice, read_id, read_int, read_text
from poise.serve.http.request_bodies import Batch, decode, import_lines, read_body
from poise.serve.http.responses import as_json
from poise.serve.http.search import as_found
from poise.serve.state.store_writes import settled
from poise.serve.tenant import Tenant
from poise.store import records
from poise_client.schema.batches import Accepted
from poise_client.schema.items import Item, ItemBody, ItemPage, ItemPatch
from poise_client.schema.search import SimilarItems

ENCODED_WITHIN = 2.0  # seconds that an answer waits for, so that new items are ranked by content when it comes
_ITEMS = Batch(ItemBody, "items")
_PATCH = msgspec.json.Decoder(ItemPatch)


async def post_items(request: Request, tenant: Tenant) -> Response:
    """Put in items, or replace them."""
    entries, refused, _ = _ITEMS.read(await read_body(request, tenant.options.max_body_bytes))
    accepted = await _put_items(tenant, [item for _, item in entries])
    return as_json(Accepted(accepted, refused=refused))


async def import_items(request: Request, tenant: Tenant) -> Response:
    """Put in items, one a line."""
    return as_json(await import_lines(request, tenant.options.max_body_bytes, _ITEMS, partial(_put_items, tenant)))


async def patch_item(request: Request, tenant: Tenant) -> Response:
    """Change some columns of an item."""
    item_id = read_id(request, "item_id")
    patch = decode(_PATCH, await read_body(request, tenant.options.max_body_bytes))
    content = None if patch.content is UNSET else patch.content
    available = None if patch.available is UNSET else patch.available
    item = await settled(tenant.store.patch_item(item_id, content, available))
    if item is None:
        raise NotFoundError(f"there is no item {item_id!r}")
    await tenant.catch_up()
    return as_json(_item(item))


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


async def list_items(request: Request, tenant: Tenant) -> Response:
    """Return a part of the catalogue."""
    limit, after = read_int(request, LIMIT), read_text(request, AFTER)
    items = await tenant.engine.read(tenant.store.items, after, limit)
    return as_json(ItemPage([_item(item) for item in items], items[-1].item_id if len(items) == limit else None))


async def get_similar(request: Request, tenant: Tenant) -> Response:
    """Return the items that are most like an item."""
    by = read_choice(request, BY, SIMILAR_BY)
    return as_json(await similar(tenant, read_id(request, "item_id"), read_int(request, K), by))


async def similar(tenant: Tenant, item_id: str, k: int, by: SimilarBy | None = None) -> SimilarItems:
    """Return the ``k`` items that are most like an item, and how they were found.

    Raises:
        NotFoundError: there is no such item, or the run has no notion of such a similarity.
    """
    model = tenant.state.serving_model
    index = int(model.catalogue.item_ids.index([item_id])[0])
    if not index or (not model.catalogue.available[index] and not model.catalogue.contents[index]):
        raise NotFoundError(f"there is no item {item_id!r}")
    if index >= model.pipeline.item_ids.size:  # it came a moment ago and is not encoded yet
        return SimilarItems([])
    try:
        alike = await asyncio.to_thread(model.similar, item_id, k, by)
    except UsageError as error:
        raise NotFoundError(str(error)) from None
    likeness = model.pipeline.likeness(item_id, by)
    found = as_found(tenant, alike.items, alike.scores)
    return SimilarItems(found.items, likeness.by, likeness.events, likeness.certainty)


async def _put_items(tenant: Tenant, items: Sequence[ItemBody]) -> int:
    if not items:
        return 0
    rows = [records.Item(item.item_id, item.content, item.available) for item in items]
    accepted = await settled(tenant.store.put_items(rows))
    await tenant.catch_up()
    with contextlib.suppress(PoiseError):  # the items are there, and are encoded when the encoder is back
        await tenant.encode_new(ENCODED_WITHIN)
    return accepted


def _item(item: records.Item) -> Item:
    return Item(item.item_id, dict(item.content), item.available)
