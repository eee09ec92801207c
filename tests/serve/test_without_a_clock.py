"""A log without times, served: what its people did counts, and so does what follows with a time."""

from __future__ import annotations

import random

import pytest

from poise.project import Project
from poise.project.fitting import fit

N_USERS, N_ITEMS = 45, 24
TOML = """\
name = "shop"

[data]
events = "log.csv"

[data.columns]
user_id = "user"
item_id = "item"
behaviour = "reaction"

[pipeline]
models = ["ItemKNN", "Popularity"]

[serve]
budget = 10
"""


@pytest.fixture(scope="module")
def likes() -> dict[str, list[str]]:
    """Return what each user likes, of a third of the items that is theirs."""
    rng = random.Random(3)
    return {f"u{user}": [f"i{item}" for item in rng.sample(range(user % 3, N_ITEMS, 3), 5)] for user in range(N_USERS)}


@pytest.fixture(scope="module")
def server(start, likes, tmp_path_factory):
    """Return a server of a log without titles and times, in which one user has only said no."""
    folder = tmp_path_factory.mktemp("clock") / "shop"
    folder.mkdir()
    rows = [f"{user},{item},like" for user, items in likes.items() for item in items]
    rows += [f"u{user},i{(user + 1) % 3},dislike" for user in range(N_USERS)]
    (folder / "log.csv").write_text("\n".join(["user,item,reaction", *rows, "solo,i1,dislike"]) + "\n")
    (folder / "poise.toml").write_text(TOML)
    project = Project(folder)
    fit(project)
    project.fill_store().close()
    return start(folder)


def test_what_people_did_without_times_is_read(server, likes):
    answer = server.recommend(user_id="u1", k=3, explain=True)
    assert answer["stage"] == "ranker"
    left = {f"i{item}" for item in range(1, N_ITEMS, 3)} - set(likes["u1"])
    assert {item["item_id"] for item in answer["items"]} == left
    assert {reason["kind"] for item in answer["items"] for reason in item["reasons"]} >= {"history"}


def test_popular_is_counted_by_all_events_without_times(server, likes):
    counts = {}
    for items in likes.values():
        for item in items:
            counts[item] = counts.get(item, 0) + 1
    popular = server.client.get(f"/v1/popular?k={N_ITEMS}").json()["items"]
    assert len(popular) == len(counts)
    assert [counts[item["item_id"]] for item in popular] == sorted(counts.values(), reverse=True)


def test_who_only_said_no_gets_what_is_popular_and_not_that(server):
    answer = server.recommend(user_id="solo", k=5)
    assert answer["stage"] == "popular"
    assert "i1" not in [item["item_id"] for item in answer["items"]]


def test_a_live_event_with_a_time_follows(server):
    server.add("new", "i0", behaviour="like")
    answer = server.recommend(user_id="new", k=5)
    assert answer["stage"] == "ranker"
    assert all(int(item["item_id"][1:]) % 3 == 0 for item in answer["items"])
