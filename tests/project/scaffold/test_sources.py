from pathlib import Path

import pytest

from poise.errors import UsageError
from poise.project.scaffold import find_sources

NONE = {"events": None, "items": None, "users": None}


def _write(folder: Path, name: str, rows: list[str]) -> None:
    (folder / name).write_text("\n".join(rows) + "\n", encoding="utf-8")


def test_it_asks_only_where_another_column_may_be_meant(tmp_path):
    rows = [f"u{row % 5},i{row % 7},{row % 2},{row % 3 // 2}" for row in range(40)]
    _write(tmp_path, "log.csv", ["user_id,item_id,click,like", *rows])
    asked = []

    def answer(what, guess, columns):
        asked.append((what, guess, tuple(columns)))
        return "like"

    log = find_sources(tmp_path, NONE, {}, answer).tables["events"]
    assert asked == [("log.csv: value", "click", ("user_id", "item_id", "click", "like"))]
    assert log.columns["value"] == "like"
    assert log.unsure == {}


def test_a_catalogue_that_names_a_person_is_no_log(tmp_path):
    events = [f"{row % 5},{row % 25},{row % 5 + 1}" for row in range(60)]
    _write(tmp_path, "interactions.csv", ["user_id,recipe_id,rating", *events])
    recipes = [f"Soup number {row},{row},{row % 3},A long text about soup {row}" for row in range(25)]
    _write(tmp_path, "recipes.csv", ["name,id,user_id,description", *recipes])
    tables = find_sources(tmp_path, NONE, {}).tables
    assert tables["events"].path == "interactions.csv"
    assert tables["items"].columns == {"item_id": "id", "title": "name"}


def test_a_file_without_a_header_is_named_by_what_it_holds(tmp_path):
    rows = [f"{row % 9},{2000 + row % 13},{100 + row % 13 % 4},pv,{1511544070 + row * 60}" for row in range(60)]
    _write(tmp_path, "UserBehavior.csv", rows)
    log = find_sources(tmp_path, NONE, {}).tables["events"]
    assert log.names == ["user_id", "item_id", "column_3", "behaviour", "timestamp"]
    assert list(log.of_items) == ["column_3"]


def test_orders_stand_for_people_where_nobody_is_named(tmp_path):
    rows = [f"{row // 3},{['Bread', 'Tea', 'Cake', 'Jam'][row % 4]},30-10-2016" for row in range(60)]
    _write(tmp_path, "bakery.csv", ["Transaction,Item,Date", *rows])
    log = find_sources(tmp_path, NONE, {}).tables["events"]
    assert log.columns["user_id"] == "Transaction"
    assert "user_id" in log.unsure


def test_a_folder_without_a_log_says_what_the_files_lack(tmp_path):
    _write(tmp_path, "weather.csv", ["day,rain", "1,2", "2,3"])
    with pytest.raises(UsageError, match=r"weather.csv: it has no column of users or items"):
        find_sources(tmp_path, NONE, {})


def test_what_is_said_to_be_absent_is_not_guessed_again(tmp_path):
    _write(tmp_path, "log.csv", ["user,item,rating,time", *(f"u{row % 5},i{row % 7},3,{row}" for row in range(40))])
    said = {"events": {"timestamp": "", "value": ""}}
    for given in (NONE, {**NONE, "events": "log.csv"}):
        log = find_sources(tmp_path, given, said).tables["events"]
        assert log.columns == {"user_id": "user", "item_id": "item", "value": "", "timestamp": ""}


def test_an_answer_of_none_is_written_down(tmp_path):
    rows = [f"u{row % 5},i{row % 7},{row % 2},{row % 3 // 2}" for row in range(40)]
    _write(tmp_path, "log.csv", ["user_id,item_id,click,like", *rows])
    log = find_sources(tmp_path, NONE, {}, lambda *_: "").tables["events"]
    assert log.columns == {"user_id": "user_id", "item_id": "item_id", "value": ""}
