from __future__ import annotations

from collections.abc import Callable

from poise.store import Store


def test_keys_have_their_scopes(open_store: Callable[..., Store]) -> None:
    store = open_store()
    key, token = store.create_key("shop", ["read", "write"])
    assert (key.name, key.scopes, key.revoked) == ("shop", ("read", "write"), None)
    prefix, key_id, secret = token.split("_", 2)
    assert (prefix, key_id, len(secret)) == ("poise", key.key_id, 43)
    assert store.check_key(token) == key
    assert open_store(f"{id(store)} another").check_key(token) is None
    other, other_token = store.create_key("other", [])
    for wrong in (
        "",
        "poise",
        f"poise_{key_id}",
        f"poise_{key_id}_",
        token[:-1],
        token + "x",
        f"poise_{other.key_id}_{secret}",
        f"other_{key_id}_{secret}",
        "poise_nobody_x",
        "\x00_ä_\ud800",
    ):
        assert store.check_key(wrong) is None
    assert store.check_key(other_token) == other
    assert secret not in repr(store.keys())


def test_a_revoked_key_is_refused(store: Store) -> None:
    key, token = store.create_key("shop", ["read"])
    assert store.revoke_key(key.key_id) is True
    assert store.revoke_key(key.key_id) is False
    assert store.revoke_key("unknown") is False
    assert store.check_key(token) is None
    (stored_key,) = store.keys()
    assert stored_key.revoked is not None


def test_no_secret_is_stored(open_store: Callable[[], Store], url: str) -> None:
    if "://" in url:
        return
    store = open_store()
    _, token = store.create_key("shop", ["read"])
    store.close()
    with open(url, "rb") as file:
        assert token.split("_", 2)[2].encode() not in file.read()
