"""The HTTP API, one method a call: what is sent, and what its answer means. Nothing here sends or waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import httpx
import msgspec
from msgspec import UNSET, UnsetType

from poise_client import wire
from poise_client.errors import ApiError
from poise_client.retry import ATTEMPTS, Request, Retry, Steps, ask
from poise_client.schema.batches import MOST_NAMED, Accepted, Refusal
from poise_client.schema.events import Event, HistoryEvent
from poise_client.schema.health import Health
from poise_client.schema.impressions import Impression
from poise_client.schema.items import Item, ItemPage, ItemPatch
from poise_client.schema.recommendations import Filter, RecommendationRequest, Slate
from poise_client.schema.search import ScoredItem, ScoredItems
from poise_client.schema.users import ErasureReceipt, User, UserPage, UserPatch, UserProfile

Given = TypeVar("Given")

AT_ONCE = 1_000  # events, items or users in one body: the server takes ten times as many, but not of any size
_UNTAKEN = (413, 422)


class Calls:
    """What a server can be asked.

    Args:
        retry: when to ask again.
        timeout: seconds that each step of a request may take.
    """

    def __init__(self, retry: Retry, timeout: float) -> None:
        self.retry, self.timeout = retry, timeout

    # --- What people do ---------------------------------------------------------------------------------------------

    def send_event(self, event: Event) -> Steps[Accepted]:
        """Send one event. When this returns, the server will not lose it.

        Raises:
            ApiError: the event is not what an event must be (422), or the key may not write (401, 403).
            UnreachableError: the server did not answer; the event may be there or not. To send the same event again
                is safe if it has an ``event_id``.
        """
        response = yield from self._ask("POST", "/v1/events", wire.identified(event))
        return wire.decode(response, Accepted)

    def send_events(self, events: Iterable[Event]) -> Steps[Accepted]:
        """Send any number of events, in bodies of a thousand. Bad ones are refused one by one, the others are kept."""
        return (yield from self.send_rows("/v1/events", "events", [event_row(event) for event in events]))

    def feedback(
        self, request_id: str, item_id: str, user_id: str, behaviour: str = "click", value: float | None = None
    ) -> Steps[Accepted]:
        """Say what somebody did with an item of a slate.

        Args:
            request_id: of the slate.
            item_id: the item.
            user_id: who.
            behaviour: what they did.
            value: how much.
        """
        return (yield from self.send_event(Event(user_id, item_id, behaviour, value, request_id=request_id)))

    def request(self, request_id: str) -> Steps[Impression]:
        """Return a slate that was shown, and what people did with it."""
        response = yield from self._ask("GET", wire.path("v1", "requests", request_id))
        return wire.decode(response, Impression)

    # --- What there is, and for whom --------------------------------------------------------------------------------

    def put_item(self, item: Item) -> Steps[Accepted]:
        """Insert or replace an item."""
        response = yield from self._ask("POST", "/v1/items", wire.described(item))
        return wire.decode(response, Accepted)

    def put_items(self, items: Iterable[Item]) -> Steps[Accepted]:
        """Insert or replace any number of items, in bodies of a thousand. Bad ones are refused one by one."""
        return (yield from self.send_rows("/v1/items", "items", [_row(wire.described(item)) for item in items]))

    def patch_item(
        self, item_id: str, content: Mapping[str, Any] | None = None, available: bool | None = None
    ) -> Steps[Item]:
        """Change some columns of an item, or whether it may be recommended, and return it as it is now.

        Args:
            item_id: which one.
            content: the columns to change; None as a value takes a column out.
            available: whether it may be recommended.
        """
        body = ItemPatch(content=_unless_none(content), available=_unless_none(available))
        response = yield from self._ask("PATCH", wire.path("v1", "items", item_id), body)
        return wire.decode(response, Item)

    def delete_item(self, item_id: str) -> Steps[None]:
        """Take an item out of the catalogue. Events with it stay."""
        yield from self._delete(wire.path("v1", "items", item_id))

    def get_item(self, item_id: str) -> Steps[Item]:
        """Return an item."""
        response = yield from self._ask("GET", wire.path("v1", "items", item_id))
        return wire.decode(response, Item)

    def list_items(self, limit: int = 100, after: str | None = None) -> Steps[ItemPage]:
        """Return a part of the catalogue: ``limit`` items in order of their ids, from the one ``after`` that one on."""
        response = yield from self._ask("GET", "/v1/items", query={"limit": limit, "after": after})
        return wire.decode(response, ItemPage)

    def put_user(self, user: User) -> Steps[Accepted]:
        """Insert or replace what is known of a user."""
        response = yield from self._ask("POST", "/v1/users", wire.described(user))
        return wire.decode(response, Accepted)

    def put_users(self, users: Iterable[User]) -> Steps[Accepted]:
        """Insert or replace what is known of any number of users."""
        return (yield from self.send_rows("/v1/users", "users", [_row(wire.described(user)) for user in users]))

    def patch_user(self, user_id: str, content: Mapping[str, Any]) -> Steps[User]:
        """Change some of what is known of a user, None taking a column out, and return it as it is now."""
        response = yield from self._ask("PATCH", wire.path("v1", "users", user_id), UserPatch(content=content))
        return wire.decode(response, User)

    def get_user(self, user_id: str) -> Steps[User]:
        """Return what is known of a user."""
        response = yield from self._ask("GET", wire.path("v1", "users", user_id))
        return wire.decode(response, User)

    def list_users(self, limit: int = 100, after: str | None = None) -> Steps[UserPage]:
        """Return a part of the users; see :meth:`list_items`."""
        response = yield from self._ask("GET", "/v1/users", query={"limit": limit, "after": after})
        return wire.decode(response, UserPage)

    def erase_user(self, user_id: str) -> Steps[ErasureReceipt]:
        """Erase a user: events, profile, what was shown to them. A receipt without their id stays."""
        response = yield from self._ask("DELETE", wire.path("v1", "users", user_id))
        return wire.decode(response, ErasureReceipt)

    def profile(self, user_id: str) -> Steps[UserProfile]:
        """Return what the system believes of a user."""
        response = yield from self._ask("GET", wire.path("v1", "users", user_id, "profile"))
        return wire.decode(response, UserProfile)

    # --- What they may like -----------------------------------------------------------------------------------------

    def recommend(
        self,
        user_id: str | None = None,
        *,
        history: Sequence[str | HistoryEvent | Mapping[str, Any]] | None = None,
        k: int = 10,
        scenario: str | None = None,
        context: Mapping[str, str | float | bool | None] | None = None,
        candidates: Sequence[str] | None = None,
        filters: Sequence[Filter | Mapping[str, Any]] = (),
        exclude: Sequence[str] = (),
        offset: int = 0,
        request_id: str | None = None,
        explain: bool = False,
        run: str | None = None,
        timeout: float | None = None,
    ) -> Steps[Slate]:
        """Return what to recommend to a user, or to somebody with a given history.

        Each answer is kept by the server as shown, so it is asked again only where it certainly has not answered.

        Args:
            user_id: who.
            history: what somebody without an id did, oldest first: item ids, or more than that.
            k: how many items.
            scenario: where they are shown.
            context: when and how they are shown: device, place.
            candidates: the only items to choose from.
            filters: what the items must be like: a :class:`Filter` each, or what JSON would say of one.
            exclude: items that are not to be returned.
            offset: how many items of earlier pages to leave out.
            request_id: of the first page, if this is a further one.
            explain: whether to say why.
            run: another run than the one that serves, to compare; needs the scope ``admin``.
            timeout: seconds that each step may take, if not as for all requests.
        """
        asked = RecommendationRequest(
            user_id=user_id,
            history=None if history is None else [wire.past(event) for event in history],
            k=k,
            scenario=scenario,
            context=context,
            candidates=candidates,
            filters=[wire.condition(given) for given in filters] or (),
            exclude=exclude or (),
            offset=offset,
            request_id=request_id,
            explain=explain,
            run=run,
        )
        request = Request("POST", "/v1/recommendations", body=wire.asked(asked), idempotent=False, timeout=timeout)
        response = yield from ask(request, self.retry, self.timeout)
        return wire.decode(response, Slate)

    def similar(self, item_id: str, k: int = 10, *, by: str | None = None) -> Steps[list[ScoredItem]]:
        """Return the items that are most like one.

        Args:
            item_id: of the one.
            k: how many.
            by: ``content``, ``behaviour`` or ``both``; None for what is known of the item.
        """
        query = {"k": k} if by is None else {"k": k, "by": by}
        return (yield from self._find(wire.path("v1", "items", item_id, "similar"), query))

    def popular(self, k: int = 10) -> Steps[list[ScoredItem]]:
        """Return what is popular now."""
        return (yield from self._find("/v1/popular", {"k": k}))

    def search(self, words: str, k: int = 10) -> Steps[list[ScoredItem]]:
        """Return the items that ``words`` describe."""
        return (yield from self._find("/v1/search", {"q": words, "k": k}))

    # --- The server -------------------------------------------------------------------------------------------------

    def health(self) -> Steps[Health]:
        """Return whether the server lives, and what it serves."""
        response = yield from self._ask("GET", "/health")
        return wire.decode(response, Health)

    def ready(self) -> Steps[bool]:
        """Return whether the server can answer; asked once, so a server that is not there is an error."""
        response = yield from ask(Request("GET", "/ready"), Retry(attempts=1), self.timeout)
        if response.status_code == 503:
            return False
        wire.require_success(response)
        return True

    # --- What they share --------------------------------------------------------------------------------------------

    def send_rows(self, path: str, name: str, rows: Sequence[msgspec.Raw]) -> Steps[Accepted]:
        """Send rows that are JSON already, under ``name``, in as many bodies as it takes.

        A body that is too large, or wrong as a whole, is sent again in halves: one bad row must not hold up the rest.
        """
        accepted = duplicates = 0
        refused: list[Refusal] = []
        unknown: dict[str, None] = {}
        hint: str | UnsetType = UNSET
        parts = deque((at, rows[at : at + AT_ONCE]) for at in range(0, len(rows), AT_ONCE))
        while parts:
            start, part = parts.popleft()
            response = yield from self._ask("POST", path, {name: part})
            if response.status_code in _UNTAKEN and len(part) > 1:
                half = len(part) // 2
                parts.extendleft([(start + half, part[half:]), (start, part[:half])])
            elif response.status_code in _UNTAKEN:
                refused.append(Refusal(start, _why(response)))
            else:
                answer = wire.decode(response, Accepted)
                accepted, duplicates = accepted + answer.accepted, duplicates + answer.duplicates
                refused += [Refusal(start + one.index, one.reason) for one in answer.refused]
                unknown |= dict.fromkeys(answer.unknown_items or ())
                hint = answer.hint or hint
        return Accepted(accepted, duplicates, refused, list(unknown)[:MOST_NAMED] or UNSET, hint)

    def _ask(
        self, method: str, path: str, body: Any | None = None, query: Mapping[str, Any] | None = None
    ) -> Steps[httpx.Response]:
        content = None if body is None else wire.encode(body)
        request = Request(method, path, query or {}, content)
        return (yield from ask(request, self.retry, self.timeout))

    def _find(self, path: str, query: Mapping[str, Any]) -> Steps[list[ScoredItem]]:
        response = yield from self._ask("GET", path, query=query)
        return wire.decode(response, ScoredItems).items

    def _delete(self, path: str) -> Steps[None]:
        response = yield from self._ask("DELETE", path)
        if not (response.status_code == 404 and response.extensions[ATTEMPTS] > 1):  # else only the answer was lost
            wire.require_success(response)


def event_row(event: Event) -> msgspec.Raw:
    """Return an event as the JSON that is sent.

    Raises:
        UsageError: it is none, or holds what JSON does not know.
    """
    return _row(wire.identified(event))


def _row(record: Item | User | Mapping[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(wire.encode(record))


def _why(response: httpx.Response) -> str:
    error = ApiError.of(response, None)
    return error.detail or error.title


def _unless_none(value: Given | None) -> Given | UnsetType:
    return UNSET if value is None else value
