from __future__ import annotations

from poise.store import Store


def test_settings(store: Store) -> None:
    assert store.setting("run") is None
    store.set("run", "first").result()
    store.set("run", {"name": "zweiter", "share": 0.5, "on": True}).result()
    assert store.setting("run") == {"name": "zweiter", "share": 0.5, "on": True}
