"""Pages as answers: templates filled in, and headers that let a browser run nothing and send nothing elsewhere."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from poise._version import __version__
from poise.serve.page.guard import FORM, form_token, keep
from poise.serve.page.pictures import name_of

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' https: http: data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",  # no-referrer would also take the origin off this site's own forms
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
STYLE = "/page/style.css"


def as_page(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """Return a page.

    Args:
        request: that it answers.
        template: the name of a file in ``templates``.
        status: of the answer.
        values: for the template. ``project`` is what the shop is called, None if it may not be shown.
    """
    token = form_token(request)
    text = (
        _environment()
        .get_template(template)
        .render(
            {"project": None, "signed_in": False, "pictures": (), **values},
            token=token,
            version=__version__,
            style=_style_address(),
        )
    )
    response = HTMLResponse(text, status, HEADERS)
    if request.cookies.get(FORM) != token:
        keep(request, response, FORM, token)
    return response


@cache
def stylesheet() -> bytes:
    """Return the stylesheet."""
    return _environment().get_template("style.css").render().encode()


@cache
def script(name: str) -> bytes:
    """Return a script of ``templates``, as it stands there."""
    return _environment().get_template(name).render().encode()


@cache
def _style_address() -> str:
    return f"{STYLE}?v={hashlib.sha256(stylesheet()).hexdigest()[:12]}"


@cache
def _environment() -> Environment:
    """Return the templates: those of the page, and those of the reports, whose palette it shares, as ``report/...``."""
    loaders = [PackageLoader("poise.serve.page"), PrefixLoader({"report": PackageLoader("poise.report")})]
    environment = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["name_of"] = name_of
    return environment
