"""What to show to somebody."""

from __future__ import annotations

import asyncio

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from poise.errors import DataError, UsageError
from poise.serve.errors import ForbiddenError, NotFoundError
from poise.serve.http.request_bodies import decode, read_body
from poise.serve.http.responses import as_json
from poise.serve.schema.ids import request_in_one_form
from poise.serve.tenant import Tenant
from poise_client.schema.recommendations import RecommendationRequest

_RECOMMENDATION = msgspec.json.Decoder(RecommendationRequest)


async def post_recommendations(request: Request, tenant: Tenant) -> Response:
    """Return what to show to somebody."""
    body = request_in_one_form(decode(_RECOMMENDATION, await read_body(request, tenant.options.max_body_bytes)))
    model = None
    if body.run is not None and body.run != tenant.state.serving_model.name:
        if "admin" not in request.state.key.scopes:
            raise ForbiddenError("to ask another run than the one that is served takes the scope 'admin'")
        try:
            model = await asyncio.to_thread(tenant.state.another, body.run)
        except (UsageError, DataError) as error:
            raise NotFoundError(str(error)) from None
    return as_json(await tenant.engine.recommend(body, model))
