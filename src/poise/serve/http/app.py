"""The application: routes to operations, with keys checked, errors answered and times measured on the way."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from poise.errors import PoiseError
from poise.serve.errors import OverloadedError, ServeError, UnauthorizedError, UnavailableError
from poise.serve.http.health import get_health, get_metrics, get_ready
from poise.serve.http.openapi import document
from poise.serve.http.parameters import check_known, read_caller, with_slashes
from poise.serve.http.problems import problem, problem_of
from poise.serve.http.routes import OPERATIONS, Operation
from poise.serve.telemetry.logs import log_request
from poise.serve.tenant import Tenant
from poise.store.errors import StoreError

MOST_AT_WORK = 1_000  # requests at once, beyond which they are refused
FOLLOWED_EVERY = 0.5  # seconds, for what other processes write
FORGOTTEN_EVERY = 3_600  # seconds, for what was shown too long ago
Opened = Callable[[], Sequence[Tenant]]


class Server:
    """What the application holds: the projects, once they are loaded.

    Args:
        open_tenants: loads them; called in a thread when the application starts.
    """

    def __init__(self, open_tenants: Opened) -> None:
        self._open = open_tenants
        self.tenants: Sequence[Tenant] = ()
        self.failed: str | None = None
        self.answering = 0
        self._tasks: list[asyncio.Task[None]] = []

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Load the projects while the server already answers /health, and let go of them at the end."""
        loading = asyncio.create_task(self._load())
        yield
        loading.cancel()
        for task in self._tasks:
            task.cancel()
        for tenant in self.tenants:
            await tenant.close()

    async def tenant(self, request: Request, scope: str) -> Tenant:
        """Return the project that a request is about: that of its key.

        Raises:
            ServeError: the key is missing, unknown or not for that; or nothing is loaded yet.
        """
        if not self.tenants:
            raise UnavailableError(self.failed or "the run is being loaded; try again")
        refused: UnauthorizedError | None = None
        caller = read_caller(request, scope)
        for tenant in self.tenants:
            try:
                request.state.key = await tenant.auth.check(caller, scope)
                return tenant
            except UnauthorizedError as error:
                refused = error
        assert refused is not None
        raise refused

    async def _load(self) -> None:
        try:
            self.tenants = await asyncio.to_thread(self._open)
        except PoiseError as error:
            self.failed = str(error)
            return
        for tenant in self.tenants:
            tenant.metrics.run.labels(tenant.state.serving_model.name).set(1)
            self._tasks.append(asyncio.create_task(tenant.keep_up(FOLLOWED_EVERY)))
            self._tasks.append(asyncio.create_task(tenant.prepare_search(FOLLOWED_EVERY)))
            self._tasks.append(asyncio.create_task(tenant.forget_impressions(FORGOTTEN_EVERY, FOLLOWED_EVERY)))


def make_app(
    open_tenants: Opened, pages: Sequence[Route] = (), not_found: Callable[[Request], Response] | None = None
) -> Starlette:
    """Return the application.

    Args:
        open_tenants: loads the projects; called in a thread when the application starts.
        pages: further routes, for people to look at.
        not_found: what a browser gets where there is nothing; None for what programs get.
    """
    server = Server(open_tenants)
    described = msgspec.json.encode(document(OPERATIONS))
    script = _browser_client()

    def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        is_browser = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/v1/")
        if error.status_code == 404 and not_found is not None and is_browser:
            return not_found(request)
        return _http_error(request, error)

    async def openapi(request: Request) -> Response:
        return Response(described, media_type="application/json")

    async def snippet(request: Request) -> Response:
        return FileResponse(script, media_type="text/javascript")

    routes = [
        Route("/poise.js", snippet),
        Route("/health", get_health),
        Route("/ready", get_ready),
        Route("/metrics", get_metrics),
        Route("/openapi.json", openapi),
        *pages,
    ]
    by_path: dict[str, list[Operation]] = {}
    for operation in OPERATIONS:
        by_path.setdefault(operation.path, []).append(operation)
    answers = {path: _endpoint(server, operations) for path, operations in by_path.items()}
    routes += [
        Route(path, answers[path], methods=[operation.method for operation in operations])
        for path, operations in by_path.items()
    ]
    app = _Application(
        routes=routes,
        lifespan=server.lifespan,
        exception_handlers={HTTPException: http_error, ServeError: _error, StoreError: _error, Exception: _error},
    )
    app.router.redirect_slashes = False
    app.state.server = server
    app.shortcuts = {
        (operation.method, path): answers[path]
        for path, operations in by_path.items()
        for operation in operations
        if "{" not in path
    }
    return app


def with_cors(app: ASGIApp, origins: Iterable[str]) -> ASGIApp:
    """Return the application as one that pages of these origins may call; itself if there are none."""
    allowed = sorted(origins)
    if not allowed:
        return app
    return CORSMiddleware(
        app, allow_origins=allowed, allow_methods=["GET", "POST"], allow_headers=["Authorization", "Content-Type"]
    )


class _Application(Starlette):
    """An application in which paths without parameters are found at once, not by trying one route after the other."""

    shortcuts: Mapping[tuple[str, str], Callable[[Request], Awaitable[Response]]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self.shortcuts.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if answer is None:
            await super().__call__(with_slashes(scope), receive, send)
            return
        response = await answer(Request(scope, receive, send))
        await response(scope, receive, send)


def _endpoint(server: Server, operations: Sequence[Operation]) -> Callable[[Request], Awaitable[Response]]:
    by_method = {operation.method: operation for operation in operations}

    async def answer(request: Request) -> Response:
        operation = by_method.get(request.method) or by_method["GET"]  # HEAD
        start = time.perf_counter()
        tenant: Tenant | None = None
        try:
            assert operation.scope is not None
            tenant = await server.tenant(request, operation.scope)
            check_known(request, operation.parameters)
            if server.answering >= MOST_AT_WORK:
                raise OverloadedError("more requests are at work than there is room for")
            server.answering += 1
            try:
                response = await operation.answer(request, tenant)
            finally:
                server.answering -= 1
        except asyncio.CancelledError:  # the server is being stopped
            response = problem_of(UnavailableError("the server is stopping; try again"))
        except Exception as error:
            response = problem_of(error)
        seconds = time.perf_counter() - start
        if tenant is not None:
            tenant.metrics.note_request(operation.path, request.method, response.status_code, seconds)
        log_request(request.method, operation.path, response.status_code, seconds)
        return response

    return answer


def _browser_client() -> Path:
    """Return where ``poise.js`` lies: in the package, or among the clients in a checkout of which it is a part."""
    packaged = Path(str(files("poise.serve.http"))) / "browser" / "poise.js"
    return packaged if packaged.exists() else Path(__file__).parents[4] / "clients" / "browser" / "poise.js"


def _http_error(request: Request, error: HTTPException) -> Response:
    detail = {404: f"there is nothing at {request.url.path[:200]!r}; see /docs", 405: "not with this method"}
    return problem(error.status_code, detail.get(error.status_code, error.detail), headers=error.headers)


def _error(request: Request, error: Exception) -> Response:
    return problem_of(error)
