"""A typed client of the HTTP API of ``poise serve``, for threads and for event loops."""

from __future__ import annotations

from poise.client.batch import AsyncBatch, Batch, RefusedEvent
from poise.client.clients import AsyncClient, Client
from poise.client.errors import ApiError, UnreachableError
from poise.client.records import (
    Accepted,
    Done,
    Event,
    Filter,
    Found,
    Health,
    HistoryEvent,
    Impression,
    Interest,
    Item,
    ItemPage,
    Profile,
    Reason,
    Receipt,
    Recommended,
    Refused,
    Shown,
    Slate,
    User,
    UserPage,
)
from poise.client.retry import Retry

__all__ = [
    "Accepted",
    "ApiError",
    "AsyncBatch",
    "AsyncClient",
    "Batch",
    "Client",
    "Done",
    "Event",
    "Filter",
    "Found",
    "Health",
    "HistoryEvent",
    "Impression",
    "Interest",
    "Item",
    "ItemPage",
    "Profile",
    "Reason",
    "Receipt",
    "Recommended",
    "Refused",
    "RefusedEvent",
    "Retry",
    "Shown",
    "Slate",
    "UnreachableError",
    "User",
    "UserPage",
]
