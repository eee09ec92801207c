"""What is popular now."""

from __future__ import annotations


def test_popular_items(server):
    items = server.client.get("/v1/popular?k=3").json()["items"]
    assert len(items) == 3
    assert items[0]["score"] >= items[1]["score"] >= items[2]["score"] > 0
    assert server.client.get("/v1/popular?n=3").status_code == 422
