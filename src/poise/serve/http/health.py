"""Whether the server lives, whether it can answer, and what it counts."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from poise.serve.http.responses import as_json
from poise_client.schema.health import Health


async def get_health(request: Request) -> Response:
    """Tell that the process lives."""
    return as_json(Health("ok"))


async def get_ready(request: Request) -> Response:
    """Tell whether the projects are loaded."""
    server = request.app.state.server
    if not server.tenants:
        return as_json(Health("loading" if server.failed is None else "failed", reason=server.failed), 503)
    return as_json(Health("ready", server.tenants[0].state.serving_model.name if len(server.tenants) == 1 else None))


async def get_metrics(request: Request) -> Response:
    """Return the counters of a project, in Prometheus' text format."""
    tenant = await request.app.state.server.tenant(request, "read")
    tenant.note_state()
    return Response(tenant.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
