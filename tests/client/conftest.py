"""A small real server, on loopback, in a thread; it fails on purpose."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import unquote

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from poise_client import AsyncClient, Client, Retry

QUICK = Retry(attempts=5, first=0.001, most=0.01, total=10.0)


@dataclass
class Fault:
    """What goes wrong with one request.

    Attributes:
        status: an answer that is given instead of the right one.
        headers: of that answer.
        body: of that answer; None for a problem document.
        lost: the request is done, but the connection breaks before the answer.
        dropped: the connection breaks and nothing is done.
        slow: seconds that the answer takes longer.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    lost: bool = False
    dropped: bool = False
    slow: float = 0.0


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


def problem(status: int, detail: str, **more: Any) -> Response:
    body = {"type": "about:blank", "title": {404: "Not Found", 422: "Unprocessable"}.get(status, "Error"), **more}
    body |= {"status": status, "detail": detail}
    return Response(json.dumps(body), status, media_type="application/problem+json")


class Shop:
    """The server's state, and the faults that its next requests will meet."""

    def __init__(self) -> None:
        self.url = ""
        self.events: dict[str, dict[str, Any]] = {}
        self.items: dict[str, dict[str, Any]] = {"lamp": {"item_id": "lamp", "content": {}, "available": True}}
        self.users: dict[str, dict[str, Any]] = {}
        self.seen: list[Seen] = []
        self.faults: deque[Fault] = deque()
        self.largest = 10**7
        routes = [
            Route("/v1/events", self._events, methods=["POST"]),
            Route("/v1/items", self._put("items", "item_id"), methods=["POST"]),
            Route("/v1/items", self._list_items),
            Route("/v1/users", self._put("users", "user_id"), methods=["POST"]),
            Route("/v1/items/{id}/similar", self._found),
            Route("/v1/items/{id:path}", self._item, methods=["GET", "PATCH", "DELETE"]),
            Route("/v1/users/{id}/profile", self._profile),
            Route("/v1/users/{id:path}", self._user, methods=["GET", "PATCH", "DELETE"]),
            Route("/v1/recommendations", self._recommend, methods=["POST"]),
            Route("/v1/requests/{id}", self._request),
            Route("/v1/popular", self._found),
            Route("/v1/search", self._found),
            Route("/health", self._health),
            Route("/ready", self._health),
            Route("/test/reset", self._reset, methods=["POST"]),
            Route("/test/fail", self._fail, methods=["POST"]),
            Route("/test/state", self._state),
        ]
        self.app = Starlette(routes=routes)

    def fail(self, times: int = 1, **how: Any) -> None:
        """Let the next requests meet a fault."""
        self.faults.extend([Fault(**how)] * times)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/test/"):
            await self.app(scope, receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        request = Request(scope)
        path = unquote(scope["raw_path"].decode(), errors="strict")
        decoded = json.loads(body) if body else None
        self.seen.append(Seen(scope["method"], path, dict(request.query_params), dict(request.headers), decoded))
        fault = self.faults.popleft() if self.faults else Fault()

        async def whole_body() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def nowhere(_: Any) -> None: ...

        await asyncio.sleep(fault.slow)
        if fault.lost:
            await self.app(scope, whole_body, nowhere)
        if fault.lost or fault.dropped:
            receive.__self__.transport.abort()
            return
        if fault.status:
            content = json.dumps({"title": "Broken", "status": fault.status, "detail": "on purpose"})
            answer = Response(fault.body if fault.body is not None else content, fault.status, fault.headers)
            await answer(scope, whole_body, send)
            return
        if len(body) > self.largest:
            await problem(413, f"the body is larger than {self.largest} bytes")(scope, whole_body, send)
            return
        await self.app(scope, whole_body, send)

    async def _events(self, request: Request) -> Response:
        body = await request.json()
        accepted, duplicates, refused = 0, 0, []
        for index, event in enumerate(body.get("events", [body])):
            if not event.get("item_id"):
                if "events" not in body:
                    return problem(422, "item_id is empty")
                refused.append({"index": index, "reason": "item_id is empty"})
            elif event["event_id"] in self.events:
                duplicates += 1
            else:
                self.events[event["event_id"]] = event
                accepted += 1
        return JSONResponse({"accepted": accepted, "duplicates": duplicates, "refused": refused})

    def _put(self, table: str, key: str) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        async def put(request: Request) -> Response:
            body = await request.json()
            rows = body.get(table, [body])
            getattr(self, table).update({row[key]: row for row in rows})
            return JSONResponse({"accepted": len(rows), "refused": []})

        return put

    async def _list_items(self, request: Request) -> Response:
        limit, after = int(request.query_params["limit"]), request.query_params.get("after", "")
        left = sorted(item for item in self.items if item > after)
        following = left[limit - 1] if len(left) > limit else None
        return JSONResponse({"items": [self.items[item_id] for item_id in left[:limit]], "next": following})

    async def _item(self, request: Request) -> Response:
        item_id = request.path_params["id"]
        if item_id not in self.items:
            return problem(404, f"there is no item {item_id!r}")
        if request.method == "DELETE":
            del self.items[item_id]
            return Response(status_code=204)
        if request.method == "PATCH":
            _merge(self.items[item_id], await request.json())
        return JSONResponse(self.items[item_id])

    async def _user(self, request: Request) -> Response:
        user_id = request.path_params["id"]
        if request.method == "DELETE":
            erased = {"events": 2, "impressions": 1}
            return JSONResponse(
                {"receipt_id": "r1", "user_id": user_id, "erased": erased, "runs_holding_the_user": ["2026-01-01"]}
            )
        if user_id not in self.users:
            return problem(404, f"there is no user {user_id!r}")
        if request.method == "PATCH":
            _merge(self.users[user_id], await request.json())
        return JSONResponse(self.users[user_id])

    async def _recommend(self, request: Request) -> Response:
        body = await request.json()
        reasons = [{"kind": "history", "share": 0.7, "text": "because you viewed Desk"}]
        item = {"item_id": "lamp", "title": "Lamp", "score": 1.5, "probability": 1.0, "reasons": reasons}
        if not body.get("explain"):
            del item["reasons"]
        answer = {"request_id": "q1", "run": "2026-01-01", "model": "EASE", "stage": "ranker", "items": [item]}
        return JSONResponse({**answer, "a field of a later version": 1})

    async def _found(self, request: Request) -> Response:
        return JSONResponse({"items": [{"item_id": "desk", "title": "Desk", "score": 2}]})

    async def _request(self, request: Request) -> Response:
        shown = {"item_id": "lamp", "score": 1.5, "probability": 1.0, "feedback": ["click"]}
        facts = {"user_id": "anna", "run": "2026-01-01", "stage": "ranker", "timestamp": 1}
        return JSONResponse({"request_id": request.path_params["id"], **facts, "items": [shown]})

    async def _profile(self, request: Request) -> Response:
        done = {"item_id": "lamp", "title": "Lamp", "behaviour": "view", "timestamp": 5, "value": None}
        interest = {"column": "tags", "label": "light", "share": 0.5, "times_average": 2.0}
        facts = {"user_id": request.path_params["id"], "events": 1, "words": "likes light", "content": {"age": 30}}
        return JSONResponse({**facts, "history": [done], "interests": [interest]})

    async def _health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok", "run": "2026-01-01"})

    async def _reset(self, request: Request) -> Response:
        self.events.clear()
        self.seen.clear()
        self.faults.clear()
        return Response()

    async def _fail(self, request: Request) -> Response:
        self.faults.extend(Fault(**fault) for fault in await request.json())
        return Response()

    async def _state(self, request: Request) -> Response:
        return JSONResponse({"events": self.events, "seen": [asdict(seen) for seen in self.seen]})


def _merge(row: dict[str, Any], change: dict[str, Any]) -> None:
    merged = {**row["content"], **(change.get("content") or {})}
    row["content"] = {name: value for name, value in merged.items() if value is not None}
    row["available"] = change.get("available", row.get("available", True))


class Door:
    """What the server runs: whichever shop is open."""

    def __init__(self) -> None:
        self.shop = Shop()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.shop(scope, receive, send)


@pytest.fixture(scope="session")
def door() -> Iterator[tuple[Door, str]]:
    """Run a server for all tests, and return it with its address."""
    door = Door()
    server = uvicorn.Server(uvicorn.Config(door, host="127.0.0.1", port=0, log_level="critical", lifespan="off"))
    started = threading.Event()

    async def serve() -> None:
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.001)
        started.set()
        await task

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert started.wait(20)
    yield door, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = server.force_exit = True
    thread.join(20)


