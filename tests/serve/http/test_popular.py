"""What is popular now."""

from __future__ import annotations


def test_popular_items(server):
    found = server.client.get("/v1/popular?k=3").json()["items"]
    assert len(found) == 3
    assert found[0]["score"] >= found[1]["score"] >= found[2]["score"] > 0
    assert server.client.get("/v1/popular?n=3").status_code == 422
