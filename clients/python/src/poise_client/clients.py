"""The two clients: one waits in the thread that calls, the other in the event loop. All else they share."""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakSet

import httpx

from poise_client.batch import AsyncBatch, Batch
from poise_client.calls import Calls
from poise_client.errors import PoiseClientError, UsageError
from poise_client.retry import Pause, Request, Retry, Steps

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Method = TypeVar("Method", bound=Callable[..., Any])

LOCAL = "http://127.0.0.1:8000"


def _signed(call: Method, method: Callable[..., Any]) -> Method:
    """Let ``call`` show the signature of ``method``, with what it returns in the end."""
    signature = inspect.signature(method)
    returned = str(signature.return_annotation).removeprefix("Steps[").removesuffix("]")
    call.__signature__ = signature.replace(return_annotation=returned)  # type: ignore[attr-defined]
    return call


def _waiting(
    method: Callable[Concatenate[Calls, Arguments], Steps[Result]],
) -> Callable[Concatenate[Client, Arguments], Result]:
    """Make a call a method that returns when the answer is there."""

    @functools.wraps(method)
    def call(self: Client, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        return self._run(method(self._calls, *args, **kwargs))

    return _signed(call, method)


def _awaited(
    method: Callable[Concatenate[Calls, Arguments], Steps[Result]],
) -> Callable[Concatenate[AsyncClient, Arguments], Coroutine[Any, Any, Result]]:
    """Make a call a method to be awaited."""

    @functools.wraps(method)
    async def call(self: AsyncClient, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        return await self._run(method(self._calls, *args, **kwargs))

    return _signed(call, method)


class Client:
    """Talks to a Poise server. May be used from many threads; ``with`` closes it.

    Args:
        url: where the server is.
        key: an API key, ``poise_...``; None if the server asks for none.
        timeout: seconds that each step of a request may take: connecting, sending, waiting for an answer.
        retry: when to ask again.

    Raises:
        UsageError: the address or the key cannot be one.
    """

    def __init__(
        self, url: str = LOCAL, key: str | None = None, *, timeout: float = 10.0, retry: Retry | None = None
    ) -> None:
        self.url = url
        self._calls = Calls(retry or Retry(), timeout)
        self._http = httpx.Client(**_options(url, key))
        self._batches: WeakSet[Batch] = WeakSet()

    send_event = _waiting(Calls.send_event)
    send_events = _waiting(Calls.send_events)
    feedback = _waiting(Calls.feedback)
    request = _waiting(Calls.request)
    put_item = _waiting(Calls.put_item)
    put_items = _waiting(Calls.put_items)
    patch_item = _waiting(Calls.patch_item)
    delete_item = _waiting(Calls.delete_item)
    get_item = _waiting(Calls.get_item)
    list_items = _waiting(Calls.list_items)
    put_user = _waiting(Calls.put_user)
    put_users = _waiting(Calls.put_users)
    patch_user = _waiting(Calls.patch_user)
    get_user = _waiting(Calls.get_user)
    list_users = _waiting(Calls.list_users)
    erase_user = _waiting(Calls.erase_user)
    profile = _waiting(Calls.profile)
    recommend = _waiting(Calls.recommend)
    similar = _waiting(Calls.similar)
    popular = _waiting(Calls.popular)
    search = _waiting(Calls.search)
    health = _waiting(Calls.health)
    ready = _waiting(Calls.ready)

    def batch(self, size: int = 100, seconds: float = 1.0, most: int = 100_000) -> Batch:
        """Return a sender that collects events and sends them from a thread of its own.

        Args:
            size: how many are sent together.
            seconds: how long one waits for others.
            most: how many may wait while the server does not take them; beyond, adding one is an error.
        """
        batch = Batch(self._run, self._calls, size, seconds, most)
        self._batches.add(batch)
        return batch

    def close(self) -> None:
        """Send what its batches hold, and close the connections.

        Raises:
            PoiseClientError: the server does not take what a batch holds.
        """
        trouble = None
        for batch in list(self._batches):
            try:
                batch.close()
            except PoiseClientError as error:
                trouble = trouble or error
        self._http.close()
        if trouble is not None:
            raise trouble

    def _run(self, steps: Steps[Result]) -> Result:
        outcome: httpx.Response | httpx.RequestError | None = None
        try:
            while True:
                step = steps.send(outcome)
                outcome = self._do(step)
        except StopIteration as end:
            result: Result = end.value
            return result

    def _do(self, step: Request | Pause) -> httpx.Response | httpx.RequestError | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            return self._http.request(**_arguments(step))
        except httpx.RequestError as error:
            return error

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.url!r})"


