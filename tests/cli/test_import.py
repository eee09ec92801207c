"""``poise data import``: files of Gorse and of Amazon Personalize as they are, once each, and broken ones."""

import json
import os
import signal
import subprocess
import sys
import time

import polars as pl
import pytest

from poise.project import Project

GORSE_FEEDBACK = """\
{"FeedbackType":"read","UserId":"001","ItemId":"i04","Value":0,"Timestamp":"2024-01-01T10:00:00Z","Comment":""}
{"FeedbackType":"like","UserId":"001","ItemId":"g1","Value":2,"Timestamp":"2024-01-01T10:05:00.25Z","Comment":"app"}
{"FeedbackType":"like","UserId":"gil","ItemId":"g2","Value":1,"Timestamp":"2024-01-02T00:00:00+01:00","Comment":""}
"""
GORSE_FEEDBACK_CSV = """\
feedback_type,user_id,item_id,time_stamp
read,001,i04,2024-01-01 10:00:00 +0000 UTC
like,001,g1,2024-01-01 10:05:00.25 +0000 UTC
like,gil,g2,2024-01-02 00:00:00 +0100 CET
"""
GORSE_ITEMS = """\
{"ItemId":"g1","IsHidden":false,"Categories":["book"],"Timestamp":"2020-01-01T01:01:01.000000001Z",\
"Labels":{"genre":["comedy","sci-fi"],"pages":120},"Comment":"The Hitchhiker"}
{"ItemId":"g2","IsHidden":true,"Categories":["book","old"],"Timestamp":"2021-01-01T01:01:01Z",\
"Labels":{"genre":["crime"],"pages":90},"Comment":"The Big Sleep"}
{"ItemId":"g3","IsHidden":false,"Categories":null,"Timestamp":"2022-01-01T01:01:01Z","Labels":null,"Comment":"New"}
"""
GORSE_USERS = '{"UserId":"gil","Labels":{"city":"Bonn"},"Subscribe":["news"],"Comment":"Gil"}\n{"UserId":"001"}\n'
PERSONALIZE_EVENTS = """\
USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE,IMPRESSION,RECOMMENDATION_ID
p1,b1,1704103200,Purchase,19.90,b1|b2|i04,RID-1
p1,b2,1704103300,View,,,
002,i05,1704103400,View,,,
"""
PERSONALIZE_ITEMS = """\
ITEM_ID,CREATION_TIMESTAMP,CATEGORY_L1,PRICE,DESCRIPTION,GENRES
b1,1600000000,beauty,19.90,A soap that smells of pines,Soap|Wood
b2,1600000001,garden,5,Seeds of wild flowers,Seeds|Wood
"""
PERSONALIZE_USERS = "USER_ID,AGE,GENDER\np1,34,female\n002,51,male\n"


@pytest.fixture
def files(shop):
    def write(**contents):
        for name, content in contents.items():
            (shop / name.replace("__", ".")).write_text(content, encoding="utf-8")
        return shop

    return write


def opened(shop):
    return Project(shop).open_store()


def run(poise, shop, *arguments):
    result = poise("data", "import", "-p", shop, *arguments, "--json")
    assert result.code == 0, result.err
    return json.loads(result.out)


def test_import_of_gorse_files(poise, files):
    shop = files(feedback__jsonl=GORSE_FEEDBACK, items__jsonl=GORSE_ITEMS, users__jsonl=GORSE_USERS)
    arguments = ["--events", shop / "feedback.jsonl", "--items", shop / "items.jsonl", "--users", shop / "users.jsonl"]
    counts = run(poise, shop, *arguments)
    assert counts["events"] == {"read": 3, "accepted": 3, "duplicates": 0, "refused": 0, "erased": 0}
    assert (counts["items"]["accepted"], counts["users"]["accepted"]) == (3, 2)
    assert counts["quarantine"] is None
    with opened(shop) as store:
        new = [event for event in store.history("001") if event.behaviour != "interaction"]
        assert [(event.behaviour, event.item_id, event.value, event.time) for event in new] == [
            ("read", "i04", 0.0, 1_704_103_200_000),
            ("like", "g1", 2.0, 1_704_103_500_250),
        ]
        assert new[1].context == {"Comment": "app"}
        assert store.history("gil")[0].time == 1_704_150_000_000
        first, hidden = store.item("g1"), store.item("g2")
        assert (first.available, hidden.available, store.item("g3").available) == (True, False, True)
        assert first.content == {
            "title": "The Hitchhiker",
            "Categories": ["book"],
            "Timestamp": "2020-01-01T01:01:01.000000001Z",
            "Labels.genre": ["comedy", "sci-fi"],
            "Labels.pages": 120.0,
        }
        assert store.user("gil").content == {"Labels.city": "Bonn", "Subscribe": ["news"], "Comment": "Gil"}
        data = store.dataset()
    assert data.titles[data.item_ids.index(["g1"])[0]] == "The Hitchhiker"
    assert data.item_kinds["Labels.genre"] == "categories"


