import json

import pytest


def write(folder, times, header="user,item,date"):
    folder.mkdir(exist_ok=True)
    rows = [f"u{place % 7},i{place % 5},{time}" for place, time in enumerate(times)]
    (folder / "log.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return folder


DAYS = [f"{day:02}.{month:02}.2024 14:05" for month in (3, 4) for day in range(1, 29)]


@pytest.mark.parametrize(
    ("times", "first", "last"),
    [
        (DAYS, "2024-03-01T14:05:00Z", "2024-04-28T14:05:00Z"),
        ([f"{month}/{day}/10 8:26" for month in (11, 12) for day in (1, 9, 21)], "2010-11-01", "2010-12-21T08:26:00Z"),
        ([f"202405{day:02}" for day in range(10, 30)], "2024-05-10", "2024-05-29"),
        ([f"{day} мая 2024" for day in range(10, 30)], "2024-05-10", "2024-05-29"),
        ([f"2024年5月{day}日 14:05" for day in range(10, 30)], "2024-05-10T14:05", "2024-05-29T14:05"),
        ([f"{day}/May/2024:14:05:00 +0200" for day in range(10, 30)], "2024-05-10T12:05", "2024-05-29T12:05"),
        ([45443 + place / 2 for place in range(20)], "2024-05-31T00:00", "2024-06-09T12:00"),
    ],
)
def test_init_reads_the_notation_of_the_column(poise, tmp_path, times, first, last):
    shop = write(tmp_path / "shop", times)
    assert poise("init", shop).code == 0
    clock = json.loads(poise("check", "-p", shop, "--json").out)["clock"]
    assert clock["start"].startswith(first)
    assert clock["end"].startswith(last)


def test_what_can_be_read_in_two_ways_is_asked_for(poise, tmp_path):
    shop = write(tmp_path / "shop", ["01/02/2024 14:05", "03/04/2024 10:00", "02/01/2024 09:00"])
    assert "--time-format" in poise("init", shop).error
    assert poise("init", shop, "--time-format", "%d/%m/%Y %H:%M").code == 0
    assert 'time_format = "%d/%m/%Y %H:%M"' in (shop / "poise.toml").read_text()
    clock = json.loads(poise("check", "-p", shop, "--json").out)["clock"]
    assert clock["start"].startswith("2024-01-02")
    assert clock["end"].startswith("2024-04-03")
    write(shop, ["2024-05-31", "2024-06-01"])
    assert "does not fit" in poise("check", "-p", shop).error


def test_an_import_takes_the_notation_of_the_project_or_its_own(poise, tmp_path):
    shop = write(tmp_path / "shop", ["01/02/2024", "03/04/2024", "02/01/2024"])
    assert poise("init", shop, "--time-format", "%d/%m/%Y").code == 0
    write(tmp_path / "more", ["05/06/2024"])
    assert poise("data", "import", "-p", shop, "--events", tmp_path / "more" / "log.csv").code == 0
    write(tmp_path / "more", ["07-06-2024"])
    given = ("data", "import", "-p", shop, "--events", tmp_path / "more" / "log.csv")
    assert "does not fit" in poise(*given).error
    assert poise(*given, "--time-format", "%m-%d-%Y").code == 0


@pytest.mark.parametrize("order", [("--events", "log.csv", "--columns", "timestamp="), ("--columns", "timestamp=")])
def test_a_log_can_be_said_to_have_no_clock(poise, tmp_path, order):
    shop = write(tmp_path / "shop", DAYS)
    assert poise("init", shop, *order).code == 0
    assert json.loads(poise("check", "-p", shop, "--json").out)["clock"] is None


def test_dates_and_times_of_day_in_two_columns(poise, tmp_path):
    shop = write(tmp_path / "shop", [day.replace(" ", ",") for day in DAYS], "user,item,date,time")
    said = poise("init", shop)
    assert "were put together as the time" in said.err
    assert json.loads(poise("check", "-p", shop, "--json").out)["clock"]["start"] == "2024-03-01T14:05:00Z"


def test_a_log_without_a_clock_from_init_to_live_events(poise, tmp_path):
    shop = tmp_path / "shop"
    shop.mkdir()
    rows = [(f"u{user}", f"i{(user % 4 + 4 * place) % 19}", place % 3 + 3) for user in range(60) for place in range(6)]
    rows.sort(key=lambda row: row[2])
    lines = ["user,item,rating", *(f"{user},{item},{rating}" for user, item, rating in rows)]
    (shop / "log.csv").write_text("\n".join(lines) + "\n")
    assert poise("init", shop).code == 0
    toml = (shop / "poise.toml").read_text()
    assert 'protocols = ["leave-random-out"]' in toml
    (shop / "poise.toml").write_text(
        toml.replace("[encoder]", '[encoder]\nmodel = "none"').replace("[pipeline]", '[pipeline]\nmodels = ["ItemKNN"]')
    )
    checked = poise("check", "-p", shop).out
    assert "sorted by value" in " ".join(checked.split())
    fitted = poise("fit", "-p", shop)
    assert "leave-random-out" in fitted.out
    assert "1970" not in fitted.out + fitted.err + checked
    (run,) = (shop / "runs").glob("*/run.json")
    assert json.loads(run.read_text())["data"]["until"] is None
    assert "leave-random-out" in poise("evaluate", "-p", shop, "--protocol", "global-time", "-m", "ItemKNN").error
    live = ["user,item,rating,time", *(f"u{user},i{user % 19},5,{1_717_180_205 + user}" for user in range(60))]
    (tmp_path / "live.csv").write_text("\n".join(live) + "\n")
    assert poise("data", "import", "-p", shop, "--events", tmp_path / "live.csv").code == 0
    assert "are needed; wait for more" in poise("learn", "-p", shop).error
    assert poise("fit", "-p", shop).code == 0
    newest = max((shop / "runs").glob("*/run.json"))
    assert json.loads(newest.read_text())["data"]["until"] == 1_717_180_264_000
