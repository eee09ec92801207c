from __future__ import annotations

import json
import os
import shutil
import socket

import pytest

import poise.evaluation as evaluation_room
from poise.files import write_json
from poise.project import fitting


def change(folder, file, old, new):
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["frobnicate"], "there is no command 'frobnicate'"),
        (["recomend"], "Did you mean 'recommend'?"),
        (["fit", "--frob"], "'--frob'; see 'poise fit --help'"),
        (["similar"], "Missing argument 'ITEM'"),
        (["recommend"], "either --user ID or --history"),
        (["recommend", "--user", "001", "--history", "i02"], "either --user ID or --history"),
        (["recommend", "--user", "001", "-k", "0"], "k is 0; it must lie between 1 and 24"),
        (["recommend", "--user", "001", "-k", "x"], "'x' is not a valid integer"),
        (["recommend", "--user", "001", "--run", "nope"], "there is no run 'nope'"),
        (["similar", "i02", "-k", "0"], "k is 0; it must lie between 1 and 23"),
        (["evaluate", "-m", "Eas"], "Did you mean 'EASE'?"),
        (["evaluate", "--folds", "2"], "2 is not in the range x>=3"),
        (["data", "fetch", "movielens100k"], "Did you mean 'movielens-100k'?"),
    ],
)
def test_a_usage_error_exits_with_2(poise, fitted_shop, monkeypatch, arguments, said):
    monkeypatch.chdir(fitted_shop)
    result = poise(*arguments)
    assert result.code == 2
    assert said in result.error
    assert not result.out


@pytest.mark.parametrize("command", [["serve"], ["demo", "--folder", "films"]])
def test_a_server_that_cannot_listen_says_so_in_one_line(poise, fitted_shop, tmp_path, monkeypatch, command):
    monkeypatch.chdir(fitted_shop if command == ["serve"] else tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = poise(*command, "--port", port)
    assert result.code == 2
    assert f"port {port} is taken" in result.error
    assert not result.out  # the models of the demo are not fitted first
    assert "65536 is not in the range" in poise(*command, "--port", 65_536).error


def test_a_host_that_this_machine_has_not_is_refused(poise, fitted_shop):
    result = poise("serve", "-p", fitted_shop, "--host", "192.0.2.1")
    assert result.code == 2
    assert "no address '192.0.2.1'" in result.error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["recommend", "--user", "nobody"], "user 'nobody' is not in the data set"),
        (["recommend", "--user", "1"], "user '1' is not in the data set"),  # ids are text: 001 is not 1
        (["recommend", "--history", "Nothing like it"], "no item has the id or title 'Nothing like it'"),
        (["similar", "Sea, stor"], "be more precise"),
    ],
)
def test_an_unknown_user_or_item_exits_with_1(poise, fitted_shop, monkeypatch, arguments, said):
    monkeypatch.chdir(fitted_shop)
    result = poise(*arguments)
    assert result.code == 1
    assert said in result.error


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("log.csv", None, "log.csv does not exist"),
        ("things.csv", None, "things.csv does not exist"),
        ("log.csv", b"", "log.csv is empty"),
        ("log.csv", b"user,item,time\n", "holds no rows, only the header"),
        ("log.csv", b"user,foo,time\na,b,1\n", "no column that says which item it is"),
        ("log.csv", b"\x89PNG\r\n\x1a\n", "it is a PNG image"),
        ("log.csv", b"a\x00\x01\x02" * 100, "it is binary, not text"),
        ("log.csv", b"user,item,time\na,i01,noon\nb,i02,dusk\n", "'time' does not hold times"),
        ("log.csv", b"user,item,rating\na,i01,good\nb,i02,bad\n", "'rating' does not hold numbers"),
        ("log.csv", b"user,item\na,q1\nb,q2\n", "no event is on an item that the items table lists"),
        ("log.csv", b"user,item\na,i01\nb,i02\n", "there is nothing to measure on"),
    ],
)
def test_bad_files_exit_with_1_and_leave_no_run(poise, shop, file, content, said):
    if content is None:
        (shop / file).unlink()
    else:
        (shop / file).write_bytes(content)
    result = poise("fit", "-p", shop)
    assert result.code == 1
    assert said in result.error
    assert not (shop / "runs").exists()


