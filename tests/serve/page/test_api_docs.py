"""The documentation of the API: a page that needs no network."""

from __future__ import annotations

import re

from poise.serve.http.routes import OPERATIONS


def test_the_docs_page_runs_this_servers_scripts_alone(server):
    answer = server.client.get("/docs")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
    assert "unsafe" not in policy
    needed = re.findall(r'(?:src|href)="([^"]+\.(?:js|css)(?:\?[^"]*)?)"', answer.text)
    assert len(needed) == 4
    for address in needed:
        assert address.startswith("/"), "nothing comes from elsewhere"
        asset = server.client.get(address)
        assert asset.status_code == 200
        assert asset.headers["content-type"].startswith(("text/css", "text/javascript"))
        assert "content-security-policy" in asset.headers
    assert server.client.get("/docs/swagger-ui.js.map").status_code == 404


def test_every_operation_stands_under_a_heading(server):
    document = server.client.get("/openapi.json").json()
    headings = [tag["name"] for tag in document["tags"]]
    assert headings == ["Recommendations", "Events", "Items", "Users", "Server"]
    found = {}
    for operations in document["paths"].values():
        for operation in operations.values():
            (tag,) = operation["tags"]
            found.setdefault(tag, set()).add(operation["operationId"])
    assert set(found) == set(headings)
    assert found["Recommendations"] == {"recommend", "getRequest", "popularItems", "searchItems", "similarItems"}
    assert found["Users"] >= {"eraseUser", "userProfile"}
    assert sum(map(len, found.values())) == len(OPERATIONS) + 3


def test_pages_link_to_the_docs(server):
    assert 'href="/docs"' in server.client.get("/").text
    assert "see /docs" in server.client.get("/nothing/here").json()["detail"]