def test_import_of_amazon_personalize_files(poise, files):
    shop = files(interactions__csv=PERSONALIZE_EVENTS, goods__csv=PERSONALIZE_ITEMS, people__csv=PERSONALIZE_USERS)
    files_ = ["--events", shop / "interactions.csv", "--items", shop / "goods.csv", "--users", shop / "people.csv"]
    assert run(poise, shop, *files_)["events"]["accepted"] == 3
    with opened(shop) as store:
        bought, viewed = store.history("p1")
        assert (bought.behaviour, bought.value, bought.time) == ("Purchase", 19.9, 1_704_103_200_000)
        assert bought.context == {"IMPRESSION": "b1|b2|i04", "RECOMMENDATION_ID": "RID-1"}
        assert bought.request_id is None
        assert (viewed.behaviour, viewed.value, viewed.context) == ("View", None, None)
        soap = store.item("b1").content
        assert soap["PRICE"] == 19.9
        assert soap["GENRES"] == ["Soap", "Wood"]
        assert soap["CATEGORY_L1"] == "beauty"
        assert soap["DESCRIPTION"] == "A soap that smells of pines"
        assert store.user("p1").content == {"AGE": 34.0, "GENDER": "female"}
        assert store.dataset().item_kinds["DESCRIPTION"] == "text"


def test_importing_twice_makes_duplicates_once(poise, files):
    shop = files(a__jsonl=GORSE_FEEDBACK, b__csv=GORSE_FEEDBACK_CSV, c__jsonl=GORSE_FEEDBACK + GORSE_FEEDBACK)
    assert run(poise, shop, "--events", shop / "a.jsonl")["events"]["accepted"] == 3
    with opened(shop) as store:
        before = store.dataset().n_events
    again = run(poise, shop, "--events", shop / "a.jsonl")["events"]
    assert (again["accepted"], again["duplicates"]) == (0, 3)
    twice = run(poise, shop, "--events", shop / "c.jsonl")["events"]
    assert (twice["accepted"], twice["duplicates"], twice["refused"]) == (0, 3, 3)
    with opened(shop) as store:
        assert store.dataset().n_events == before


def test_equal_events_in_one_file_are_kept_with_duplicates_off(poise, files):
    shop = files(more__csv="user,item,time,rating\n" + "zoe,i01,1710000000,4.1\n" * 3)
    with (shop / "poise.toml").open("a") as config:
        config.write("[data.cleaning]\nduplicates = false\n")
    assert run(poise, shop, "--events", shop / "more.csv")["events"]["accepted"] == 3
    assert run(poise, shop, "--events", shop / "more.csv")["events"]["duplicates"] == 3
    files(more__csv="user,item,time,rating\n" + "zoe,i01,1710000000,4.1\n" * 4)
    assert run(poise, shop, "--events", shop / "more.csv")["events"]["accepted"] == 1


def test_refused_rows_go_to_quarantine(poise, files):
    shop = files(
        more__csv="user,item,time,device\nzoe,i01,1710000000,tv\n,i02,1710000001,tv\nzoe,i03,yesterday,tv\nzoe,,1,tv\n"
        f"zoe,i04,1710000002,tv\nzoe,i04,1710000002,phone\nz{'o' * 300}e,i05,1710000003,tv\nzoe,i06,99,tv\n"
    )
    result = poise("data", "import", "-p", shop, "--events", shop / "more.csv")
    assert result.code == 0
    assert result.out == "events: 8 read, 2 accepted, 6 refused\n"
    assert "1 × events: no user_id" in result.err
    quarantine = pl.read_parquet(shop / "quarantine-import.parquet")
    assert quarantine["row"].to_list() == [2, 3, 4, 6, 7, 8]
    assert sorted(quarantine["reason"]) == [
        "duplicate: the same event stands there before",
        "events: no item_id",
        "events: no user_id",
        "impossible time: before 1990-01-01 (earliest)",
        "timestamp cannot be read",
        "user_id is longer than 256 signs",
    ]
    assert json.loads(quarantine["record"][0]) == {"user": None, "item": "i02", "time": "1710000001", "device": "tv"}
    assert run(poise, shop, "--events", shop / "more.csv")["quarantine"] == str(shop / "quarantine-import.parquet")


