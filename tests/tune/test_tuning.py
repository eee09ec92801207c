"""Looking for better options: what is tried, what is kept, what a kill leaves, what is written."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import tomllib

import polars as pl
import pytest

from poise.config import check_config
from poise.errors import DataError, PoiseError, UsageError
from poise.models import EASE, ItemKNN, model_names
from poise.models.validation import mean_ndcg, sample
from poise.options.search_space import Range
from poise.project import Project
from poise.tune import search
from poise.tune.report import report
from poise.tune.space import search_space
from poise.tune.toml_options import write_options
from poise.tune.tuning import tune

FILES = {"events": "log.csv"}
TOML = '[data]\nevents = "log.csv"\n\n[encoder]\nmodel = "none"\n'
RANGE = '[tune]\nmodel = "EASE"\ntrials = 6\n[tune.space]\nl2 = {low = 0.5, high = 500, log = true}\n'
GRID = (
    '[tune]\nmodel = "ItemKNN"\nsearch = "grid"\n[tune.space]\nneighbours = {low = 2, high = 8, step = 3}\n'
    "shrink = [0, 10.0]\n"
)
SASREC = (
    "[models.SASRec]\ndim = 8\ndropout = 0.2\nheads = 2\nmax_length = 6\nepochs = 4\nnegatives = 8\nbatch_events = 64\n"
    '[tune]\nmodel = "SASRec"\n'
)


@pytest.fixture
def make(tmp_path, films):
    """Return a function that makes a project with further lines in its ``poise.toml``."""
    log = films.events
    pl.DataFrame(
        {
            "user": films.user_ids.ids(log.user),
            "item": films.item_ids.ids(log.item),
            "time": log.timestamp // 1000,
        }
    ).write_csv(tmp_path / "log.csv")

    def project(lines="", say=lambda line: None):
        (tmp_path / "poise.toml").write_text(TOML + lines)
        return Project(tmp_path, say=say)

    return project


def forget(folder):
    for file in (folder / ".poise").glob("tune.db*"):
        file.unlink()


def trials_of(search):
    return [(dict(trial.options), trial.state, trial.metric) for trial in search.trials]


def test_the_present_options_are_the_first_trial_measured_on_validation(make, monkeypatch):
    from poise.data.split import leave_last_out

    project = make(RANGE)
    split = leave_last_out(project.data())
    outcome = tune(project)
    assert outcome.current.number == 0
    assert outcome.current.options == {"l2": None}
    assert len(outcome.trials) == 6
    assert outcome.best.metric == max(of_search.metric for of_search in outcome.trials)
    for trial in (outcome.current, outcome.best):
        model = EASE(l2=trial.options["l2"]).fit(split.train, split.valid)
        assert trial.metric == pytest.approx(mean_ndcg(model, sample(split.valid)))
    assert all(0.5 <= drawn.options["l2"] <= 500 for drawn in outcome.trials[1:])


@pytest.mark.parametrize("search", ["bayesian", "random"])
def test_a_search_is_repeatable_by_seed_and_resumes(make, tmp_path, search):
    whole = trials_of(tune(make(RANGE), search=search))
    forget(tmp_path)
    heard = []
    tune(make(RANGE), search=search, trials=3)
    again = tune(make(RANGE, heard.append), search=search)
    assert trials_of(again) == whole
    assert "3 trials of an earlier search are kept; going on to 6" in heard
    other = tune(make(RANGE.replace("[tune.space]", "seed = 1\n[tune.space]")), search=search, trials=7)
    assert trials_of(other)[:6] == whole  # the earlier trials serve any search of the same space


def test_a_grid_search_tries_each_point_once(make):
    outcome = tune(make(GRID))
    points = [(trial.options["neighbours"], trial.options["shrink"]) for trial in outcome.trials if trial.number]
    assert sorted(points) == [(n, shrink) for n in (2, 5, 8) for shrink in (0.0, 10.0)]
    assert outcome.current.options == {"neighbours": 200, "shrink": 10.0}
    assert trials_of(tune(make(GRID))) == trials_of(outcome)
    assert len(tune(make(GRID), trials=9).trials) == 7
    with_now = "[models.ItemKNN]\nneighbours = 5\n" + GRID
    again = tune(make(with_now))
    assert again.current.options == {"neighbours": 5, "shrink": 10.0}
    assert trials_of(again) == trials_of(outcome)  # it was a point of the grid, and is not tried again


def test_a_search_ends_when_a_small_space_is_exhausted(make):
    lines = '[tune]\nmodel = "ItemKNN"\ntrials = 20\nsearch = "random"\n[tune.space]\nneighbours = [2, 3]\n'
    heard = []
    outcome = tune(make(lines, heard.append))
    assert sorted(trial.options["neighbours"] for trial in outcome.trials) == [2, 3, 200]
    assert "the search repeats options that were tried" in heard[-1]


def test_importance_finds_the_option_that_matters(make, monkeypatch):
    monkeypatch.setattr(search, "mean_ndcg", lambda model, part: 1 / model.neighbours + 1e-4 / (1 + model.shrink))
    lines = '[tune]\nmodel = "ItemKNN"\nsearch = "random"\ntrials = 25\n'
    outcome = tune(make(lines))
    assert list(outcome.importance) == ["neighbours", "shrink"]
    assert sum(outcome.importance.values()) == pytest.approx(1)
    assert outcome.importance["neighbours"] > 0.6
    assert not tune(make(lines), trials=3).importance or len(outcome.trials) == 25


def test_bad_trials_are_pruned(make, monkeypatch):
    from poise.models import SASRec

    ended = []

    def learn(model, data, valid, options):
        for epoch in range(1, 5):
            for callback in options.callbacks:
                callback.on_epoch("SASRec", epoch, epoch * (1 if model.dropout < 0.5 else 0.1))
        ended.append(model.dropout)
        return model

    monkeypatch.setattr(SASRec, "fit", learn)
    monkeypatch.setattr(search, "mean_ndcg", lambda model, part: 4 * (1 if model.dropout < 0.5 else 0.1))
    space = 'search = "grid"\n[tune.space]\ndropout = [0.0, 0.1, 0.2, 0.3, 0.4, 0.45, 0.7, 0.8, 0.9]\n'
    outcome = tune(make(SASREC + space))
    bad = [trial for trial in outcome.trials if trial.options["dropout"] > 0.5]
    pruned = [trial for trial in bad if trial.state == "pruned"]
    assert pruned
    assert all(len(trial.epochs) == 3 and trial.options["dropout"] not in ended for trial in pruned)
    assert all(trial.state == "complete" for trial in outcome.trials if trial.options["dropout"] < 0.5)
    assert outcome.best.state == "complete"
    assert "stopped early" in report(outcome).render()


def test_models_trained_by_epochs_report_each_epoch(make):
    outcome = tune(make(SASREC + "trials = 2\n[tune.space]\ndropout = [0.1]\nvectors = [['text']]\n"))
    assert all(1 <= len(trial.epochs) <= 4 for trial in outcome.trials)
    assert outcome.trials[1].options == {"dropout": 0.1, "vectors": ["text"]}
    assert outcome.trials[1].metric == pytest.approx(max(outcome.trials[1].epochs.values()))


def test_a_trial_with_incompatible_options_fails_and_the_search_continues(make):
    outcome = tune(make(SASREC + 'search = "grid"\n[tune.space]\nheads = [3, 4]\n'))
    states = {trial.options["heads"]: trial.state for trial in outcome.trials}
    assert states == {2: "complete", 3: "failed", 4: "complete"}
    failed = next(trial for trial in outcome.trials if trial.state == "failed")
    assert "3 heads do not divide dim 8" in failed.error
    assert "3 heads do not divide dim 8" in report(outcome).render()


CHILD = """
import sys, time
from poise.models import EASE
from poise.project import Project
from poise.tune.tuning import tune
if len(sys.argv) > 1:
    fit, fits = EASE.fit, []
    def slow(self, data, valid, options):
        fits.append(1)
        if len(fits) == 4:
            print(self.l2, flush=True)
            time.sleep(60)
        return fit(self, data, valid, options)
    EASE.fit = slow
