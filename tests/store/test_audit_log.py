from __future__ import annotations

from poise.store import Store


def test_the_audit_log_is_in_order(store: Store) -> None:
    for number in range(3):
        store.add_audit("key 1", "promote", {"run": number}).result()
    assert [(entry.actor, entry.act, entry.detail) for entry in store.audit(limit=2)] == [
        ("key 1", "promote", {"run": 2}),
        ("key 1", "promote", {"run": 1}),
    ]
    assert store.audit()[0].time >= store.audit()[-1].time > 1_700_000_000_000
