"""What is known of users reaches the models, the moment it is there."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from poise.project import Project
from poise.project.fitting import fit

TOWNS = """
name = "towns"
[data]
events = "log.ndjson"
items = "items.ndjson"
users = "users.ndjson"
[pipeline]
models = ["TwoTower"]
[models.TwoTower]
dim = 16
dropout = 0.1
batch_events = 64
learning_rate = 0.01
epochs = 2
max_length = 10
[encoder]
model = "none"
[evaluation]
k = [3]
[serve]
budget = 10
"""


@pytest.fixture(scope="module")
def towns(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project in which people of three towns choose among a third of the items each."""
    folder = tmp_path_factory.mktemp("towns")
    rng = random.Random(0)

    def write(name: str, rows: list[dict[str, Any]]) -> None:
        (folder / name).write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    write("users.ndjson", [{"user_id": f"u{user}", "town": f"t{user % 3}"} for user in range(120)])
    write("items.ndjson", [{"item_id": f"i{item}", "colour": f"c{item % 3}"} for item in range(30)])
    chosen = [(user, step, user % 3 + 3 * rng.randrange(10)) for user in range(120) for step in range(6)]
    write(
        "log.ndjson",
        [
            {"user_id": f"u{user}", "item_id": f"i{item}", "timestamp": 1_700_000_000_000 + step}
            for user, step, item in chosen
        ],
    )
    (folder / "poise.toml").write_text(TOWNS)
    project = Project(folder)
    fit(project)
    project.fill_store().close()
    return folder


def test_a_new_user_is_served_by_their_columns(start: Callable[..., Any], towns: Path) -> None:
    server = start(towns)

    def shown() -> set[int]:
        answer = server.recommend(user_id="newcomer", k=5)
        assert answer["stage"] == "ranker"
        return {int(item["item_id"][1:]) % 3 for item in answer["items"]}

    assert server.recommend(user_id="newcomer", k=5)["stage"] == "popular"
    for town in (1, 2):
        sent = server.client.post("/v1/users", json={"user_id": "newcomer", "content": {"town": f"t{town}"}})
        assert sent.status_code == 200
        assert shown() == {town}
    assert server.client.patch("/v1/users/newcomer", json={"content": {"town": "t0"}}).status_code == 200
    assert shown() == {0}
