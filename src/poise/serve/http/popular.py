"""What is popular now."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from poise.serve.http.parameters import K, read_int
from poise.serve.http.responses import as_json
from poise.serve.http.search import as_found
from poise.serve.tenant import Tenant


async def get_popular(request: Request, tenant: Tenant) -> Response:
    """Return what is popular now."""
    k = read_int(request, K)
    if tenant.engine.shared:
        await tenant.catch_up()
    model = tenant.state.serving_model
    popular = model.most_popular(tenant.state.popularity.scores(model.catalogue.item_ids), k)
    with_events = popular.where(popular.scores > 0)
    return as_json(as_found(tenant, with_events.items, with_events.scores))
