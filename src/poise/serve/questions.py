"""What is asked of the engine: recommendations, similar and popular items, search, profiles, what was shown."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from poise.errors import PoiseError, UsageError
from poise.serve.answers import as_json, settled
from poise.serve.bodies import decode, read_body
from poise.serve.interests import in_words, interests
from poise.serve.parameters import K, Q, read_id, read_int, read_text
from poise.serve.problems import ForbiddenError, NotFoundError
from poise.serve.tenant import Tenant
from poise.serve.wire import (
    Done,
    Found,
    FoundItem,
    ProfileOut,
    ReceiptOut,
    RecommendationIn,
    RequestOut,
    Shown,
)
from poise.top_k import top_k

_RECOMMENDATION = msgspec.json.Decoder(RecommendationIn)
HISTORY_SHOWN = 50


async def post_recommendations(request: Request, tenant: Tenant) -> Response:
    """Return what to show to somebody."""
    asked = decode(_RECOMMENDATION, await read_body(request, tenant.options.most_body))
    served = None
    if asked.run is not None and asked.run != tenant.live.served.name:
        if "admin" not in request.state.key.scopes:
            raise ForbiddenError("to ask another run than the one that is served takes the scope 'admin'")
        try:
            served = await asyncio.to_thread(tenant.live.another, asked.run)
        except UsageError as error:
            raise NotFoundError(str(error)) from None
    return as_json(await tenant.engine.recommend(asked, served))


async def get_similar(request: Request, tenant: Tenant) -> Response:
    """Return the items that are most like an item."""
    item_id, k = read_id(request, "item_id"), read_int(request, K)
    served = tenant.live.served
    at = int(served.catalogue.item_ids.index([item_id])[0])
    if not at or (not served.catalogue.available[at] and not served.catalogue.contents[at]):
        raise NotFoundError(f"there is no item {item_id!r}")
    if at >= served.pipeline.item_ids.size:  # it came a moment ago and is not encoded yet
        return as_json(Found([]))
    try:
        scores = await asyncio.to_thread(served.pipeline._similarity, np.array([at], dtype=np.int32))
    except UsageError as error:
        raise NotFoundError(str(error)) from None
    scores = np.where(served.catalogue.available[: scores.shape[1]], scores[0], -np.inf).astype(np.float32)
    scores[at] = -np.inf
    items, values = top_k(scores[None], min(k, len(scores)))
    return as_json(_found(tenant, items[0][items[0] > 0], values[0]))


async def get_popular(request: Request, tenant: Tenant) -> Response:
    """Return what is popular now."""
    k = read_int(request, K)
    if tenant.engine.shared:
        await tenant.live.follow()
    catalogue = tenant.live.served.catalogue
    scores = tenant.live.trends.scores(catalogue.item_ids)
    hidden = np.where(catalogue.available & (scores > 0), scores, -np.inf).astype(np.float32)
    items, values = top_k(hidden[None], min(k, len(hidden)))
    return as_json(_found(tenant, items[0][items[0] > 0], values[0]))


async def get_search(request: Request, tenant: Tenant) -> Response:
    """Return the items that fit what was typed, by words and meaning together."""
    query, k = read_text(request, Q), read_int(request, K)
    assert query is not None
    served = tenant.live.served
    start = time.perf_counter()
    try:
        async with asyncio.timeout(1.0):
            items, values = await asyncio.to_thread(served.finder.search, query, served.catalogue, k, meaning=True)
    except (PoiseError, TimeoutError) as error:
        tenant.measures.fallbacks.labels("encoder", type(error).__name__).inc()
        items, values = await asyncio.to_thread(served.finder.search, query, served.catalogue, k, meaning=False)
    tenant.measures.stages.labels("search").observe(time.perf_counter() - start)
    return as_json(_found(tenant, items, values))


async def get_profile(request: Request, tenant: Tenant) -> Response:
    """Return what the system believes of a user."""
    user_id = read_id(request, "user_id")
    served, live = tenant.live.served, tenant.live
    if tenant.engine.shared:
        await live.follow()
    events = await asyncio.to_thread(live.people.events, user_id)
    user = await asyncio.to_thread(tenant.store.user, user_id)
    if not events and user is None:
        raise NotFoundError(f"nothing is known of the user {user_id!r}")
    index = served.catalogue.item_ids.index([event.item_id for event in events])
    titles = served.catalogue.titles
    history = [
        Done(event.item_id, titles[at] if at else event.item_id, event.behaviour, event.time, event.value)
        for event, at in zip(events, index.tolist(), strict=True)
    ]
    found = interests(served.catalogue, index[index > 0].tolist())
    content = {} if user is None else dict(user.content)
    return as_json(ProfileOut(user_id, len(events), history[::-1][:HISTORY_SHOWN], found, in_words(found), content))


async def get_request(request: Request, tenant: Tenant) -> Response:
    """Return what was answered to a request, with what people did with it."""
    request_id = read_id(request, "request_id")
    pages = await asyncio.to_thread(tenant.store.impression, request_id)
    if not pages:
        raise NotFoundError(f"there is no request {request_id!r}")
    feedback: dict[str, list[str]] = defaultdict(list)
    for event in await asyncio.to_thread(tenant.store.feedback, request_id):
        feedback[event.item_id].append(event.behaviour)
    items = [
        Shown(item, score, probability, feedback.get(item, []))
        for page in pages
        for item, score, probability in zip(page.items, page.scores, page.probabilities, strict=True)
    ]
    first = pages[0]
    return as_json(RequestOut(request_id, first.user_id, first.run, first.stage, first.time, items))


async def delete_user(request: Request, tenant: Tenant) -> Response:
    """Erase a user: what they did, what is known of them, what they were shown."""
    user_id = read_id(request, "user_id")
    runs = await asyncio.to_thread(lambda: tenant.project.runs)
    receipt = await settled(tenant.store.erase_user(user_id, runs, request.state.key.key_id))
    await tenant.live.follow()
    tenant.engine.forget(user_id)
    await asyncio.to_thread(tenant.project.forget_data)
    return as_json(ReceiptOut(receipt.receipt_id, user_id, receipt.counts, receipt.runs))


def _found(tenant: Tenant, items: np.ndarray, values: np.ndarray) -> Found:
    catalogue = tenant.live.served.catalogue
    return Found(
        [
            FoundItem(catalogue.item_ids.id(item), catalogue.titles[item], round(float(value), 6))
            for item, value in zip(items.tolist(), values.tolist(), strict=False)
        ]
    )