def test_the_cleaning_of_the_project_applies_except_the_k_core(poise, files):
    shop = files(more__csv="user,item,time,rating\nzoe,i01,1710000000,5\nzoe,x99,1710000001,5\nzoe,i02,1710000002,1\n")
    with (shop / "poise.toml").open("a") as config:
        config.write('[data.cleaning]\nmin_value = 3\nunknown_items = "drop"\nk_core = 2\n')
    counts = run(poise, shop, "--events", shop / "more.csv")
    assert counts["events"]["accepted"] == 1
    reasons = set(pl.read_parquet(shop / "quarantine-import.parquet")["reason"])
    assert reasons == {"item is not in the items table", "value below 3 (min_value)"}


def test_column_names_can_be_given(poise, files):
    shop = files(
        more__csv="who,what,moment\nzoe,i01,2024-03-01\n", goods__csv="key,label\nn1,New\n", people__csv="k\nzoe\n"
    )
    said = run(
        poise,
        shop,
        *("--events", shop / "more.csv", "--columns", "user_id=who, item_id=what, timestamp=moment"),
        *("--items", shop / "goods.csv", "--item-columns", "item_id=key"),
        *("--users", shop / "people.csv", "--user-columns", "user_id=k"),
    )
    assert [event["accepted"] for event in (said["events"], said["items"], said["users"])] == [1, 1, 1]


def test_events_of_erased_users_are_not_imported(poise, files):
    shop = files(feedback__jsonl=GORSE_FEEDBACK, users__jsonl=GORSE_USERS)
    arguments = ["--events", shop / "feedback.jsonl", "--users", shop / "users.jsonl"]
    run(poise, shop, *arguments)
    with opened(shop) as store:
        store.erase_user("gil", [], "test").result()
    counts = run(poise, shop, *arguments)
    assert counts["events"] == {"read": 3, "accepted": 0, "duplicates": 2, "refused": 0, "erased": 1}
    assert counts["users"] == {"read": 2, "accepted": 1, "duplicates": 0, "refused": 0, "erased": 1}
    with opened(shop) as store:
        assert store.history("gil") == []
        assert store.user("gil") is None


def test_an_erased_user_who_returns_has_only_later_events_imported(poise, files):
    shop = files(feedback__jsonl=GORSE_FEEDBACK)
    run(poise, shop, "--events", shop / "feedback.jsonl")
    with opened(shop) as store:
        store.erase_user("gil", [], "test").result()
    later = int(time.time()) + 60
    files(later__csv=f"user,item,time\ngil,i01,{later}\ngil,i02,1704103200\n")
    assert run(poise, shop, "--events", shop / "later.csv")["events"]["accepted"] == 1


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        ([], "say what to import", 2),
        (["--events", "none.csv"], "none.csv does not exist", 1),
        (["--events", "log.csv"], "log.csv is what poise.toml names as this project's events", 2),
        (["--events", "empty.csv"], "empty.csv is empty", 1),
        (["--events", "things.csv"], "no column that says who it was (user_id)", 1),
        (["--items", "feedback.parquet"], "feedback.parquet is not Parquet, though its name says so", 1),
        (["--events", "cut.json"], "cut.json is not valid JSON", 1),
        (["--events", "timeless.csv"], "timeless.csv has no column of times, and the live log has times", 1),
        (["--events", "old.csv"], "old.csv: none of the 1 events is fit: 1 impossible time", 1),
        (["--events", "kinds.csv"], "the column for behaviour has 300 different values", 1),
        (
            ["--items", "hidden.csv"],
            "the column 'IsHidden' of the items should say true or false, and holds 'maybe'",
            1,
        ),
        (["--users", "things.csv"], "no column that says who it was (user_id)", 1),
        (["--items", "things.csv", "--columns", "item_id"], "is not of the form", 2),
        (["--items", "things.csv", "--store", "mysql://x"], "mysql", 2),
    ],
)
def test_a_bad_import_is_a_one_line_error_and_writes_nothing(poise, files, monkeypatch, arguments, said, code):
    kinds = "".join(f"u,i01,{1_710_000_000 + place},kind{place}\n" for place in range(300))
    shop = files(
        empty__csv="",
        feedback__parquet=GORSE_FEEDBACK,
        cut__json=f"[{GORSE_FEEDBACK}",
        timeless__csv="user,item\na,i01\n",
        old__csv="user,item,timestamp\na,i01,5\n",
        hidden__csv="ItemId,IsHidden\nx,false\ny,maybe\n",
        kinds__csv=f"user,item,time,event\n{kinds}",
    )
    monkeypatch.chdir(shop)
    result = poise("data", "import", *arguments)
    assert result.code == code
    assert said in result.error
    if (shop / "live.sqlite").exists():
        with opened(shop) as store:
            assert store.version() == 0 or len(list(store.all_items())) == 24
            assert store.item("x") is None


