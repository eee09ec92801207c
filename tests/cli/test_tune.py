from __future__ import annotations

import json

import pytest

TABLE = '\n[tune]  # look here\nmodel = "EASE"\ntrials = 5\n\n[tune.space]\nl2 = [1.0, 10.0, 100.0, 1000.0]\n'


@pytest.fixture
def tuned_shop(shop):
    path = shop / "poise.toml"
    path.write_text(path.read_text(encoding="utf-8") + TABLE, encoding="utf-8")
    return shop


def test_tune_prints_trials_the_gain_and_the_lines_for_poise_toml(poise, tuned_shop, monkeypatch):
    monkeypatch.setattr("poise.tune.search.mean_ndcg", lambda model, part: (model.l2 or 5.0) / 2000)
    result = poise("tune", "-p", tuned_shop)
    assert result.code == 0
    assert (
        "EASE, bayesian search: 5 trials; NDCG@10 on 30 requests of the validation part (leave-last-out)" in result.out
    )
    assert "poise.toml" in result.out
    assert "[models.EASE]\nl2 = 1000.0\n" in result.out
    assert "trial 0 (1 of 5): as poise.toml has it: NDCG@10 0.0025" in result.err
    assert "with --write" in result.err
    assert "[models.EASE]" not in (tuned_shop / "poise.toml").read_text()
    assert (tuned_shop / "tuning.html").is_file()
    written = poise("tune", "-p", tuned_shop, "--write", "--report", tuned_shop / "page.html")
    assert written.code == 0
    assert "5 trials of an earlier search are kept" in written.err
    text = (tuned_shop / "poise.toml").read_text()
    assert TABLE in text
    assert text.endswith("\n[models.EASE]\nl2 = 1000.0\n")
    again = poise("tune", "-p", tuned_shop)
    assert "Nothing better was found than what poise.toml has: NDCG@10 0.5000" in again.out


def test_with_json_only_json_goes_to_standard_output(poise, tuned_shop):
    printed = json.loads(poise("tune", "-p", tuned_shop, "--search", "grid", "--trials", 3, "--json").out)
    assert len(printed["trials"]) == 3
    assert printed["current"] == printed["trials"][0]
    assert printed["best"] in printed["trials"]
    assert printed["space"] == {"l2": [1.0, 10.0, 100.0, 1000.0]}
    assert isinstance(printed["toml"], str)


def test_minutes_end_a_search_after_the_trial_that_runs(poise, tuned_shop):
    ended = poise("tune", "-p", tuned_shop, "--minutes", "0.00001")
    assert ended.code == 0
    assert "1e-05 minutes are over" in ended.err
    assert "1 trials" in ended.out
    assert "5 trials" in poise("tune", "-p", tuned_shop, "--minutes", "30").out


@pytest.mark.parametrize("minutes", ["0", "-1", "nan"])
def test_no_minutes_at_all_are_refused(poise, tuned_shop, minutes):
    refused = poise("tune", "-p", tuned_shop, "--minutes", minutes)
    assert refused.code
    assert "minutes" in refused.err
    assert "Traceback" not in refused.err


def test_tune_of_another_model_uses_its_search_space(poise, tuned_shop):
    result = poise("tune", "-p", tuned_shop, "-m", "ItemKNN", "--trials", 2)
    assert result.code == 0
    assert "[tune.space] is for EASE: looking where it suits ItemKNN" in result.err
    assert "neighbours" in result.out


def test_an_interrupt_prints_the_best_trial_and_how_to_resume(poise, tuned_shop, monkeypatch):
    from poise.models import EASE

    fit, fits = EASE.fit, []

    def stop(self, data, valid, options):
        fits.append(1)
        if len(fits) == 3:
            raise KeyboardInterrupt
        return fit(self, data, valid, options)

    monkeypatch.setattr(EASE, "fit", stop)
    result = poise("tune", "-p", tuned_shop, "--write")
    assert result.code == 1
    assert "EASE, bayesian search: 2 trials" in result.out
    assert "the same command goes on from here" in result.err
    assert "[models.EASE]" not in (tuned_shop / "poise.toml").read_text()
    assert "2 trials of an earlier search are kept" in poise("tune", "-p", tuned_shop).err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-m", "Eas"], "Did you mean 'EASE'?"),
        (["--search", "magic"], "'magic' is not one of"),
        (["--trials", "0"], "0 is not in the range x>=1"),
        (["-m", "Random"], "Random has no space of its own"),
    ],
)
def test_a_usage_error_exits_with_2(poise, tuned_shop, arguments, said):
    result = poise("tune", "-p", tuned_shop, *arguments)
    assert result.code == 2
    assert said in result.error
    assert not (tuned_shop / ".poise" / "tune.db").exists()