tune(Project("."))
"""


def test_a_killed_search_resumes_its_trial(make, tmp_path):
    whole = trials_of(tune(make(RANGE)))
    forget(tmp_path)
    process = subprocess.Popen([sys.executable, "-c", CHILD, "slow"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    trying = float(process.stdout.readline())
    with pytest.raises(UsageError, match="another 'poise tune' is at work"):
        tune(make(RANGE))
    process.send_signal(signal.SIGKILL)
    process.wait()
    outcome = tune(make(RANGE))
    assert trials_of(outcome) == whole
    assert outcome.trials[3].options["l2"] == trying
    with sqlite3.connect(tmp_path / ".poise" / "tune.db") as connection:
        states = [row[0] for row in connection.execute("SELECT state FROM trials ORDER BY trial_id")]
    assert states.count("FAIL") == 1
    assert "RUNNING" not in states


def test_an_interrupt_keeps_finished_trials(make, monkeypatch):
    fit, fits = EASE.fit, []

    def stop(self, data, valid, options):
        fits.append(1)
        if len(fits) == 4:
            raise KeyboardInterrupt
        return fit(self, data, valid, options)

    monkeypatch.setattr(EASE, "fit", stop)
    outcome = tune(make(RANGE))
    assert outcome.interrupted
    assert len(outcome.trials) == 3
    assert not tune(make(RANGE)).interrupted


def test_no_trial_begins_after_the_time_limit(make):
    heard = []
    outcome = tune(make(RANGE.replace("[tune.space]", "minutes = 0.00001\n[tune.space]"), heard.append))
    assert len(outcome.trials) == 1
    assert "minutes are over" in heard[-1]


def test_models_that_cannot_be_tuned_are_refused(make, tmp_path):
    with pytest.raises(UsageError, match="Random has no space of its own; allowed: choices or ranges of seed"):
        tune(make(), model="Random")
    with pytest.raises(UsageError, match="Did you mean 'EASE'"):
        tune(make(), model="Eas")
    with pytest.raises(DataError, match="Content cannot learn from this data"):
        tune(make('[tune]\nmodel = "Content"\n[tune.space]\ndecay = [0.5, 0.9]\n'))
    with pytest.raises(UsageError, match="search = 'grid' tries every value"):
        tune(make(RANGE), search="grid")
    tune(make(RANGE), trials=1)
    (tmp_path / ".poise" / "tune.db").write_bytes(b"no data base at all" * 100)
    with pytest.raises(PoiseError, match="delete it and what begins with its name"):
        tune(make(RANGE))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"search": "bayes"}, "tune.search: found 'bayes'; allowed: 'bayesian', 'random' or 'grid'"),
        ({"model": "Ease"}, "tune.model: found 'Ease', which is no model. Did you mean 'EASE'"),
        ({"trials": 0}, "tune.trials: found 0"),
        ({"space": {"l3": [1]}}, "tune.space: EASE has no option 'l3'. .*Allowed: decay, value_weight, l2"),
        ({"space": {"l2": 5}}, "tune.space.l2: found 5; allowed: a list of choices, or a range"),
        ({"space": {"l2": []}}, "tune.space.l2: found no choices"),
        ({"space": {"l2": [1, "much"]}}, "tune.space.l2.1: found 'much'; allowed: a valid number"),
        ({"space": {"l2": [1, 1.0]}}, "tune.space.l2: found 1.0 twice"),
        ({"space": {"l2": [0.0]}}, "tune.space.l2.0: found 0.0; allowed: greater than 0"),
        ({"space": {"l2": {"low": 5, "high": 1}}}, "tune.space.l2: found low = 5.0, high = 1.0; allowed: low below"),
        ({"space": {"l2": {"low": 5}}}, r"\[tune.space.l2.high\] is missing"),
        ({"space": {"l2": {"low": 1, "hihg": 2}}}, "Did you mean 'high'"),
        ({"space": {"l2": {"low": float("nan"), "high": 1}}}, "found nan; allowed: a finite number"),
        ({"space": {"decay": {"low": 0, "high": 1, "log": True}}}, "tune.space.decay"),
        ({"space": {"l2": {"low": 1, "high": 2, "log": True, "step": 0.5}}}, "found step = 0.5 with log"),
        ({"space": {"l2": {"low": 1, "high": 2, "step": 3}}}, "l2.step: found 3.0; allowed: a number, at most high"),
        ({"model": "SASRec", "space": {"dim": {"low": 8, "high": 32, "step": 0.5}}}, "allowed: a whole number"),
        (
            {"model": "SASRec", "space": {"block": {"low": 1, "high": 2}}},
            "space.block.low: found 1.0; allowed: 'ligr'",
        ),
        (
            {"model": "SASRec", "space": {"logq_correction": {"low": 0, "high": 1}}},
            "found a range; allowed: a list of choices",
        ),
        ({"search": "grid", "space": {"l2": {"low": 1, "high": 2}}}, "l2: found a range without steps"),
    ],
)
def test_tune_config_errors_name_the_key_the_value_and_what_is_allowed(table, said):
    with pytest.raises(UsageError, match=said) as error:
        check_config({"data": FILES, "pipeline": {"models": ["EASE"]}, "tune": table})
    assert str(error.value).startswith("poise.toml: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("search", ["bayesian", "grid"])
def test_search_spaces_are_valid_options_of_their_models(search):
    names = []
    for name in model_names():
        config = check_config({"data": FILES, "tune": {"model": name, "search": search}})
        try:
            space = search_space(config)
        except UsageError:
            continue
        names.append(name)
        given = {option: values if isinstance(values, list) else vars(values) for option, values in space.items()}
        again = check_config({"data": FILES, "tune": {"model": name, "space": given}})
        assert again.tune_space() == space
        assert all(isinstance(values, list) for values in space.values()) or search != "grid"
        for option, values in space.items():
            for value in [values.low, values.high] if isinstance(values, Range) else values:
                check_config({"data": FILES, "models": {name: {option: value}}})
    assert {"EASE", "ItemKNN", "ALS", "BPR", "SASRec"} <= set(names)


def test_a_grid_that_is_too_large_is_refused():
    space = {"neighbours": {"low": 1, "high": 500, "step": 1}, "shrink": {"low": 0, "high": 100, "step": 1}}
    config = check_config({"data": FILES, "tune": {"model": "ItemKNN", "search": "grid", "space": space}})
    with pytest.raises(UsageError, match="found a grid of 50,500 points; allowed: at most 10,000"):
        search_space(config)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_tuned_options_are_written_between_comments(tmp_path, end):
    before = (
        '# films\n[data]\nevents = "log.csv"  # from the shop\n\n[models.EASE]  # closed form\n# by me\nl2 = 5 # why\n'
        "\n[evaluation]\nk = [5,10]  # two\n"
    ).replace("\n", end)
    path = tmp_path / "poise.toml"
    path.write_bytes(before.encode())
    write_options(tmp_path, "EASE", {"l2": 231.4})
    assert path.read_bytes().decode() == before.replace("l2 = 5 ", "l2 = 231.4 ")
    write_options(tmp_path, "SASRec", {"dim": 64, "block": "classic", "logq_correction": True, "learning_rate": 1e-5})
    after = path.read_bytes().decode()
    assert after.startswith(before.replace("l2 = 5 ", "l2 = 231.4 ").rstrip())
    assert f'{end}{end}[models.SASRec]{end}dim = 64{end}block = "classic"{end}' in after
    assert tomllib.loads(after)["models"]["SASRec"]["learning_rate"] == 1e-5


def test_a_poise_toml_that_cannot_be_edited_stays_as_it_is(tmp_path):
    path = tmp_path / "poise.toml"
    path.write_text('models = {EASE = {l2 = 5}}\n[data]\nevents = "log.csv"\n')
    before = path.read_text()
    with pytest.raises(PoiseError, match="put the lines in by hand"):
        write_options(tmp_path, "ItemKNN", {"shrink": 3.0})
    assert path.read_text() == before


def test_the_tuning_page_shows_history_options_and_trials(make, monkeypatch):
    monkeypatch.setattr(ItemKNN, "fit", lambda self, data, valid, options: self)
    monkeypatch.setattr(search, "mean_ndcg", lambda model, part: 1 / model.neighbours)
    outcome = tune(make('[tune]\nmodel = "ItemKNN"\ntrials = 12\n'))
    text = report(outcome).render()
    for heading in ("Result", "History", "Options", "Trials"):
        assert f">{heading}" in text
    assert "[models.ItemKNN]" in text
    assert "PED-ANOVA" in text
    json.dumps(outcome.to_dict(), allow_nan=False)


def test_only_one_search_at_a_time(tmp_path):
    with search.exclusive_folder(tmp_path / ".poise") as folder:
        assert folder.is_dir()
        with pytest.raises(UsageError, match="another 'poise tune' is at work"), search.exclusive_folder(folder):
            pass
    with search.exclusive_folder(folder):
        pass
