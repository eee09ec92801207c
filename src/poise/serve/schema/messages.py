"""What stands in requests and answers. The OpenAPI document is made of these same types."""

from __future__ import annotations

import atexit
import gc
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

# When the interpreter ends, msgspec (0.22) may free the types below in a wrong order and crash; what is frozen is left.
atexit.register(gc.freeze)

MOST_AT_ONCE = 10_000  # events, items or users in one body
MOST_SHOWN = 200  # items in one answer
EARLIEST, LATEST = 100_000_000_000, 4_102_444_800_000  # 1973 and 2100, in milliseconds

PLAIN = r"^[^\x00-\x1f\x7f]*(?![\s\S])"  # to the very end, in Python too, where $ would let a line end pass
_DATE_TIME = {"format": "date-time"}
Id = Annotated[str, Meta(min_length=1, max_length=256, pattern=PLAIN, description="Any text without control signs.")]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=PLAIN)]
Count = Annotated[int, Meta(ge=1, le=MOST_SHOWN)]
Number = Annotated[float, Meta(ge=-1e12, le=1e12)]
Text = Annotated[str, Meta(max_length=20_000, pattern=r"^[^\x00]*(?![\s\S])")]
Moment = (
    Annotated[int, Meta(ge=EARLIEST, le=LATEST, description="Milliseconds since 1970, UTC.")]
    | Annotated[datetime, Meta(description="RFC 3339; UTC where no zone is given.", extra_json_schema=_DATE_TIME)]
)
Stage = Literal["ranker", "retrieval", "popular", "cached"]
Value = Text | Number | bool | Annotated[list[Text], Meta(max_length=1_000)] | None
Context = Annotated[dict[Name, Text | Number | bool | None], Meta(max_length=50)]
Content = Annotated[dict[Name, Value], Meta(max_length=200)]


class Body(Struct, forbid_unknown_fields=True, kw_only=True):
    """A body that may hold what it names and nothing else."""


class EventIn(Body):
    """Somebody did something with an item."""

    user_id: Id
    item_id: Id
    behaviour: Name = "view"
    value: Number | None = None
    timestamp: Moment | None = None
    event_id: Id | None = None
    context: Context | None = None
    request_id: Id | None = None


class ItemIn(Body):
    """An item of the catalogue."""

    item_id: Id
    content: Content = {}
    available: bool = True


class ItemPatch(Body):
    """What changes of an item: content is merged, null takes a column out."""

    content: Content | UnsetType = UNSET
    available: bool | UnsetType = UNSET


class UserIn(Body):
    """What is known of a user."""

    user_id: Id
    content: Content = {}


class UserPatch(Body):
    """What changes of a user: content is merged, null takes a column out."""

    content: Content | UnsetType = UNSET


class HistoryEvent(Body):
    """Something that somebody without an id did."""

    item_id: Id
    behaviour: Name = "view"
    value: Number | None = None
    timestamp: Moment | None = None


class Filter(Body, rename={"is_in": "in", "least": "min", "most": "max"}):
    """What an item must be like, by one column of the catalogue."""

    column: Name
    is_in: Annotated[list[Text | Number | bool], Meta(min_length=1, max_length=1_000)] | UnsetType = UNSET
    not_in: Annotated[list[Text | Number | bool], Meta(min_length=1, max_length=1_000)] | UnsetType = UNSET
    least: Number | UnsetType = UNSET
    most: Number | UnsetType = UNSET


class RecommendationIn(Body):
    """Who asks for recommendations, and of what."""

    user_id: Id | None = None
    history: Annotated[list[Id | HistoryEvent], Meta(max_length=1_000)] | None = None
    k: Count = 10
    scenario: Name | None = None
    context: Context | None = None
    candidates: Annotated[list[Id], Meta(min_length=1, max_length=MOST_AT_ONCE)] | None = None
    filters: Annotated[list[Filter], Meta(max_length=20)] = []
    exclude: Annotated[list[Id], Meta(max_length=MOST_AT_ONCE)] = []
    offset: Annotated[int, Meta(ge=0, le=10_000)] = 0
    request_id: Id | None = None
    explain: bool = False
    run: Name | None = None


class Refusal(Struct, frozen=True):
    """Why one entry of a body was not taken."""

    index: int
    reason: str


class Accepted(Struct, frozen=True):
    """What became of the entries of a body."""

    accepted: int
    refused: list[Refusal]
    duplicates: int = 0


class ReasonOut(Struct, frozen=True):
    """Why an item stands in a slate."""

    kind: Literal["history", "popular", "random", "new"]
    share: float
    text: str


class ItemOut(Struct, frozen=True, omit_defaults=True):
    """An item that is shown."""

    item_id: str
    title: str
    score: float
    probability: float
    reasons: list[ReasonOut] | UnsetType = UNSET


class SlateOut(Struct, frozen=True):
    """What is shown, and what chose it."""

    request_id: str
    run: str
    model: str
    stage: Stage
    items: list[ItemOut]


class FoundItem(Struct, frozen=True):
    """An item that was found."""

    item_id: str
    title: str
    score: float


class Found(Struct, frozen=True):
    """Items that were found, best first."""

    items: list[FoundItem]


class CatalogueItem(Struct, frozen=True):
    """An item as the catalogue has it."""

    item_id: str
    content: dict[str, Any]
    available: bool


class ItemPage(Struct, frozen=True):
    """A part of the catalogue, and where the next one begins."""

    items: list[CatalogueItem]
    next: str | None


class KnownUser(Struct, frozen=True):
    """What is known of a user."""

    user_id: str
    content: dict[str, Any]


class UserPage(Struct, frozen=True):
    """A part of the users, and where the next one begins."""

    users: list[KnownUser]
    next: str | None


class Done(Struct, frozen=True):
    """What somebody did with an item."""

    item_id: str
    title: str
    behaviour: str
    timestamp: int
    value: float | None


class Interest(Struct, frozen=True):
    """What somebody likes more than others do."""

    column: str
    label: str
    share: float
    times_average: float


class ProfileOut(Struct, frozen=True):
    """What the system believes of a user."""

    user_id: str
    events: int
    history: list[Done]
    interests: list[Interest]
    words: str
    content: dict[str, Any]


class Shown(Struct, frozen=True):
    """An item that was shown, and what came of it."""

    item_id: str
    score: float
    probability: float
    feedback: list[str]


class RequestOut(Struct, frozen=True):
    """What was answered to a request, and what people did with it."""

    request_id: str
    user_id: str | None
    run: str
    stage: str
    timestamp: int
    items: list[Shown]


class ReceiptOut(Struct, frozen=True):
    """What was erased, and which fitted models still hold it."""

    receipt_id: str
    user_id: str
    erased: dict[str, int]
    runs_holding_the_user: list[str]


class Health(Struct, frozen=True):
    """Whether the server lives, and what it serves."""

    status: str
    run: str | None = None
    reason: str | None = None


class FieldProblem(Struct, frozen=True):
    """What is wrong with one field of a body, and where it stands, as a JSON pointer (RFC 6901) in a URI."""

    pointer: str
    detail: str


class Problem(Struct, frozen=True, omit_defaults=True):
    """An error, by RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | UnsetType = UNSET
