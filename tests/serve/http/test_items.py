"""Items and users: put in, changed, taken out, looked at."""

from __future__ import annotations

import itertools
import json
from urllib.parse import quote

import pytest

from poise.project import Project

NUMBERS = itertools.count()
CONTENT = {"title": "A tale", "genres": ["sea", "classic"], "country": "no", "price": 7.5, "signed": True}


@pytest.fixture(params=["items", "users"])
def kind(request):
    """Return what is put in and looked at: each in its turn."""
    return request.param


@pytest.fixture
def new_id():
    """Return an id that nothing has yet."""
    return f"new{next(NUMBERS):03}"


def entry(kind, one_id, **content):
    return {f"{kind[:-1]}_id": one_id, "content": content}


def put(server, kind, *entries):
    body = entries[0] if len(entries) == 1 else {kind: list(entries)}
    answer = server.client.post(f"/v1/{kind}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def get(server, kind, one_id):
    return server.client.get(f"/v1/{kind}/{one_id}")


def test_put_get_and_replace(server, kind, new_id):
    assert get(server, kind, new_id).status_code == 404
    assert put(server, kind, entry(kind, new_id, **CONTENT)) == {"accepted": 1, "refused": [], "duplicates": 0}
    answer = get(server, kind, new_id)
    assert answer.status_code == 200
    assert answer.json()["content"] == CONTENT
    assert put(server, kind, entry(kind, new_id, title="Another"))["accepted"] == 1
    assert get(server, kind, new_id).json()["content"] == {"title": "Another"}


def test_put_many_names_bad_ones(server, kind, new_id):
    entries = [entry(kind, f"{new_id}-{index}", price=index) for index in range(5)]
    entries[1]["surprise"] = 1
    entries[3]["content"] = {"price": {"deep": 1}}
    body = put(server, kind, *entries)
    assert body["accepted"] == 3
    assert [refusal["index"] for refusal in body["refused"]] == [1, 3]
    assert get(server, kind, f"{new_id}-1").status_code == 404
    assert get(server, kind, f"{new_id}-4").json()["content"] == {"price": 4}


def test_import_lines_of_items_and_users(server, kind, new_id):
    lines = [json.dumps(entry(kind, f"{new_id}-{index}", price=index)) for index in range(5)]
    lines[2] = "[]"
    answer = server.client.post(f"/v1/import/{kind}", content="\r\n".join(lines))
    assert answer.json()["accepted"] == 4
    assert [refusal["index"] for refusal in answer.json()["refused"]] == [2]
    assert get(server, kind, f"{new_id}-4").json()["content"] == {"price": 4}


def test_patch_merges_and_null_removes(server, kind, new_id):
    path = f"/v1/{kind}/{new_id}"
    assert server.client.patch(path, json={"content": {"price": 1}}).status_code == 404
    put(server, kind, entry(kind, new_id, title="A tale", price=5))
    answer = server.client.patch(path, json={"content": {"price": None, "country": "pt"}})
    assert answer.status_code == 200
    assert answer.json()["content"] == {"title": "A tale", "country": "pt"}
    assert get(server, kind, new_id).json() == answer.json()
    assert server.client.patch(path, json={}).json() == answer.json()
    assert server.client.patch(path, json={"contents": {}}).status_code == 422


@pytest.mark.parametrize(
    "one_id", ["a/b", "a/similar", "a%2Fb", "ä ö?&#+", "..", "x" * 256, "'; DROP TABLE poise_items; --"]
)
def test_any_text_is_an_id(server, kind, one_id):
    from urllib.parse import quote

    path = f"/v1/{kind}/{quote(one_id, safe='')}".replace("..", "%2E%2E")
    put(server, kind, entry(kind, one_id, price=1))
    assert get(server, kind, path.rpartition("/")[2]).json()[f"{kind[:-1]}_id"] == one_id
    assert server.client.patch(path, json={"content": {"price": 2}}).json()["content"] == {"price": 2}
    gone = server.client.delete(path)
    assert gone.status_code == (204 if kind == "items" else 200)
    assert get(server, kind, path.rpartition("/")[2]).status_code == 404


@pytest.mark.parametrize("one_id", ["", "a\n", "a\x00b", "a\x1fb", "/\x1f", "x" * 257])
def test_invalid_ids_are_refused(server, kind, one_id):
    answer = server.client.post(f"/v1/{kind}", json=entry(kind, one_id))
    assert answer.status_code == 422
    if one_id:
        assert get(server, kind, quote(one_id, safe="")).status_code == 422


def test_paging_through_items_and_users(server, kind):
    ids = [f"page-{index:02}" for index in range(7)]
    put(server, kind, *[entry(kind, one_id) for one_id in reversed(ids)])
    listed, after = [], "page-"
    for _ in range(10):
        page = server.client.get(f"/v1/{kind}", params={"limit": 3, "after": after}).json()
        listed += [entry_body[f"{kind[:-1]}_id"] for entry_body in page[kind]]
        assert len(page[kind]) == 3 or page["next"] is None
        after = page["next"]
        if after is None:
            break
    assert [page_id for page_id in listed if page_id.startswith("page-")] == ids
    assert listed == sorted(listed)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "limit=1&limit=2", "after=", "offset=3"])
def test_wrong_parameters_are_named(server, kind, query):
    answer = server.client.get(f"/v1/{kind}?{query}")
    assert answer.status_code == 422
    assert query.partition("=")[0] in answer.json()["detail"]


