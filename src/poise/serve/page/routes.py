"""Pages for people: one to try the recommender, drawn by the server, without scripts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from poise.serve.errors import ForbiddenError, InvalidRequestError, NotFoundError, UnauthorizedError, UnavailableError
from poise.serve.http.events import take_in
from poise.serve.http.problems import detail_of, headers_of, status_of
from poise.serve.http.request_bodies import explain
from poise.serve.page import api_docs
from poise.serve.page.cards import Card
from poise.serve.page.guard import KEY, given_key, is_key, keep, read_form, with_key
from poise.serve.page.person import invented, people, person
from poise.serve.page.pictures import ADDRESS, AT_ONCE, read_picture, styles_of, stylesheet_of
from poise.serve.page.pictures import STYLE as PICTURES
from poise.serve.page.render import HEADERS, STYLE, as_page, stylesheet
from poise.serve.page.shelf import shelf
from poise.serve.page.sides import changes, other_side, others, served_side
from poise.serve.page.visit import POPULAR, Visit
from poise.serve.telemetry.logs import log_error, log_request
from poise.serve.tenant import Tenant
from poise_client.schema.events import Event

Answer = Callable[[Request], Awaitable[Response]]
_TITLES = {403: "Not allowed", 404: "Not found", 429: "Too much at once", 500: "A mistake", 503: "Not just now"}
ACTS = ("view", "like", "dislike")  # what can be done with an item: the buttons of the page


async def home(request: Request, tenant: Tenant) -> Response:
    """Show the catalogue, and somebody's history and slates, or the people to pick from."""
    visit, scopes = Visit.of(request.query_params.multi_items()), request.state.key.scopes
    values: dict[str, Any] = {
        "project": tenant.project.config.name,
        "signed_in": not tenant.auth.is_open,
        "visit": visit,
        "writes": "write" in scopes,
        "newcomer": invented(),
        "shelf": (shown := await shelf(tenant, visit)),
    }
    cards = [*shown.cards, *([shown.item.card] if shown.item else [])]
    if visit.user_id is None:
        offered = await asyncio.to_thread(people, tenant) if "admin" in scopes else []
        return as_page(request, "welcome.html", people=offered, pictures=_styles(cards), **values)
    runs = await asyncio.to_thread(others, tenant) if "admin" in scopes else []
    names = [name for name, _ in runs]
    beside = visit.beside if visit.beside in names or visit.beside == POPULAR else next(iter(names), POPULAR)
    left = await served_side(tenant, visit)
    right = await other_side(tenant, visit, beside)
    shown_person = await person(tenant, visit.user_id)
    cards += [place.card for side in (left, right) for place in side.places]
    since = tuple(side.request_id for side in (left, right) if side.request_id)
    return as_page(
        request,
        "home.html",
        person=shown_person,
        sides=(left, right),
        runs=runs,
        beside=beside,
        changes=changes(left),
        since=since,
        pictures=_styles(cards),
        **values,
    )


async def act(request: Request, tenant: Tenant) -> Response:
    """Take in what somebody did with an item, as ``POST /v1/events`` does, and go back to the page."""
    fields = await read_form(request)
    given, visit = dict(fields), Visit.of(fields)
    behaviour = next((name for name in ACTS if given.get(name)), None)
    if behaviour is None:
        raise InvalidRequestError("this form says nothing that somebody did; go back to the page and try again")
    entry = {
        "user_id": visit.user_id,
        "item_id": given[behaviour],
        "behaviour": behaviour,
        "request_id": given.get("request") or None,
    }
    try:
        event = msgspec.convert(entry, Event)
    except msgspec.ValidationError as error:
        raise InvalidRequestError(explain(error)) from None
    await take_in(tenant, [(0, event)])
    return _to(visit.address("slates"))


async def picture(request: Request, tenant: Tenant) -> Response:
    """Show the picture of an item that lies in the project's folder."""
    catalogue = tenant.state.serving_model.catalogue
    item = int(catalogue.item_ids.index([request.query_params.get("item", "")])[0])
    found_picture = await asyncio.to_thread(read_picture, catalogue, item, tenant.project.folder) if item else None
    if found_picture is None:
        raise NotFoundError("there is no such picture")
    content, kind = found_picture
    return Response(content, media_type=kind, headers={**HEADERS, "Cache-Control": "private, max-age=3600"})


