"""The table of operations of version 1, from which the routes and the OpenAPI document are made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from poise.serve.http.events import import_events, post_events
from poise.serve.http.items import (
    delete_item,
    get_item,
    get_similar,
    import_items,
    list_items,
    patch_item,
    post_items,
)
from poise.serve.http.parameters import AFTER, BY, LIMIT, K, Parameter, Q, identifier
from poise.serve.http.popular import get_popular
from poise.serve.http.recommendations import post_recommendations
from poise.serve.http.requests import get_request
from poise.serve.http.search import get_search
from poise.serve.http.users import (
    delete_user,
    get_profile,
    get_user,
    import_users,
    list_users,
    patch_user,
    post_users,
)
from poise.serve.tenant import Tenant
from poise_client.schema.batches import Accepted
from poise_client.schema.events import Event
from poise_client.schema.impressions import Impression
from poise_client.schema.items import Item, ItemBody, ItemPage, ItemPatch
from poise_client.schema.recommendations import RecommendationRequest, Slate
from poise_client.schema.search import ScoredItems, SimilarItems
from poise_client.schema.users import ErasureReceipt, User, UserBody, UserPage, UserPatch, UserProfile

Answer = Callable[[Request, Tenant], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One thing that the API does.

    Attributes:
        method: of HTTP.
        path: with parameters in braces.
        name: by which clients call it.
        summary: what it does, in a line.
        scope: that a key needs; None for what anybody may ask.
        answer: does it.
        parameters: besides the body.
        body: the types that the body may be of; one of them, or many in a list under ``many``.
        many: the name of the list.
        lines: whether the body is one entry a line.
        result: the type of the answer; None where it has no body.
        result_type: the media type of the answer.
        status: of the answer.
        problems: the statuses of errors that it may answer, besides those that all may.
        example: of a body.
    """

    method: str
    path: str
    name: str
    summary: str
    scope: str | None
    answer: Answer
    parameters: tuple[Parameter, ...] = ()
    body: type | None = None
    many: str | None = None
    lines: bool = False
    result: type | None = None
    result_type: str = "application/json"
    status: int = 200
    problems: tuple[int, ...] = ()
    example: Mapping[str, Any] = field(default_factory=dict)


