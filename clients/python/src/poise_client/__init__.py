"""A typed client of the HTTP API of ``poise serve``, for threads and for event loops."""

from __future__ import annotations

from poise_client._version import __version__
from poise_client.batch import AsyncBatch, Batch, RefusedEvent
from poise_client.clients import AsyncClient, Client
from poise_client.errors import ApiError, PoiseClientError, UnreachableError, UsageError
from poise_client.retry import Retry
from poise_client.schema.batches import Accepted, Refusal
from poise_client.schema.events import Event, HistoryEvent
from poise_client.schema.health import Health
from poise_client.schema.impressions import Impression, ShownItem
from poise_client.schema.items import Item, ItemPage
from poise_client.schema.recommendations import Filter, Reason, RecommendedItem, Slate
from poise_client.schema.search import ScoredItem
from poise_client.schema.users import ErasureReceipt, Interest, PastEvent, User, UserPage, UserProfile

__all__ = [
    "Accepted",
    "ApiError",
    "AsyncBatch",
    "AsyncClient",
    "Batch",
    "Client",
    "ErasureReceipt",
    "Event",
    "Filter",
    "Health",
    "HistoryEvent",
    "Impression",
    "Interest",
    "Item",
    "ItemPage",
    "PastEvent",
    "PoiseClientError",
    "Reason",
    "RecommendedItem",
    "Refusal",
    "RefusedEvent",
    "Retry",
    "ScoredItem",
    "ShownItem",
    "Slate",
    "UnreachableError",
    "UsageError",
    "User",
    "UserPage",
    "UserProfile",
    "__version__",
]