async def pictures(request: Request, tenant: Tenant) -> Response:
    """Return the stylesheet with the pictures of some items."""
    catalogue = tenant.state.serving_model.catalogue
    items = catalogue.item_ids.index(request.query_params.getlist("item")[:AT_ONCE]).tolist()
    text = await asyncio.to_thread(stylesheet_of, catalogue, [item for item in items if item], tenant.project.folder)
    return Response(text, media_type="text/css", headers={**HEADERS, "Cache-Control": "private, max-age=60"})


async def enter(request: Request) -> Response:
    """Keep the key that somebody has given, if it is one."""
    given = dict(await read_form(request)).get("key", "").strip()
    if not is_key(given):
        raise UnauthorizedError("that is no key")
    await request.app.state.server.tenant(given_key(request, given), "read")
    response = _to("/")
    keep(request, response, KEY, given)
    return response


async def leave(request: Request) -> Response:
    """Forget the key."""
    await read_form(request)
    response = _to("/")
    response.delete_cookie(KEY)
    return response


async def style(request: Request) -> Response:
    """Return the stylesheet, whose address changes with it."""
    headers = {**HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}
    return Response(stylesheet(), media_type="text/css", headers=headers)


def _with_project(handler: Callable[[Request, Tenant], Awaitable[Response]], scope: str) -> Answer:
    async def answer(request: Request) -> Response:
        request_with_key = with_key(request)
        return await handler(request_with_key, await request.app.state.server.tenant(request_with_key, scope))

    return answer


def _page(path: str, answer: Answer, method: str = "GET") -> Route:
    """Return a route whose errors are pages too, and that is written to the log as those of the API are."""

    async def guarded(request: Request) -> Response:
        start = time.perf_counter()
        try:
            response = await answer(request)
        except UnauthorizedError as error:
            tried = request.method == "POST" or KEY in request.cookies
            response = as_page(request, "key.html", 401, problem=str(error) if tried else "")
        except ClientDisconnect:
            response = Response(status_code=400)
        except Exception as error:
            response = _problem(request, error)
        log_request(request.method, path, response.status_code, time.perf_counter() - start)
        return response

    return Route(path, guarded, methods=[method])


def _problem(request: Request, error: Exception) -> Response:
    """Return an error as a page; while the server is starting, one that comes again by itself."""
    starting = (
        isinstance(error, UnavailableError)
        and request.app.state.server.failed is None
        and not (request.app.state.server.tenants)
    )
    status = status_of(error)
    if status == 500:
        log_error(error)
    response = as_page(
        request,
        "problem.html",
        status,
        title="Starting" if starting else _TITLES.get(status, "That does not work"),
        detail="The run is being loaded. This page comes by itself." if starting else f"{detail_of(error)}.",
        signed_in=isinstance(error, ForbiddenError) and KEY in request.cookies,
    )
    response.headers.update(headers_of(error))
    if starting:
        response.headers["Refresh"] = "1"
    return response


def not_found(request: Request) -> Response:
    """Say that there is no such page."""
    detail = f"there is no page {request.url.path[:200]!r} here."
    return as_page(request, "problem.html", 404, title=_TITLES[404], detail=detail)


def _styles(cards: Sequence[Card]) -> list[str]:
    return styles_of(card.item_id for card in cards if card.picture)


def _to(address: str) -> Response:
    return RedirectResponse(address, 303, HEADERS)


PAGES: Sequence[Route] = (
    _page("/", _with_project(home, "read")),
    _page("/page/event", _with_project(act, "write"), "POST"),
    _page("/page/key", enter, "POST"),
    _page("/page/leave", leave, "POST"),
    _page(ADDRESS, _with_project(picture, "read")),
    _page(PICTURES, _with_project(pictures, "read")),
    _page(STYLE, style),
    _page(api_docs.ADDRESS, api_docs.api_docs),
    *(_page(address, api_docs.asset) for address in api_docs.assets()),
)
