"""What the system believes of a user."""

from __future__ import annotations


def test_the_profile_of_a_user(server):
    user = "visitor"
    assert server.client.get(f"/v1/users/{user}/profile").status_code == 404
    for item in ("i00", "i06", "i12", "i01"):
        server.add(user, item)
    server.client.post("/v1/users", json={"user_id": user, "content": {"city": "Bergen"}})
    body = server.client.get(f"/v1/users/{user}/profile").json()
    assert body["events"] == 4
    assert [event["item_id"] for event in body["history"]] == ["i01", "i12", "i06", "i00"]
    assert body["content"] == {"city": "Bergen"}
    strongest = body["interests"][0]
    assert (strongest["column"], strongest["label"]) in {("genres", "classic"), ("country", "no")}
    assert strongest["times_average"] > 1
    assert strongest["label"] in body["words"]
