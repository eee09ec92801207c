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
    found = poise("tune", "-p", tuned_shop)
    assert found.code == 0
    assert (
        "EASE, bayesian search: 5 trials; NDCG@10 on 30 requests of the validation part (leave-last-out)" in found.out
    )
    assert "poise.toml" in found.out
    assert "[models.EASE]\nl2 = 1000.0\n" in found.out
    assert "trial 0 (1 of 5): as poise.toml has it: NDCG@10 0.0025" in found.err
    assert "with --write" in found.err
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
    found = json.loads(poise("tune", "-p", tuned_shop, "--search", "grid", "--trials", 3, "--json").out)
    assert len(found["trials"]) == 3
    assert found["current"] == found["trials"][0]
    assert found["best"] in found["trials"]
    assert found["space"] == {"l2": [1.0, 10.0, 100.0, 1000.0]}
    assert isinstance(found["toml"], str)


def test_tune_of_another_model_uses_its_search_space(poise, tuned_shop):
    found = poise("tune", "-p", tuned_shop, "-m", "ItemKNN", "--trials", 2)
    assert found.code == 0
    assert "[tune.space] is for EASE: looking where it suits ItemKNN" in found.err
    assert "neighbours" in found.out


def test_an_interrupt_prints_the_best_trial_and_how_to_resume(poise, tuned_shop, monkeypatch):
    from poise.models import EASE

    fit, fits = EASE.fit, []

    def stop(self, data, valid, options):
        fits.append(1)
        if len(fits) == 3:
            raise KeyboardInterrupt
        return fit(self, data, valid, options)

    monkeypatch.setattr(EASE, "fit", stop)
    found = poise("tune", "-p", tuned_shop, "--write")
    assert found.code == 1
    assert "EASE, bayesian search: 2 trials" in found.out
    assert "the same command goes on from here" in found.err
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
    found = poise("tune", "-p", tuned_shop, *arguments)
    assert found.code == 2
    assert said in found.error
    assert not (tuned_shop / ".poise" / "tune.db").exists()
