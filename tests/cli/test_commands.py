from __future__ import annotations

import json
import shutil

import polars as pl
import pytest

from poise.cli.common import print_table


def test_recommend_shows_history_titles_and_reasons(poise, fitted_shop):
    result = poise("recommend", "-p", fitted_shop, "--user", "001", "-k", 3)
    assert result.code == 0
    assert "For user 001" in result.out
    assert "because you chose Moon, story" in result.out


def test_a_history_of_titles_with_commas(poise, fitted_shop):
    result = poise("recommend", "-p", fitted_shop, "--history", "Sea, story 4, Moon, story 5", "-k", 2, "--json")
    slates = json.loads(result.out)
    assert [event["item_id"] for event in slates[0]["history"]] == ["i04", "i05"]
    assert len(slates[0]["items"]) == 2
    assert not {"i04", "i05"} & {item["item_id"] for item in slates[0]["items"]}


@pytest.mark.parametrize(
    "options",
    [
        ["-H", "sea, STORY 4; moon, story 5"],
        ["-H", '"Sea, story 4", "Moon, story 5"'],
        ["-H", "Sea, story 4", "-H", "i05"],
        ["--history", "i04,i05"],
    ],
)
def test_a_history_is_written_in_many_ways(poise, fitted_shop, options):
    result = poise("recommend", "-p", fitted_shop, *options, "-k", 2, "--json")
    assert [event["item_id"] for event in json.loads(result.out)[0]["history"]] == ["i04", "i05"]


def test_an_empty_history_gets_what_is_popular(poise, fitted_shop):
    result = poise("recommend", "-p", fitted_shop, "--history", "", "-k", 2)
    assert result.code == 0
    assert "popular with others" in result.out


