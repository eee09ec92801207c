"""The live log: events, catalogue, users and what was shown, in SQLite or PostgreSQL."""

from poise.store.errors import StoreError, StoreFull
from poise.store.store import Store

__all__ = ["Store", "StoreError", "StoreFull"]
