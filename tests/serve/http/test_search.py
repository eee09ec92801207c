"""Finding items by what was typed."""

from __future__ import annotations


def test_search_by_words_and_by_vectors(server):
    def search(query, k=40):
        return [item["title"] for item in server.client.get("/v1/search", params={"q": query, "k": k}).json()["items"]]

    assert search("story 17", 1) == ["Moon story 17"]
    server.wait_for(lambda: len(search("lunar", 10)) == 10)  # the catalogue is encoded
    assert set(search("lunar", 10)) <= {f"Moon story {item}" for item in range(1, 40, 2)}
    for wrong in ("", "x" * 1001):
        assert server.client.get("/v1/search", params={"q": wrong}).status_code == 422
    assert server.client.get("/v1/search").status_code == 422
    assert server.client.get("/v1/search?q=a&q=b").status_code == 422
    for odd in ("*", '"', "'; --", "\x00", "日本語", "%", "\\", " "):
        assert server.client.get("/v1/search", params={"q": odd}).status_code == 200
