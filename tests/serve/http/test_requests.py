"""What was answered to a request is told afterwards."""

from __future__ import annotations


def test_a_request_with_its_feedback(server):
    slate = server.recommend(user_id="visitor", k=4)
    body = server.client.get(f"/v1/requests/{slate['request_id']}").json()
    assert (body["user_id"], body["run"], body["stage"]) == ("visitor", slate["run"], "popular")
    assert [{key: item[key] for key in ("item_id", "score", "probability")} for item in body["items"]] == [
        {key: item[key] for key in ("item_id", "score", "probability")} for item in slate["items"]
    ]
    assert server.client.get("/v1/requests/who").status_code == 404
