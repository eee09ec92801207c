"""What is popular now."""

from __future__ import annotations

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from poise.serve.http.parameters import K, read_int
from poise.serve.http.responses import as_json
from poise.serve.http.search import as_found
from poise.serve.tenant import Tenant
from poise.top_k import top_k


async def get_popular(request: Request, tenant: Tenant) -> Response:
    """Return what is popular now."""
    k = read_int(request, K)
    if tenant.engine.shared:
        await tenant.catch_up()
    catalogue = tenant.state.serving_model.catalogue
    scores = tenant.state.popularity.scores(catalogue.item_ids)
    hidden = np.where(catalogue.available & (scores > 0), scores, -np.inf).astype(np.float32)
    items, values = top_k(hidden[None], min(k, len(hidden)))
    return as_json(as_found(tenant, items[0][items[0] > 0], values[0]))
