"""What is asked for, and what is recommended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from poise_client.schema.events import HistoryEvent
from poise_client.schema.fields import MOST_AT_ONCE, Body, Context, Count, Id, Name, Number, Text

Stage = Literal["ranker", "retrieval", "popular", "cached"]
_Choices = Annotated[Sequence[Text | Number | bool], Meta(min_length=1, max_length=1_000)]
_REASONS = {"enum": ["history", "again", "popular", "random", "new"]}


class Filter(Body, frozen=True, rename={"is_in": "in", "least": "min", "most": "max"}):
    """What an item must be like to be recommended, by one column of the catalogue.

    Attributes:
        column: its name.
        is_in: it holds one of these.
        not_in: it holds none of these.
        least: it holds this number or more.
        most: it holds this number or less.
    """

    column: Name
    is_in: _Choices | UnsetType = UNSET
    not_in: _Choices | UnsetType = UNSET
    least: Number | UnsetType = UNSET
    most: Number | UnsetType = UNSET


class RecommendationRequest(Body, frozen=True, kw_only=True, omit_defaults=True):
    """Who asks for recommendations, and of what.

    Attributes:
        user_id: who.
        history: what somebody without an id did: item ids, or more than that. It is sorted by the times; without times
            the newest stands last, and what has none is as new as can be.
        k: how many items.
        scenario: where they are shown.
        context: when and how they are shown: device, place.
        candidates: the only items to choose from.
        filters: what the items must be like.
        exclude: items that are not to be returned.
        offset: how many items of earlier pages to leave out.
        request_id: of the first page, if this is a further one.
        explain: whether to say why.
        run: another run than the one that serves, to compare; needs the scope ``admin``.
    """

    user_id: Id | None = None
    history: Annotated[Sequence[Id | HistoryEvent], Meta(max_length=1_000)] | None = None
    k: Count = 10
    scenario: Name | None = None
    context: Context | None = None
    candidates: Annotated[Sequence[Id], Meta(min_length=1, max_length=MOST_AT_ONCE)] | None = None
    filters: Annotated[Sequence[Filter], Meta(max_length=20)] = ()
    exclude: Annotated[Sequence[Id], Meta(max_length=MOST_AT_ONCE)] = ()
    offset: Annotated[int, Meta(ge=0, le=10_000)] = 0
    request_id: Id | None = None
    explain: bool = False
    run: Name | None = None


class Reason(Struct, frozen=True):
    """Why an item stands in a slate: what kind of reason, its share of the score, and in words."""

    kind: Annotated[str, Meta(extra_json_schema=_REASONS)]  # later kinds must not break clients of today
    share: float
    text: str


class RecommendedItem(Struct, frozen=True, omit_defaults=True):
    """An item of a slate.

    Attributes:
        item_id: which one.
        title: what people know it by.
        score: by which it was ranked.
        probability: with which it was shown.
        reasons: why; empty unless they were asked for.
    """

    item_id: str
    title: str
    score: float
    probability: float
    reasons: Sequence[Reason] = ()  # left out of the answer where nobody asked, as a list without any is not


class Slate(Struct, frozen=True):
    """What is recommended, best first, and what chose it.

    Attributes:
        request_id: give it with the events that follow, so that they are known to come from this slate, and with the
            request for the next page.
        run: of the project that chose the items.
        model: of that run.
        stage: ``ranker``, or a simpler one where that was slow or failed.
        items: what is recommended.
    """

    request_id: str
    run: str
    model: str
    stage: Stage
    items: list[RecommendedItem]