class AsyncClient:
    """Talks to a Poise server from an event loop of asyncio; ``async with`` closes it. See :class:`Client`."""

    def __init__(
        self, url: str = LOCAL, key: str | None = None, *, timeout: float = 10.0, retry: Retry | None = None
    ) -> None:
        self.url = url
        self._calls = Calls(retry or Retry(), timeout)
        self._http = httpx.AsyncClient(**_options(url, key))
        self._batches: WeakSet[AsyncBatch] = WeakSet()

    send_event = _awaited(Calls.send_event)
    send_events = _awaited(Calls.send_events)
    feedback = _awaited(Calls.feedback)
    request = _awaited(Calls.request)
    put_item = _awaited(Calls.put_item)
    put_items = _awaited(Calls.put_items)
    patch_item = _awaited(Calls.patch_item)
    delete_item = _awaited(Calls.delete_item)
    get_item = _awaited(Calls.get_item)
    list_items = _awaited(Calls.list_items)
    put_user = _awaited(Calls.put_user)
    put_users = _awaited(Calls.put_users)
    patch_user = _awaited(Calls.patch_user)
    get_user = _awaited(Calls.get_user)
    list_users = _awaited(Calls.list_users)
    erase_user = _awaited(Calls.erase_user)
    profile = _awaited(Calls.profile)
    recommend = _awaited(Calls.recommend)
    similar = _awaited(Calls.similar)
    popular = _awaited(Calls.popular)
    search = _awaited(Calls.search)
    health = _awaited(Calls.health)
    ready = _awaited(Calls.ready)

    def batch(self, size: int = 100, seconds: float = 1.0, most: int = 100_000) -> AsyncBatch:
        """Return a sender that collects events and sends them from a task of its own; see :meth:`Client.batch`."""
        batch = AsyncBatch(self._run, self._calls, size, seconds, most)
        self._batches.add(batch)
        return batch

    async def close(self) -> None:
        """Send what its batches hold, and close the connections; see :meth:`Client.close`."""
        trouble = None
        for batch in list(self._batches):
            try:
                await batch.close()
            except PoiseClientError as error:
                trouble = trouble or error
        await self._http.aclose()
        if trouble is not None:
            raise trouble

    async def _run(self, steps: Steps[Result]) -> Result:
        outcome: httpx.Response | httpx.RequestError | None = None
        try:
            while True:
                step = steps.send(outcome)
                outcome = await self._do(step)
        except StopIteration as end:
            result: Result = end.value
            return result

    async def _do(self, step: Request | Pause) -> httpx.Response | httpx.RequestError | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        try:
            return await self._http.request(**_arguments(step))
        except httpx.RequestError as error:
            return error

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncClient({self.url!r})"


def _options(url: str, key: str | None) -> dict[str, Any]:
    """Return how to make a client of httpx. Redirections are not followed: a key is for one server."""
    try:
        address = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise UsageError(f"{url!r} is no address ({error}); write it as {LOCAL}") from None
    if address.userinfo:
        raise UsageError("the address holds a name or a password; give the key as key=...")
    if address.scheme not in ("http", "https") or not address.host:
        raise UsageError(f"{url!r} is no address of a server; write it as {LOCAL}")
    if key is not None and not (key.isascii() and key.isprintable() and key.strip() == key and key):
        raise UsageError("the key holds signs that no key has, such as a line break; keys are like poise_ID_SECRET")
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    return {"base_url": address, "headers": headers}


def _arguments(request: Request) -> dict[str, Any]:
    """Return a request as the methods of httpx take it."""
    return {
        "method": request.method,
        "url": request.path,
        "params": {name: value for name, value in request.query.items() if value is not None} or None,
        "content": request.body,
        "headers": None if request.body is None else {"Content-Type": "application/json"},
        "timeout": request.timeout,
    }
