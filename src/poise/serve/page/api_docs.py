"""The API as a page to read and to try: Swagger UI, whose files come with a package, so that no network is needed."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from poise.serve.page.render import HEADERS, as_page, script

ADDRESS = "/docs"
HEADERS_OF_DOCS = {
    **HEADERS,
    # its script draws the page and asks this server alone
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}
_FILES = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
_FOR_A_DAY = {"Cache-Control": "public, max-age=86400"}


async def api_docs(request: Request) -> Response:
    """Show every operation of the API, with what it takes and answers, and a form to try it."""
    response = as_page(request, "docs.html")
    response.headers.update(HEADERS_OF_DOCS)
    return response


async def asset(request: Request) -> Response:
    """Return a file of Swagger UI, or the script that starts it."""
    name = request.url.path.rpartition("/")[2]
    if name == "start.js":
        return Response(script("docs.js"), media_type="text/javascript", headers={**HEADERS_OF_DOCS, **_FOR_A_DAY})
    return FileResponse(_folder() / name, media_type=_FILES[name], headers={**HEADERS_OF_DOCS, **_FOR_A_DAY})


def assets() -> list[str]:
    """Return the addresses of all files that the page needs."""
    return [f"{ADDRESS}/{name}" for name in (*_FILES, "start.js")]


@cache
def _folder() -> Path:
    from swagger_ui_bundle import swagger_ui_path

    return Path(str(swagger_ui_path))