@pytest.fixture
def shop(door: tuple[Door, str]) -> Shop:
    """Open a new shop behind the server."""
    door[0].shop = Shop()
    door[0].shop.url = door[1]
    return door[0].shop


class Bridge:
    """A client of either kind, its methods called in the same way."""

    def __init__(self, client: Client | AsyncClient, run: Callable[[Any], Any]) -> None:
        self.client, self.run = client, run

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.client, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            async def awaited() -> Any:
                outcome = method(*args, **kwargs)
                return await outcome if asyncio.iscoroutine(outcome) else outcome

            return self.run(awaited()) if isinstance(self.client, AsyncClient) else method(*args, **kwargs)

        return call


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest, shop: Shop) -> Iterator[Callable[..., Bridge]]:
    """Return a function that makes a client of the server: of each kind in its turn."""
    with asyncio.Runner() as runner:
        made: list[Bridge] = []

        def make(**options: Any) -> Bridge:
            kind = Client if request.param == "sync" else AsyncClient
            options = {"url": shop.url, "retry": QUICK, **options}
            made.append(Bridge(kind(**options), runner.run))
            return made[-1]

        yield make
        for client in made:
            client.close()


@pytest.fixture
def client(connect: Callable[..., Bridge]) -> Bridge:
    """Return a client of the server: of each kind in its turn."""
    return connect()