@pytest.mark.parametrize(
    ("part", "damage", "said"),
    [
        ("pipeline/ranker/members.0/arrays.safetensors", "cut", "damaged"),
        ("pipeline/ranker/members.0/arrays.safetensors", "remove", "damaged"),
        ("pipeline/model.json", "remove", "pipeline/model.json is missing; fit again"),
        ("pipeline/model.json", "cut", "not valid JSON"),
        ("pipeline/items.arrow", "cut", "damaged"),
        ("catalogue.arrow", "cut", "damaged"),
        ("catalogue.arrow", "remove", "catalogue.arrow is missing; fit again"),
        ("run.json", "cut", "not valid JSON"),
        ("run.json", [], "does not describe a run; fit again"),
        ("run.json", {"format": 99, "poise": "9.0"}, "made by Poise 9.0, newer than this"),
    ],
)
def test_a_damaged_or_newer_run_is_a_one_line_error(poise, fitted_shop, tmp_path, part, damage, said):
    shutil.copytree(fitted_shop, tmp_path / "copy")
    path = next((tmp_path / "copy" / "runs").iterdir()) / part
    if damage == "cut":
        os.truncate(path, 20)
    elif damage == "remove":
        path.unlink()
    else:
        path.write_text(json.dumps(damage), encoding="utf-8")
    result = poise("recommend", "-p", tmp_path / "copy", "--user", "001")
    assert result.code == 1
    assert said in result.error


@pytest.mark.parametrize("stage", ["write_report", "write_json", "write_catalogue"])
def test_a_full_disk_leaves_no_run(poise, shop, monkeypatch, stage):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    home = evaluation_room if stage == "write_report" else fitting
    monkeypatch.setattr(home, stage, full)
    result = poise("fit", "-p", shop)
    assert result.code == 1
    assert "the disk is full while writing" in result.error
    assert list((shop / "runs").iterdir()) == []


def test_an_interrupt_while_a_run_is_written_leaves_nothing(poise, shop, monkeypatch):
    def interrupt(path, value):
        write_json(path, value)
        raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "write_json", interrupt)
    monkeypatch.setattr("signal.signal", lambda *_: None)  # the tests go on
    result = poise("fit", "-p", shop)
    assert result.code == 1
    assert result.error == "poise: error: interrupted; nothing half-done was kept"
    assert list((shop / "runs").iterdir()) == []


def test_k_above_the_size_of_the_catalogue_shortens_the_list(poise, shop, fitted_shop):
    change(shop, "poise.toml", "[encoder]", "[evaluation]\nk = [5, 1000]\n[encoder]")
    result = poise("evaluate", "-p", shop, "-m", "Popularity")
    assert result.code == 0
    assert "there are only 24 items, so metrics are of the first 5" in result.err
    for command in (["recommend", "--history", "i01"], ["similar", "i02"]):
        result = poise(*command, "-p", fitted_shop, "-k", 1000)
        assert result.code == 0
        assert "items to show, not 1,000" in result.err


def test_init_leaves_the_file_that_is_there_when_it_fails(poise, shop):
    before = (shop / "poise.toml").read_bytes()
    assert poise("init", shop).code == 2
    (shop / "log.csv").write_bytes(b"user,item,rating\na,i01,good\nb,i02,bad\n")
    result = poise("init", shop, "--force")
    assert "does not hold numbers" in result.error
    assert (shop / "poise.toml").read_bytes() == before


def test_output_to_a_full_disk(poise, fitted_shop, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("poise.cli.similar.print_table", full)
    result = poise("similar", "i02", "-p", fitted_shop)
    assert result.code == 1
    assert result.error.startswith("poise: error: the output cannot be written (No space left on device)")
