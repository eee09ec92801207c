"""The live log: events, catalogue, users and what was shown, in SQLite or PostgreSQL."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from poise.store.errors import StoreError as StoreError
    from poise.store.errors import StoreFull as StoreFull
    from poise.store.store import Store as Store

_MODULES = {"Store": "store", "StoreError": "errors", "StoreFull": "errors"}

__all__ = ["Store", "StoreError", "StoreFull"]


def __getattr__(name: str) -> Any:
    """Import what is asked for, so that whoever wants the errors alone does not wait for the store."""
    if name not in _MODULES:
        raise AttributeError(f"module 'poise.store' has no {name!r}")
    return getattr(import_module(f"poise.store.{_MODULES[name]}"), name)
