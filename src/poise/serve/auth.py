"""Who may do what, and how often."""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request

from poise.serve.engine.bounded_executor import BoundedExecutor
from poise.serve.loopback import is_local
from poise.serve.schema.problems import ForbiddenError, TooManyError, UnauthorizedError
from poise.store.errors import StoreError
from poise.store.records import Key
from poise.store.store import Store

SCOPES = ("read", "write", "admin")
OPEN = Key("open", "anybody", SCOPES, 0)
TRUSTED_FOR = 5.0  # seconds that a key is not looked up again, so that one that is revoked works no longer than that
LOOKED_UP_WITHIN = 2.0  # seconds
REMEMBERED = 10_000
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class KeyAuth:
    """Checks keys and limits rates.

    Args:
        store: that has the keys.
        is_open: whether anybody may do anything, as on a developer's own machine without keys.
        rate: requests a second for one key or address, on average; 0 for no limit.
        origins: whose pages may ask through somebody's browser where no key is needed.
    """

    def __init__(self, store: Store, *, is_open: bool, rate: float, origins: Sequence[str] = ()) -> None:
        self.store, self.is_open, self.rate, self.origins = store, is_open, rate, origins
        self._known: OrderedDict[bytes, tuple[Key, float]] = OrderedDict()
        self._own: dict[tuple[str | None, str | None], bool] = {}  # by host and origin: taking them apart takes long
        self._looking_up = BoundedExecutor("keys")
        self._salt = secrets.token_bytes(16)
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    async def check(self, request: Request, scope: str) -> Key:
        """Return the key of a request that may do what ``scope`` says.

        Raises:
            UnauthorizedError: there is no key, or nobody knows it.
            ForbiddenError: it is not for that.
            TooManyError: it is used too often.
            StoreError: the key was not seen before, and the store cannot be read.
        """
        key = self._anybody(request) if self.is_open else await self._key(request, scope)
        if scope not in key.scopes:
            raise ForbiddenError(f"the key {key.key_id} is not for that: it needs the scope {scope!r}")
        if self.rate:
            self._limit(key.key_id if key is not OPEN else request.client.host if request.client else "")
        return key

    async def _key(self, request: Request, scope: str) -> Key:
        header = request.headers.get("authorization", "")
        token = header[7:] if header[:7].lower() == "bearer " else ""
        if not token and scope == "write" and request.url.path == "/v1/events":
            token = request.query_params.get("key", "")  # sendBeacon cannot set a header
        if not token:
            raise UnauthorizedError("give an API key: Authorization: Bearer KEY", headers=_CHALLENGE)
        name = hmac.digest(self._salt, token.encode(), "sha256")
        cached = self._known.get(name)
        if cached is not None and time.monotonic() - cached[1] < TRUSTED_FOR:
            return cached[0]
        try:
            key = await self._looking_up.run(LOOKED_UP_WITHIN, self.store.check_key, token)
        except (StoreError, TimeoutError) as error:
            if cached is None:
                raise StoreError("the key cannot be looked up now: try again") from error
            key = cached[0]  # the store is away, and would not know of a revocation either
        if key is None:
            self._known.pop(name, None)
            raise UnauthorizedError("the API key is not known, or was revoked", headers=_CHALLENGE)
        self._known[name] = (key, time.monotonic())
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return key

    def _limit(self, caller: str) -> None:
        now = time.monotonic()
        bucket = self._buckets.setdefault(caller, _Bucket(2 * self.rate, now))
        self._buckets.move_to_end(caller)
        bucket.left = min(bucket.left + (now - bucket.at) * self.rate, 2 * self.rate)
        bucket.at = now
        while len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        if bucket.left < 1:
            wait = max(1, round((1 - bucket.left) / self.rate))
            raise TooManyError(
                f"more than {self.rate:g} requests a second; try again", headers={"Retry-After": str(wait)}
            )
        bucket.left -= 1

    def _anybody(self, request: Request) -> Key:
        """Return what stands for a key where none is needed.

        Without keys whoever is on this machine may do everything, but not a page from elsewhere that somebody on this
        machine looks at: neither under a name that it had pointed here, nor by posting to this address.

        Raises:
            ForbiddenError: it is such a page.
        """
        origin = request.headers.get("origin")
        source = request.headers.get("host"), origin
        if source not in self._own:
            if len(self._own) >= REMEMBERED:
                self._own.clear()
            self._own[source] = self._is_own(request, origin)
        if not self._own[source]:
            raise ForbiddenError("without API keys only this machine is answered, by its own name; see 'poise keys'")
        return OPEN

    def _is_own(self, request: Request, origin: str | None) -> bool:
        try:
            host, page = request.url.hostname or "", urlsplit(origin or "").hostname or ""
        except ValueError:  # no address at all
            host = page = ""
        return is_local(host) and (origin is None or origin in self.origins or is_local(page))
