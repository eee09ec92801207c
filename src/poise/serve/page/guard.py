"""Who uses the page, and whether a form comes from it: a key in a cookie, and a token that no other site can send."""

from __future__ import annotations

import hmac
import re
import secrets
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from poise.serve.errors import ForbiddenError
from poise.serve.http.problems import MalformedBodyError
from poise.serve.http.request_bodies import read_body

KEY = "poise_key"  # the cookie with the API key
FORM = "poise_form"  # the cookie with the token that each form repeats
MOST_FORM = 20_000  # bytes
_TOKEN = re.compile(r"[\w.~+/=-]{1,200}", re.ASCII)


def with_key(request: Request) -> Request:
    """Return the request with the key of its cookie, if any, where the API looks for one."""
    key = request.cookies.get(KEY)
    return given_key(request, key) if key and "authorization" not in request.headers else request


def given_key(request: Request, key: str) -> Request:
    """Return the request as one with a key."""
    header = (b"authorization", f"Bearer {key}".encode("latin-1", "replace"))
    return Request({**request.scope, "headers": [*request.scope["headers"], header]}, request.receive)


def is_key(text: str) -> bool:
    """Tell whether a text may be a key, and can stand in a cookie as it is."""
    return _TOKEN.fullmatch(text) is not None


def form_token(request: Request) -> str:
    """Return the token for the forms of a page: the one that the browser has, else a new one."""
    cookie = request.cookies.get(FORM, "")
    return cookie if _TOKEN.fullmatch(cookie) else secrets.token_urlsafe(24)


async def read_form(request: Request) -> list[tuple[str, str]]:
    """Return the fields of a form that this site's own page has sent.

    Raises:
        ForbiddenError: it was sent from elsewhere, or the browser keeps no cookies.
        MalformedBodyError: it is no form.
        LargeBodyError: it is too long.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ForbiddenError("this form was sent by another site; go back to the page and try again")
    body = await read_body(request, MOST_FORM)
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError:
        raise MalformedBodyError("the form cannot be read") from None
    sent, cookie = dict(fields).get("token", ""), request.cookies.get(FORM, "")
    if not cookie or not hmac.compare_digest(sent.encode(), cookie.encode()):
        raise ForbiddenError("this form is out of date, or cookies are off; go back to the page, reload it, try again")
    return fields


def keep(request: Request, response: Response, name: str, value: str) -> None:
    """Let the browser keep a cookie until it is closed, for this site's own requests and out of reach of scripts."""
    schemes = (request.url.scheme, request.headers.get("x-forwarded-proto"))
    response.set_cookie(name, value, httponly=True, samesite="strict", secure="https" in schemes)
