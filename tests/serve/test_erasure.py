from __future__ import annotations

import json
import random
import shutil
import time

import pytest

from poise.project import Project

SECRET = "ragnhild.aaseth@example.org"
TRACE = "deep-blue-umbrella"


@pytest.fixture
def server(copy_shop, start):
    """Return a server of its own: what is erased stays erased."""
    return start(copy_shop())


@pytest.fixture
def lived(server):
    """Return the server, on which the person did and was shown all that one can, among many others."""
    server.client.post("/v1/users", json={"user_id": SECRET, "content": {"note": TRACE}})
    draw = random.Random(0)
    others = [f"person{index:04}" for index in range(300)]
    events = [{"user_id": draw.choice([*others, SECRET]), "item_id": f"i{draw.randrange(40):02}"} for _ in range(2_000)]
    events += [{"user_id": SECRET, "item_id": "i01", "event_id": f"{TRACE}-{index}"} for index in range(20)]
    events.append({"user_id": SECRET, "item_id": "i02", "context": {"device": TRACE}})
    assert server.client.post("/v1/events", json={"events": events}).json()["accepted"] == len(events)
    server.requests = [server.recommend(user_id=SECRET, k=5)["request_id"] for _ in range(3)]
    server.add(SECRET, "i03", request_id=server.requests[0])
    return server


def files(server):
    """Return what stands in the files of the live log."""
    folder = Project(server.settings.folders[0]).folder
    return b"".join(path.read_bytes() for path in sorted(folder.glob("live.sqlite*")))


def test_erasure_removes_everything_but_a_receipt(lived):
    assert SECRET.encode() in files(lived)
    assert TRACE.encode() in files(lived)
    answer = lived.client.delete(f"/v1/users/{SECRET}")
    assert answer.status_code == 200
    receipt = answer.json()
    assert receipt["user_id"] == SECRET
    assert receipt["erased"]["events"] >= 22
    assert receipt["erased"]["users"] == 1
    assert receipt["erased"]["impressions"] == 3

    assert lived.client.get(f"/v1/users/{SECRET}").status_code == 404
    assert lived.client.get(f"/v1/users/{SECRET}/profile").status_code == 404
    assert lived.recommend(user_id=SECRET)["stage"] == "popular"
    for request_id in lived.requests:
        assert lived.client.get(f"/v1/requests/{request_id}").status_code == 404
    pages, after = [], None
    while True:
        page = lived.client.get("/v1/users", params={"limit": 1000, **({"after": after} if after else {})}).json()
        pages += page["users"]
        after = page["next"]
        if after is None:
            break
    assert SECRET not in [listed["user_id"] for listed in pages]

    (erasure,) = lived.tenant.store.erasures()
    assert erasure.receipt_id == receipt["receipt_id"]
    assert erasure.subject == lived.tenant.store.subject(SECRET)
    (act,) = [entry for entry in lived.tenant.store.audit() if entry.act == "erase_user"]
    assert act.actor == "open"
    assert SECRET not in json.dumps(act.detail)
    assert act.detail["receipt_id"] == receipt["receipt_id"]


def test_files_hold_nothing_of_an_erased_user(lived):
    lived.client.delete(f"/v1/users/{SECRET}")

    def is_clean():
        lived.add("somebody", "i01")  # the log is cut after the next write, if a reader stood in the way
        matches = files(lived)
        return SECRET.encode() not in matches and TRACE.encode() not in matches

    lived.wait_for(is_clean)
    assert b"person0001" in files(lived)


def test_erasure_keeps_the_data_of_others(lived):
    before = lived.client.get("/v1/users/person0001/profile").json()
    slate = lived.shown(user_id="person0001")
    lived.client.delete(f"/v1/users/{SECRET}")
    assert lived.client.get("/v1/users/person0001/profile").json() == before
    assert lived.shown(user_id="person0001") == slate


def test_the_receipt_lists_runs_that_hold_the_user(server):
    runs = Project(server.settings.folders[0]).runs
    assert server.client.delete("/v1/users/u03").json()["runs_holding_the_user"] == runs
    assert server.client.delete("/v1/users/nobody").json()["runs_holding_the_user"] == []
    server.add("newcomer", "i01")
    assert server.client.delete("/v1/users/newcomer").json()["runs_holding_the_user"] == []
    server.add("of tomorrow", "i01", timestamp=int(1000 * (time.time() + 86_400)))  # says nothing of when it came
    assert server.client.delete("/v1/users/of tomorrow").json()["runs_holding_the_user"] == runs


def test_erasure_works_with_a_damaged_run(server):
    project = Project(server.settings.folders[0])
    older, newest = project.runs
    shutil.rmtree(project.runs_folder / older / "pipeline")
    answer = server.client.delete("/v1/users/u03")
    assert answer.status_code == 200
    assert answer.json()["runs_holding_the_user"] == [older, newest]


def test_the_next_fit_does_not_know_the_user(server):
    server.client.delete("/v1/users/u03")
    project = Project(server.settings.folders[0])
    assert "u03" not in project.data().user_ids.series
    assert "u04" in project.data().user_ids.series


def test_an_erased_user_who_returns_is_new(lived):
    lived.client.delete(f"/v1/users/{SECRET}")
    lived.add(SECRET, "i05", event_id=f"{TRACE}-1")
    assert lived.client.get(f"/v1/users/{SECRET}/profile").json()["events"] == 1
    assert lived.client.delete(f"/v1/users/{SECRET}").json()["erased"]["events"] == 1
    assert lived.client.delete(f"/v1/users/{SECRET}").json()["erased"] == {"events": 0, "users": 0, "impressions": 0}


def test_erasure_reaches_the_other_worker(copy_shop, start, monkeypatch):
    def fail(item_ids):
        raise RuntimeError("broken on purpose")

    folder = copy_shop()
    first, other = (start(folder, workers=2) for _ in range(2))
    first.add(SECRET, "i05")
    assert other.recommend(user_id=SECRET)["stage"] == "ranker"
    assert first.client.delete(f"/v1/users/{SECRET}").status_code == 200
    assert other.recommend(user_id=SECRET)["stage"] == "popular"
    assert other.client.get(f"/v1/users/{SECRET}/profile").status_code == 404
    monkeypatch.setattr(other.tenant.state.popularity, "scores", fail)
    assert other.shown(user_id=SECRET) == []  # the slate that was kept is gone too


def test_pending_impressions_of_another_worker_are_not_written_after_erasure(copy_shop, start):
    folder = copy_shop()
    first, other = (start(folder, workers=2) for _ in range(2))
    first.add(SECRET, "i05")
    shown = other.recommend(user_id=SECRET)["request_id"]
    witness = other.recommend(user_id="u01")["request_id"]
    assert first.client.delete(f"/v1/users/{SECRET}").status_code == 200
    assert other.client.get(f"/v1/requests/{witness}").status_code == 200
    assert other.client.get(f"/v1/requests/{shown}").status_code == 404
    assert not first.tenant.store.impressions_of(SECRET)
    later = other.recommend(user_id=SECRET)["request_id"]
    assert other.client.get(f"/v1/requests/{later}").status_code == 200