_ITEM = identifier("item_id", "50")
_USER = identifier("user_id", "42")
_REQUEST = identifier("request_id", "0123456789abcdef01234567")

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="POST",
        path="/v1/events",
        name="addEvents",
        summary="Take in one event or up to 10,000; those with an event_id that is known are not entered again.",
        scope="write",
        answer=post_events,
        body=Event,
        many="events",
        result=Accepted,
        example={"user_id": "42", "item_id": "50", "behaviour": "view", "event_id": "6f9c0a"},
    ),
    Operation(
        method="POST",
        path="/v1/import/events",
        name="importEvents",
        summary="Take in events, one a line, as many as there are.",
        scope="write",
        answer=import_events,
        body=Event,
        lines=True,
        result=Accepted,
        example={"user_id": "42", "item_id": "50", "behaviour": "purchase", "timestamp": 1764115200000},
    ),
    Operation(
        method="POST",
        path="/v1/items",
        name="putItems",
        summary="Put in one item or up to 10,000, or replace them; they can be recommended at once.",
        scope="write",
        answer=post_items,
        body=ItemBody,
        many="items",
        result=Accepted,
        example={"item_id": "new-1", "content": {"title": "A film of tomorrow", "genres": ["Sci-Fi"]}},
    ),
    Operation(
        method="POST",
        path="/v1/import/items",
        name="importItems",
        summary="Put in items, one a line.",
        scope="write",
        answer=import_items,
        body=ItemBody,
        lines=True,
        result=Accepted,
        example={"item_id": "new-2", "content": {"title": "Another film"}},
    ),
    Operation(
        method="GET",
        path="/v1/items",
        name="listItems",
        summary="A part of the catalogue, by id; next is where the following part begins.",
        scope="read",
        answer=list_items,
        parameters=(LIMIT, AFTER),
        result=ItemPage,
    ),
    Operation(
        method="GET",
        path="/v1/items/{item_id}",
        name="getItem",
        summary="An item.",
        scope="read",
        answer=get_item,
        parameters=(_ITEM,),
        result=Item,
        problems=(404,),
    ),
    Operation(
        method="PATCH",
        path="/v1/items/{item_id}",
        name="patchItem",
        summary="Change an item: content is merged, null takes a column out.",
        scope="write",
        answer=patch_item,
        parameters=(_ITEM,),
        body=ItemPatch,
        result=Item,
        problems=(404,),
        example={"available": True, "content": {"price": 9.5}},
    ),
    Operation(
        method="DELETE",
        path="/v1/items/{item_id}",
        name="deleteItem",
        summary="Take an item out of the catalogue; what people did with it stays.",
        scope="write",
        answer=delete_item,
        parameters=(_ITEM,),
        status=204,
        problems=(404,),
    ),
    Operation(
        method="GET",
        path="/v1/items/{item_id}/similar",
        name="similarItems",
        summary="The items that are most like an item, by content, by behaviour or both.",
        scope="read",
        answer=get_similar,
        parameters=(_ITEM, K, BY),
        result=SimilarItems,
        problems=(404,),
    ),
    Operation(
        method="POST",
        path="/v1/users",
        name="putUsers",
        summary="Put in what is known of one user or up to 10,000, or replace it.",
        scope="write",
        answer=post_users,
        body=UserBody,
        many="users",
        result=Accepted,
        example={"user_id": "42", "content": {"age": 31}},
    ),
    Operation(
        method="POST",
        path="/v1/import/users",
        name="importUsers",
        summary="Put in users, one a line.",
        scope="write",
        answer=import_users,
        body=UserBody,
        lines=True,
        result=Accepted,
        example={"user_id": "43", "content": {"age": 27}},
    ),
    Operation(
        method="GET",
        path="/v1/users",
        name="listUsers",
        summary="A part of the users, by id; next is where the following part begins.",
        scope="admin",
        answer=list_users,
        parameters=(LIMIT, AFTER),
        result=UserPage,
    ),
    Operation(
        method="GET",
        path="/v1/users/{user_id}",
        name="getUser",
        summary="What is known of a user.",
        scope="read",
        answer=get_user,
        parameters=(_USER,),
        result=User,
        problems=(404,),
    ),
    Operation(
        method="PATCH",
        path="/v1/users/{user_id}",
        name="patchUser",
        summary="Change what is known of a user: content is merged, null takes a column out.",
        scope="write",
        answer=patch_user,
        parameters=(_USER,),
        body=UserPatch,
        result=User,
        problems=(404,),
        example={"content": {"age": 32}},
    ),
    Operation(
        method="DELETE",
        path="/v1/users/{user_id}",
        name="eraseUser",
        summary="Erase a user: events, columns and what was shown. A receipt stays.",
        scope="admin",
        answer=delete_user,
        parameters=(_USER,),
        result=ErasureReceipt,
    ),
    Operation(
        method="GET",
        path="/v1/users/{user_id}/profile",
        name="userProfile",
        summary="What the system believes of a user: recent history, and leading interests in words.",
        scope="read",
        answer=get_profile,
        parameters=(_USER,),
        result=UserProfile,
        problems=(404,),
    ),
    Operation(
        method="POST",
        path="/v1/recommendations",
        name="recommend",
        summary="What to show to a user, or to somebody of whom only a history is known.",
        scope="read",
        answer=post_recommendations,
        body=RecommendationRequest,
        result=Slate,
        problems=(404,),
        example={"user_id": "42", "k": 5, "explain": True},
    ),
    Operation(
        method="GET",
        path="/v1/requests/{request_id}",
        name="getRequest",
        summary="What was answered to a request for recommendations, and what people did with it.",
        scope="read",
        answer=get_request,
        parameters=(_REQUEST,),
        result=Impression,
        problems=(404,),
    ),
    Operation(
        method="GET",
        path="/v1/popular",
        name="popularItems",
        summary="What is popular now.",
        scope="read",
        answer=get_popular,
        parameters=(K,),
        result=ScoredItems,
    ),
    Operation(
        method="GET",
        path="/v1/search",
        name="searchItems",
        summary="The items that fit what was typed, by words and meaning together.",
        scope="read",
        answer=get_search,
        parameters=(Q, K),
        result=ScoredItems,
    ),
)