def test_one_broken_file_stops_the_whole_import(poise, files):
    shop = files(feedback__jsonl=GORSE_FEEDBACK, items__jsonl='{"ItemId": "g1"}\n{"ItemId": "g1", \n')
    files(items__jsonl="{broken\n{broken\n")
    result = poise("data", "import", "-p", shop, "--events", shop / "feedback.jsonl", "--items", shop / "items.jsonl")
    assert result.code == 1
    assert "items.jsonl" in result.error
    with opened(shop) as store:
        assert {event.behaviour for event in store.history("001")} == {"interaction"}  # those of the project's own file


def test_a_log_without_times_takes_events_without_times(poise, shop):
    lines = (shop / "log.csv").read_text().splitlines()
    (shop / "log.csv").write_text("\n".join(line.rsplit(",", 1)[0] for line in lines))
    (shop / "more.csv").write_text("user,item\nzoe,i01\nzoe,i02\nzoe,i01\n")
    assert run(poise, shop, "--events", shop / "more.csv")["events"]["accepted"] == 3
    assert run(poise, shop, "--events", shop / "more.csv")["events"]["duplicates"] == 3
    with opened(shop) as store:
        assert [event.item_id for event in store.history("zoe")] == ["i01", "i02", "i01"]


def test_import_into_another_store_is_in_the_audit_log(poise, files):
    shop = files(feedback__jsonl=GORSE_FEEDBACK)
    run(poise, shop, "--events", shop / "feedback.jsonl", "--store", "other.sqlite")
    assert not (shop / "live.sqlite").exists()
    with Project(shop).open_store("other.sqlite") as store:
        act = store.audit(1)[0]
        assert (act.act, act.detail["events"]["accepted"]) == ("import", 3)


def test_an_interrupted_import_is_finished_by_the_next(poise, files):
    rows = "".join(f"u{place % 97},i{place % 22:02},{1_704_103_200 + place}\n" for place in range(50_000))
    shop = files(many__csv=f"user,item,time\n{rows}")
    command = [sys.executable, "-m", "poise", "data", "import", "--events", "many.csv"]
    process = subprocess.Popen(
        command, cwd=shop, stderr=subprocess.PIPE, text=True, env={**os.environ, "NO_COLOR": "1"}
    )
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        if (shop / "live.sqlite").exists():
            with opened(shop) as store:
                if len(store.history("u5", 1_000)) > 10:
                    break
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    if process.returncode == 1:  # else it was done, or as good as
        assert "nothing is added twice" in err.splitlines()[-1]
    counts = run(poise, shop, "--events", shop / "many.csv")["events"]
    assert counts["accepted"] + counts["duplicates"] == 50_000
    with opened(shop) as store:
        assert len(store.history("u5", 1_000)) == len({event.time for event in store.history("u5", 1_000)}) == 516


def test_a_return_in_an_export_of_orders_is_no_purchase(poise, files):
    rows = ["5001,ora,i01,2,1710000000", "5002,ora,i03,1,1710000100", "C5003,ora,i01,-2,1710086400"]
    shop = files(orders__csv="\n".join(["InvoiceNo,user,item,quantity,time", *rows]) + "\n")
    assert run(poise, shop, "--events", shop / "orders.csv")["events"]["accepted"] == 3
    with opened(shop) as store:
        told = {(event.item_id, event.behaviour, event.value) for event in store.history("ora")}
        data = store.dataset()
    assert told == {("i01", "purchase", 2.0), ("i03", "purchase", 1.0), ("i01", "return", 2.0)}
    user = data.user_ids.index(["ora"])[0]
    assert data.item_ids.ids(data.events.item[data.events.user == user]) == ["i03"]