def test_an_item_can_be_made_unavailable_and_available_again(server, new_id):
    put(server, "items", entry("items", new_id, title="Sea story of today", genres=["sea"]))
    assert new_id in server.shown(history=["i02"], k=200)
    answer = server.client.patch(f"/v1/items/{new_id}", json={"available": False})
    assert answer.json()["available"] is False
    assert new_id not in server.shown(history=["i02"], k=200)
    server.client.patch(f"/v1/items/{new_id}", json={"available": True})
    assert new_id in server.shown(history=["i02"], k=200)


def test_a_new_item_can_be_recommended_and_found_at_once(server, new_id):
    like = server.recommend(history=["i02", "i04"], k=200)["items"]
    put(server, "items", entry("items", new_id, title="Sea story without end", genres=["sea", "ships"], country="no"))
    slate = server.recommend(history=["i02", "i04"], k=200)
    places = [item["item_id"] for item in slate["items"]]
    assert slate["stage"] == "ranker"
    assert len(places) == len(like) + 1
    assert places.index(new_id) < places.index("i03")  # which nobody would guess of a sea-lover
    for query in ("without end", "ocean"):
        items = server.client.get("/v1/search", params={"q": query, "k": 200}).json()["items"]
        assert new_id in [item["item_id"] for item in items]
    similar = server.client.get("/v1/items/i02/similar?k=200").json()["items"]
    assert new_id in [item["item_id"] for item in similar]
    server.add("sailor", new_id)
    assert new_id in [item["item_id"] for item in server.client.get("/v1/popular?k=200").json()["items"]]
    assert server.recommend(user_id="sailor")["stage"] == "ranker"


def test_search_finds_the_changed_text_of_an_item(server, new_id):
    put(server, "items", entry("items", new_id, title="Zanzibar"))
    put(server, "items", entry("items", new_id, title="Quetzal"))
    assert server.client.get("/v1/search?q=quetzal").json()["items"][0]["item_id"] == new_id
    assert all(item["title"] != "Zanzibar" for item in server.client.get("/v1/search?q=zanzibar&k=200").json()["items"])


def test_semantic_search_finds_the_changed_text_of_an_item_of_the_run(server):
    def search(query):
        return [
            item["item_id"] for item in server.client.get("/v1/search", params={"q": query, "k": 200}).json()["items"]
        ]

    server.wait_for(lambda: "i04" in search("ocean"))
    assert "i05" not in search("ocean")
    for item_id, title in (("i04", "Lunar story 4"), ("i05", "Waves story 5")):
        changed = {"content": {"title": title, "genres": None}}
        assert server.client.patch(f"/v1/items/{item_id}", json=changed).status_code == 200
    server.wait_for(lambda: "i05" in search("ocean"))
    assert "i04" not in search("ocean")


def test_a_deleted_item_disappears_at_once(server, new_id):
    put(server, "items", entry("items", new_id, title="Sea story of yesterday", genres=["sea"]))
    for index in range(50):
        server.add(f"reader{index % 3}", new_id)

    def everywhere():
        client = server.client
        yield from server.shown(history=["i02"], k=200)
        yield from server.shown(user_id="nobody", k=200)
        for path in ("/v1/popular?k=200", "/v1/search?q=yesterday&k=200", "/v1/items/i02/similar?k=200"):
            yield from (item["item_id"] for item in client.get(path).json()["items"])
        yield from (item["item_id"] for item in client.get("/v1/items?limit=1000").json()["items"])

    assert list(everywhere()).count(new_id) == 6
    assert server.client.delete(f"/v1/items/{new_id}").status_code == 204
    assert new_id not in list(everywhere())
    assert server.client.delete(f"/v1/items/{new_id}").status_code == 404
    assert get(server, "items", new_id).status_code == 404
    assert server.client.get(f"/v1/items/{new_id}/similar").status_code == 404
    history = server.client.get("/v1/users/reader0/profile").json()["history"]
    assert {event["item_id"] for event in history} == {new_id}
    put(server, "items", entry("items", new_id, title="Sea story of yesterday"))
    assert new_id in server.shown(history=["i02"], k=200)


def test_similar_items(server):
    items = server.client.get("/v1/items/i02/similar?k=5").json()["items"]
    assert len(items) == 5
    assert {similar["item_id"] for similar in items} <= {f"i{item:02}" for item in range(0, 40, 2)} - {"i02"}
    assert items[0]["title"].startswith("Sea story")
    assert server.client.get("/v1/items/who/similar").status_code == 404
    assert server.client.get("/v1/items/i02/similar?k=0").status_code == 422


def test_similar_items_by_content_or_by_behaviour(copy_shop, start):
    folder = copy_shop()
    by_behaviour_alone, _ = Project(folder).runs

    def alike(server, by=""):
        return server.client.get(f"/v1/items/i02/similar?k=5{by}")

    server = start(folder)
    by_content = alike(server, "&by=content").json()
    assert (by_content["by"], by_content["certainty"]) == ("content", None)
    assert by_content["events"] >= 10
    refused = alike(server, "&by=taste")
    assert refused.status_code == 422
    assert "by: found 'taste'; allowed: content, behaviour, both" in refused.text
    server = start(folder, run=by_behaviour_alone)
    by_behaviour = alike(server).json()
    assert by_behaviour == alike(server, "&by=behaviour").json()
    assert (by_behaviour["by"], by_behaviour["certainty"]) == ("behaviour", "fair")
    assert by_content["items"] != by_behaviour["items"]
    unknown = alike(server, "&by=content")
    assert unknown.status_code == 404
    assert "ItemKNN cannot tell which items are similar by content" in unknown.json()["detail"]
