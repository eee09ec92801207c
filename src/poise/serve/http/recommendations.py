"""What is asked of the engine: recommendations, similar and popular items, search, profiles, what was shown."""

from __future__ import annotations

import asyncio
import math
import time
from collections import defaultdict
from datetime import datetime

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from poise.errors import DataError, UsageError
from poise.serve.http.parameters import K, Q, read_id, read_int, read_text
from poise.serve.http.request_bodies import decode, read_body
from poise.serve.http.responses import as_json, settled
from poise.serve.schema.problems import ForbiddenError, NotFoundError
from poise.serve.state.interests import in_words, interests
from poise.serve.tenant import Tenant
from poise.top_k import top_k
from poise_client.schema.impressions import Impression, ShownItem
from poise_client.schema.recommendations import RecommendationRequest
from poise_client.schema.search import ScoredItem, ScoredItems
from poise_client.schema.users import ErasureReceipt, PastEvent, UserProfile

_RECOMMENDATION = msgspec.json.Decoder(RecommendationRequest)
HISTORY_SHOWN = 50
MOST_EVENTS = 1_000_000
SEARCHED_WITHIN = 1.0  # seconds, beyond which words alone must do


async def post_recommendations(request: Request, tenant: Tenant) -> Response:
    """Return what to show to somebody."""
    asked = decode(_RECOMMENDATION, await read_body(request, tenant.options.max_body_bytes))
    served = None
    if asked.run is not None and asked.run != tenant.live.served.name:
        if "admin" not in request.state.key.scopes:
            raise ForbiddenError("to ask another run than the one that is served takes the scope 'admin'")
        try:
            served = await asyncio.to_thread(tenant.live.another, asked.run)
        except (UsageError, DataError) as error:
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
        return as_json(ScoredItems([]))
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
        await tenant.catch_up()
    catalogue = tenant.live.served.catalogue
    scores = tenant.live.trends.scores(catalogue.item_ids)
    hidden = np.where(catalogue.available & (scores > 0), scores, -np.inf).astype(np.float32)
    items, values = top_k(hidden[None], min(k, len(hidden)))
    return as_json(_found(tenant, items[0][items[0] > 0], values[0]))


async def get_search(request: Request, tenant: Tenant) -> Response:
    """Return the items that fit what was typed, by words and meaning together."""
    query, k = read_text(request, Q), read_int(request, K)
    assert query is not None
    return as_json(await search(tenant, query, k))


async def search(tenant: Tenant, query: str, k: int) -> ScoredItems:
    """Return the ``k`` items that fit ``query`` best, by words alone where meaning takes too long."""
    served = tenant.live.served
    start = time.perf_counter()
    try:
        items, values = await tenant.searching.run(
            SEARCHED_WITHIN, served.finder.search, query, served.catalogue, k, meaning=True
        )
    except Exception as error:  # whatever an encoder does, there is an answer
        tenant.measures.fallbacks.labels("encoder", type(error).__name__).inc()
        items, values = await asyncio.to_thread(served.finder.search, query, served.catalogue, k, meaning=False)
    tenant.measures.seconds_of("search", start)
    return _found(tenant, items, values)


async def get_profile(request: Request, tenant: Tenant) -> Response:
    """Return what the system believes of a user."""
    user_id = read_id(request, "user_id")
    found = await profile(tenant, user_id)
    if found is None:
        raise NotFoundError(f"nothing is known of the user {user_id!r}")
    return as_json(found)


async def profile(tenant: Tenant, user_id: str) -> UserProfile | None:
    """Return what is believed of a user; None if nothing is known.

    Raises:
        StoreError: the store cannot be read.
    """
    served, live = tenant.live.served, tenant.live
    if tenant.engine.shared:
        await tenant.catch_up()
    events = await tenant.engine.read(live.people.events, user_id)
    user = await tenant.engine.read(tenant.store.user, user_id)
    if not events and user is None:
        return None
    index = served.catalogue.item_ids.index([event.item_id for event in events])
    titles = served.catalogue.titles
    history = [
        PastEvent(event.item_id, titles[at] if at else event.item_id, event.behaviour, event.time, event.value)
        for event, at in zip(events, index.tolist(), strict=True)
    ]
    found = await asyncio.to_thread(interests, served.catalogue, index[index > 0].tolist())
    content = {} if user is None else dict(user.content)
    return UserProfile(user_id, len(events), history[::-1][:HISTORY_SHOWN], found, in_words(found), content)


async def get_request(request: Request, tenant: Tenant) -> Response:
    """Return what was answered to a request, with what people did with it."""
    request_id = read_id(request, "request_id")
    pages = await tenant.engine.pages(request_id)
    if not pages:
        raise NotFoundError(f"there is no request {request_id!r}")
    feedback: dict[str, list[str]] = defaultdict(list)
    for event in await tenant.engine.read(tenant.store.feedback, request_id):
        feedback[event.item_id].append(event.behaviour)
    items = [
        ShownItem(item, score, probability, feedback.get(item, []))
        for page in pages
        for item, score, probability in zip(page.items, page.scores, page.probabilities, strict=True)
    ]
    first = pages[0]
    return as_json(Impression(request_id, first.user_id, first.run, first.stage, first.time, items))


async def delete_user(request: Request, tenant: Tenant) -> Response:
    """Erase a user: what they did, what is known of them, what they were shown."""
    user_id = read_id(request, "user_id")
    await tenant.engine.impressions.flush()
    runs = await asyncio.to_thread(_holding, tenant, user_id)
    receipt = await settled(tenant.store.erase_user(user_id, runs, request.state.key.key_id))
    tenant.live.people.forget([user_id])
    tenant.engine.forget(user_id)
    await tenant.catch_up()
    await asyncio.to_thread(tenant.project.forget_data)
    return as_json(ErasureReceipt(receipt.receipt_id, user_id, receipt.counts, receipt.runs))


def _holding(tenant: Tenant, user_id: str) -> list[str]:
    """Return the runs that were made after the user first did something: they may have learnt from it.

    An event that is dated in the future does not tell when it came: all runs may have learnt from it.
    """
    history = tenant.store.history(user_id, MOST_EVENTS)
    if not history and tenant.store.user(user_id) is None:
        return []
    first = history[0].time if history and history[0].time <= time.time() * 1000 else 0
    return [name for name in tenant.project.runs if _made(tenant, name) >= first]


def _made(tenant: Tenant, name: str) -> float:
    """Return when a run was made, in milliseconds since 1970; infinity if it is damaged and cannot tell."""
    try:
        return datetime.fromisoformat(tenant.project.run(name).metadata["made"]).timestamp() * 1000
    except (DataError, KeyError, ValueError, TypeError):
        return math.inf


def _found(tenant: Tenant, items: np.ndarray, values: np.ndarray) -> ScoredItems:
    catalogue = tenant.live.served.catalogue
    return ScoredItems(
        [
            ScoredItem(catalogue.item_ids.id(item), catalogue.titles[item], round(float(value), 6))
            for item, value in zip(items.tolist(), values.tolist(), strict=False)
        ]
    )