def test_k_may_be_all_unseen_items(poise, fitted_shop):
    result = poise("recommend", "-p", fitted_shop, "--user", "001", "-k", 24)
    assert result.code == 0
    assert "items are left to recommend" in result.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["recommend", "--user", "001", "--user", "002"],
        ["similar", "i04"],
        ["check"],
        ["evaluate", "-m", "Random", "--protocol", "leave-last-out", "--report", "page.html"],
        ["evaluate", "-m", "Random", "--folds", "3"],
        ["data", "list"],
    ],
)
def test_with_json_only_json_goes_to_standard_output(poise, fitted_shop, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    project = [] if arguments[0] == "data" else ["-p", fitted_shop]
    result = poise(*arguments, *project, "--json")
    assert result.code == 0
    assert json.loads(result.out)


def test_two_fits_within_a_second_make_two_runs(poise, shop, monkeypatch):
    from poise.project import fitting

    class Stopped(fitting.datetime):
        @classmethod
        def now(cls, zone=None):
            return cls(2026, 1, 2, 3, 4, 5, tzinfo=zone)

    monkeypatch.setattr(fitting, "datetime", Stopped)
    first = poise("fit", "-p", shop)
    assert first.code == 0
    assert f"next: poise recommend -p {shop}" in first.out
    metadata = json.loads(poise("fit", "-p", shop, "--json").out)
    assert metadata["run"] == "2026-01-02T03-04-05-2"
    assert sorted(path.name for path in (shop / "runs").iterdir()) == ["2026-01-02T03-04-05", "2026-01-02T03-04-05-2"]
    assert json.loads(poise("recommend", "-p", shop, "-u", "001", "--json").out)[0]["run"] == "2026-01-02T03-04-05-2"


def test_items_added_since_the_run_are_reported(poise, shop):
    """A new user is served from their history; an item that the run does not know is passed over."""
    assert poise("fit", "-p", shop).code == 0
    with (shop / "log.csv").open("a") as log:
        log.write("new,i02,1710000000\nnew,i99,1710000001\n")
    with (shop / "things.csv").open("a") as things:
        things.write("i99,The Newest\n")
    slates = json.loads(poise("recommend", "-p", shop, "--user", "new", "--json", "-k", 3).out)
    assert [event["item_id"] for event in slates[0]["history"]] == ["i02"]
    assert len(slates[0]["items"]) == 3


def test_with_few_events_per_user_only_the_time_split_is_evaluated(poise, shop):
    rows = [
        (f"u{user}", f"i{(user * 7 + index * 3) % 20:02}", 1_700_000_000 + (user * 3 + index * 7) * 86_400)
        for user in range(40)
        for index in range(2)
    ]
    pl.DataFrame(rows, schema=["user", "item", "time"], orient="row").write_csv(shop / "log.csv")
    result = poise("fit", "-p", shop)
    assert result.code == 0
    assert "no user has 3 events or more" in result.err
    assert "(global time, test part)" in result.out


def test_evaluation_of_a_catalogue_smaller_than_the_default_k(poise, shop):
    rows = [
        (f"u{user}", f"i{item:02}", 1_700_000_000 + (user + place) * 86_400)
        for user in range(20)
        for place, item in enumerate([(user + index) % 4 for index in range(3)])
    ]
    pl.DataFrame(rows, schema=["user", "item", "time"], orient="row").write_csv(shop / "log.csv")
    (shop / "things.csv").write_text("item_id,title\n" + "".join(f"i{index:02},T{index}\n" for index in range(4)))
    result = poise("fit", "-p", shop)
    assert result.code == 0
    assert "NDCG@4" in result.out


def test_without_timestamps_the_time_split_is_left_out(poise, shop):
    log = pl.read_csv(shop / "log.csv", infer_schema=False).drop("time")
    log.write_csv(shop / "log.csv")
    result = poise("evaluate", "-p", shop, "-m", "Popularity", "--json")
    assert list(json.loads(result.out)) == ["leave-last-out"]
    assert "no times" in result.err


def test_windows_line_ends(poise, shop):
    for file in shop.iterdir():
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    result = poise("check", "-p", shop)
    assert result.code == 0
    assert "of 30 users with 24 items" in result.out


def test_init_writes_a_project_that_can_be_fitted(poise, tmp_path, shop):
    (shop / "poise.toml").unlink()
    result = poise("init", shop)
    assert result.code == 0
    assert "events: log.csv (user_id = user, item_id = item, timestamp = time)" in result.out
    text = (shop / "poise.toml").read_text(encoding="utf-8")
    (shop / "poise.toml").write_text(text.replace('# model = "multilingual"', 'model = "none"'), encoding="utf-8")
    assert poise("fit", "-p", shop).code == 0


def test_init_takes_column_names_as_options(poise, shop):
    (shop / "poise.toml").unlink()
    text = (shop / "log.csv").read_text().replace("user,item,time", "wer,was,wann")
    (shop / "log.csv").write_text(text)
    failed = poise("init", shop, "--items", "things.csv")
    assert failed.code == 2
    assert "--columns 'user_id=NAME, item_id=NAME'" in failed.error
    wrong = poise("init", shop, "--events", "log.csv", "--columns", "user_id=wre, item_id=was")
    assert "Did you mean 'wer'?" in wrong.error
    assert not (shop / "poise.toml").exists()
    assert "not of the form" in poise("init", shop, "--columns", "wer").error
    result = poise("init", shop, "--columns", "user_id=wer, item_id=was, timestamp=wann")
    assert result.code == 0
    assert 'user_id = "wer"' in (shop / "poise.toml").read_text()
    assert poise("check", "-p", shop).code == 0


def test_check_warns_of_a_language_that_the_encoder_does_not_read(poise, shop):
    things = "item_id,title\n" + "".join(f"i{item:02},红楼梦与三国演义第{item}回\n" for item in range(24))
    (shop / "things.csv").write_text(things, encoding="utf-8")
    (shop / "poise.toml").write_text('[data]\nevents = "log.csv"\nitems = "things.csv"\n', encoding="utf-8")
    assert "multilingual" in poise("check", "-p", shop).out
    text = (shop / "poise.toml").read_text() + '[encoder]\nmodel = "multilingual"\n'
    (shop / "poise.toml").write_text(text)
    assert "multilingual" not in poise("check", "-p", shop).out


def test_help_of_every_command(poise):
    for command in ("demo", "init", "check", "fit", "evaluate", "recommend", "similar", "data"):
        assert "--help" in poise(command, "--help").out
    assert "recommend" in poise("--help").out


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_table_keeps_within_the_terminal(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    print_table(
        ("", "item", "score"), [("1", "A title that is rather long\nbecause it is", "1.5"), ("2", "红楼梦", "–")]
    )
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert any("because it is" in line for line in lines)
    assert all(line == line.rstrip() for line in lines)


def test_fit_prints_what_was_selected_and_the_notes(poise, shop, quick_learning):
    path = shop / "poise.toml"
    tiny = "[models.SASRec]\ndim = 8\nheads = 2\nepochs = 2\n[fit]\ndevice = 'cpu'\nthreads = 1\nseed = 3\n"
    path.write_text(path.read_text() + '[pipeline]\nmodels = ["SASRec", "ItemKNN"]\n' + tiny)
    result = poise("fit", "-p", shop)
    assert result.code == 0
    assert "chosen on validation: weights {'SASRec': " in result.err
    assert "chosen on validation: ItemKNN {'decay': " in result.err
    assert "SASRec: the data has no vectors of its items" in result.err
    (run,) = (shop / "runs").iterdir()
    metadata = json.loads((run / "run.json").read_text())
    assert metadata["chosen_on_validation"]["SASRec"]["epochs"] in (1, 2)
    assert list(metadata["validation_metrics"]["SASRec"]) == ["NDCG@10"]
    assert list(metadata["notes"]) == ["SASRec"]
    assert list((shop / ".poise" / "training").iterdir())


def test_a_device_that_is_missing_is_an_error(poise, shop):
    path = shop / "poise.toml"
    path.write_text(path.read_text() + '[pipeline]\nmodels = ["GRU4Rec"]\n[fit]\ndevice = "abacus"\n')
    assert "device 'abacus' is not there; use 'cpu'" in poise("fit", "-p", shop).error


def test_similar_says_what_it_goes_by_and_how_sure_it_is(poise, fitted_shop):
    said = poise("similar", "-p", fitted_shop, "i02", "--by", "behaviour")
    assert "Most like Sea, story 2, by behaviour (" in said.out
    assert "events, so much of this is chance):" in said.out
    untouched = json.loads(poise("similar", "-p", fitted_shop, "i23", "--json").out)
    assert (untouched["by"], untouched["events"], untouched["similar"]) == (None, 0, [])
    assert "of which nothing is known" in poise("similar", "-p", fitted_shop, "i23").out
    refused = poise("similar", "-p", fitted_shop, "i02", "--by", "content")
    assert refused.code == 2
    assert "cannot tell which items are similar by content" in refused.error


def test_evaluate_knows_the_blend_by_its_name(poise, fitted_shop, tmp_path):
    shutil.copytree(fitted_shop, tmp_path / "shop")
    result = poise("evaluate", "-p", tmp_path / "shop", "-m", "Blend", "--protocol", "leave-last-out", "--json")
    assert result.code == 0, result.err
    assert list(json.loads(result.out)["leave-last-out"]["metrics"]) == ["Blend"]


def test_fit_says_in_the_terminal_whether_the_pipeline_beats_popularity(poise, shop):
    outcome = poise("fit", "-p", shop, "--yes")
    assert outcome.code == 0, outcome.err
    assert "Popularity: NDCG@10 differs by" in outcome.out
    assert "a random order: NDCG@10 differs by" in outcome.out
    assert "The run serves" in outcome.out
    assert "which is not measured" in outcome.out
    (row,) = json.loads(poise("runs", "list", "-p", shop, "--json").out)
    assert row["against_popularity"]["metric"] == "NDCG@10"
