"""Who may do what, and how often."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from cachetools import LRUCache

from poise.serve.clock import SYSTEM_CLOCK, Clock
from poise.serve.engine.bounded_executor import BoundedExecutor
from poise.serve.errors import ForbiddenError, OverloadedError, UnauthorizedError
from poise.serve.loopback import is_local
from poise.store.errors import StoreError
from poise.store.records import Key
from poise.store.store import Store

SCOPES = ("read", "write", "admin")
OPEN = Key("open", "anybody", SCOPES, 0)
TRUSTED_FOR = 5.0  # seconds that a key is not looked up again, so that one that is revoked works no longer than that
LOOKED_UP_WITHIN = 2.0  # seconds
REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request.

    Attributes:
        token: the API key that is shown; empty if none is.
        address: where the request comes from.
        host: the name by which this server was called.
        origin: the site of the page that asks through somebody's browser; None if no page does.
    """

    token: str
    address: str
    host: str
    origin: str | None


@dataclass(slots=True)
class _Bucket:
    left: float
    updated: float


class KeyAuth:
    """Checks keys and limits rates.

    Args:
        store: that has the keys.
        is_open: whether anybody may do anything, as on a developer's own machine without keys.
        rate: requests a second for one key or address, on average; 0 for no limit.
        origins: whose pages may ask through somebody's browser where no key is needed.
        clock: by which a key is trusted for a while, and rates are limited.
    """

    def __init__(
        self,
        store: Store,
        *,
        is_open: bool,
        rate: float,
        origins: Sequence[str] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.store, self.is_open, self.rate, self.origins, self.clock = store, is_open, rate, origins, clock
        self._keys: LRUCache[bytes, tuple[Key, float]] = LRUCache(REMEMBERED)
        self._own_sites: LRUCache[tuple[str, str | None], bool] = LRUCache(REMEMBERED)  # by host and origin
        self._looking_up = BoundedExecutor("keys")
        self._salt = secrets.token_bytes(16)
        self._buckets: LRUCache[str, _Bucket] = LRUCache(REMEMBERED)

    async def check(self, caller: Caller, scope: str) -> Key:
        """Return the key of somebody who may do what ``scope`` says.

        Raises:
            UnauthorizedError: there is no key, or it is not known.
            ForbiddenError: it is not for that.
            OverloadedError: it is used too often.
            StoreError: the key was not seen before, and the store cannot be read.
        """
        key = self._anybody(caller) if self.is_open else await self._key(caller.token)
        if scope not in key.scopes:
            raise ForbiddenError(f"the key {key.key_id} is not for that: it needs the scope {scope!r}")
        if self.rate:
            self._limit(key.key_id if key is not OPEN else caller.address)
        return key

    async def _key(self, token: str) -> Key:
        if not token:
            raise UnauthorizedError("give an API key: Authorization: Bearer KEY")
        name = hmac.digest(self._salt, token.encode(), "sha256")
        cached = self._keys.get(name)
        if cached is not None and self.clock.monotonic() - cached[1] < TRUSTED_FOR:
            return cached[0]
        try:
            key = await self._looking_up.run(LOOKED_UP_WITHIN, self.store.check_key, token)
        except (StoreError, TimeoutError) as error:
            if cached is None:
                raise StoreError("the key cannot be looked up now: try again") from error
            key = cached[0]  # the store is away, and would not know of a revocation either
        if key is None:
            self._keys.pop(name, None)
            raise UnauthorizedError("the API key is not known, or was revoked")
        self._keys[name] = (key, self.clock.monotonic())
        return key

    def _limit(self, who: str) -> None:
        now = self.clock.monotonic()
        bucket = self._buckets.setdefault(who, _Bucket(2 * self.rate, now))
        bucket.left = min(bucket.left + (now - bucket.updated) * self.rate, 2 * self.rate)
        bucket.updated = now
        if bucket.left < 1:
            wait = max(1, round((1 - bucket.left) / self.rate))
            raise OverloadedError(f"more than {self.rate:g} requests a second; try again", retry_after=wait)
        bucket.left -= 1

    def _anybody(self, caller: Caller) -> Key:
        """Return what stands for a key where none is needed.

        Without keys every program on this machine may do everything, but not a page from elsewhere that is open in a
        browser on this machine: neither under a name that it had pointed here, nor by posting to this address.

        Raises:
            ForbiddenError: it is such a page.
        """
        site = caller.host, caller.origin
        if site not in self._own_sites:
            self._own_sites[site] = self._is_own(*site)
        if not self._own_sites[site]:
            raise ForbiddenError("without API keys only this machine is answered, by its own name; see 'poise keys'")
        return OPEN

    def _is_own(self, host: str, origin: str | None) -> bool:
        try:
            page = urlsplit(origin or "").hostname or ""
        except ValueError:  # no address at all
            page = ""
        return is_local(host) and (origin is None or origin in self.origins or is_local(page))
