"""Finding items by what was typed."""

from __future__ import annotations

import asyncio
import time

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from poise.serve.http.parameters import K, Q, read_int, read_text
from poise.serve.http.responses import as_json
from poise.serve.tenant import Tenant
from poise_client.schema.search import ScoredItem, ScoredItems

SEARCHED_WITHIN = 1.0  # seconds, after which words alone are used


async def get_search(request: Request, tenant: Tenant) -> Response:
    """Return the items that fit what was typed, by words and vectors together."""
    query, k = read_text(request, Q), read_int(request, K)
    assert query is not None
    return as_json(await search(tenant, query, k))


async def search(tenant: Tenant, query: str, k: int) -> ScoredItems:
    """Return the ``k`` items that fit ``query`` best, by words alone where encoding takes too long."""
    model = tenant.state.serving_model
    start = time.perf_counter()
    try:
        items, values = await tenant.searching.run(
            SEARCHED_WITHIN, model.item_search.search, query, model.catalogue, k, semantic=True
        )
    except Exception as error:  # whatever an encoder raises, there is an answer
        tenant.metrics.fallbacks.labels("encoder", type(error).__name__).inc()
        items, values = await asyncio.to_thread(model.item_search.search, query, model.catalogue, k, semantic=False)
    tenant.metrics.seconds_of("search", start)
    return as_found(tenant, items, values)


def as_found(tenant: Tenant, items: np.ndarray, values: np.ndarray) -> ScoredItems:
    """Return items, by their indices, as they stand in an answer."""
    catalogue = tenant.state.serving_model.catalogue
    return ScoredItems(
        [
            ScoredItem(catalogue.item_ids.id(item), catalogue.titles[item], round(float(value), 6))
            for item, value in zip(items.tolist(), values.tolist(), strict=False)
        ]
    )
