"""What was answered to a request for recommendations, and what people did with it."""

from __future__ import annotations

from collections import defaultdict

from starlette.requests import Request
from starlette.responses import Response

from poise.serve.errors import NotFoundError
from poise.serve.http.parameters import read_id
from poise.serve.http.responses import as_json
from poise.serve.tenant import Tenant
from poise_client.schema.impressions import Impression, ShownItem


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
