"""A no, from a file to what is recommended."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from poise import Project

TOML = """[data]
events = "events.csv"
[encoder]
model = "none"
[pipeline]
models = ["EASE", "ItemKNN", "Popularity"]
"""


def write_films(folder: Path, column: str, yes: object, no: object) -> Path:
    """Write a log of fans of comedies and of fans of horror; vera has only ever said no, to six horror films."""
    rng = random.Random(1)
    rows = [
        (f"u{user}", f"{kind}{film:02}", yes)
        for user in range(60)
        for kind in ["ch"[user % 2]]
        for film in rng.sample(range(15), 8)
    ]
    rows += [("vera", f"h{film:02}", no) for film in range(6)]
    rows += [("u1", "h00", yes), ("u1", "h00", no)]
    lines = [f"{user},{item},{said},{1_790_000_000 + 60 * n}" for n, (user, item, said) in enumerate(rows)]
    folder.mkdir()
    (folder / "events.csv").write_text("\n".join([f"user_id,item_id,{column},timestamp", *lines]), encoding="utf-8")
    (folder / "poise.toml").write_text(TOML, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("column", "yes", "no"),
    [("behaviour", "like", "dislike"), ("action", "play", "skip"), ("rating", 5, 1), ("event", "买", "不喜欢")],
)
def test_whoever_only_said_no_has_no_history_and_sees_nothing_of_it(tmp_path, poise, column, yes, no):
    films = write_films(tmp_path / "films", column, yes, no)
    poise("fit", "-p", films)
    answer = json.loads(poise("recommend", "-p", films, "--user", "vera", "-k", 20, "--json").out)[0]
    assert answer["history"] == []
    assert sorted(item["item_id"] for item in answer["rejected"]) == [f"h{film:02}" for film in range(6)]
    assert not {item["item_id"] for item in answer["items"]} & {f"h{film:02}" for film in range(6)}
    assert {reason["kind"] for item in answer["items"] for reason in item["reasons"]} <= {"popular", "random"}
    assert len({item["score"] for item in answer["items"]}) > 1  # by what is popular, not by chance
    assert "said no to: h00; h01" in poise("recommend", "-p", films, "--user", "vera").out


def test_the_live_log_tells_yes_from_no_as_the_files_did(tmp_path):
    films = Project(write_films(tmp_path / "films", "behaviour", "like", "dislike"))
    of_files = films.data()
    films.fill_store().close()
    live = films.data()
    assert (live.n_events, len(live.rejections)) == (of_files.n_events, len(of_files.rejections))
    assert live.fingerprint == of_files.fingerprint


def test_another_rule_holds_for_what_is_in_the_live_log_too(tmp_path):
    films = Project(write_films(tmp_path / "films", "rating", 5, 1))
    films.fill_store().close()
    (films.folder / "poise.toml").write_text(TOML + "[data.feedback]\nthreshold = 'none'\n", encoding="utf-8")
    assert Project(films.folder).data().rejections is None


def test_a_threshold_that_is_none_is_an_error_of_the_file(tmp_path, poise):
    films = write_films(tmp_path / "films", "behaviour", "like", "dislike")
    (films / "poise.toml").write_text(TOML + "[data.feedback]\nthreshold = 'low'\n", encoding="utf-8")
    assert "data.feedback: threshold is 'low'; give a number, 'auto' or 'none'" in poise("fit", "-p", films).error


@pytest.mark.parametrize(
    ("column", "yes", "no", "words"),
    [("behaviour", "like", "dislike", "7 dislike"), ("rating", 5, 1, "7 by a value below 3")],
)
def test_check_counts_the_noes(tmp_path, poise, column, yes, no, words):
    films = write_films(tmp_path / "films", column, yes, no)
    (verdict,) = (
        verdict
        for verdict in json.loads(poise("check", "-p", films, "--json").out)["verdicts"]
        if verdict["topic"] == "rejections"
    )
    assert verdict["reason"].startswith(words)
