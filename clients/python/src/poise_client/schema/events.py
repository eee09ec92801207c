"""What people do."""

from __future__ import annotations

from poise_client.schema.fields import Body, Context, Id, Moment, Name, Number


class Event(Body, frozen=True):
    """Somebody did something with an item.

    Attributes:
        user_id: who.
        item_id: with which item.
        behaviour: what they did, such as ``view``, ``click``, ``cart``, ``purchase``.
        value: how much: a rating, a quantity, seconds watched.
        timestamp: when, as a datetime (UTC if it has no zone) or as milliseconds since 1970; None for now.
        event_id: by which the server knows that it has the event already; the client makes one where there is none.
        context: where and how: device, place.
        request_id: of the slate that the item was shown in, if it was.
    """

    user_id: Id
    item_id: Id
    behaviour: Name = "view"
    value: Number | None = None
    timestamp: Moment | None = None
    event_id: Id | None = None
    context: Context | None = None
    request_id: Id | None = None


class HistoryEvent(Body, frozen=True, kw_only=True, omit_defaults=True):
    """Something that somebody without an id did."""

    item_id: Id
    behaviour: Name = "view"
    value: Number | None = None
    timestamp: Moment | None = None
