from __future__ import annotations

import os
from datetime import UTC, datetime

import polars as pl
import pytest

from poise.config import check_config
from poise.errors import DataError, PoiseError, UsageError
from poise.project import Project
from poise.project.fitting import compare, cutoffs_for, fit
from poise.project.run import Run
from poise.project.scaffold import find_sources, scaffold


@pytest.fixture
def project(tmp_path, films):
    log = films.events
    pl.DataFrame(
        {
            "user": films.user_ids.ids(log.user),
            "item": films.item_ids.ids(log.item),
            "time": [datetime.fromtimestamp(moment / 1000, UTC).isoformat() for moment in log.timestamp.tolist()],
        }
    ).write_csv(tmp_path / "log.csv")
    pl.DataFrame({"id": films.item_ids.series, "name": films.titles[1:]}).write_csv(
        tmp_path / "films.tsv", separator="\t"
    )
    (tmp_path / "poise.toml").write_text('[data]\nevents = "log.csv"\nitems = "films.tsv"\n[encoder]\nmodel = "none"\n')
    return Project(tmp_path)


def test_data_is_cached_until_a_file_changes(project):
    first = project.data()
    heard = []
    again = Project(project.folder, say=heard.append)
    assert again.data().fingerprint == first.fingerprint
    assert not heard
    with (project.folder / "log.csv").open("a") as log:
        log.write("new,i01,2024-01-01T00:00:00\n")
    assert again.data().n_events == first.n_events + 1
    assert "reading log.csv" in heard
    assert len(list((project.folder / ".poise").iterdir())) == 1


def test_a_damaged_data_cache_is_rebuilt(project):
    first = project.data()
    cache = next((project.folder / ".poise").iterdir())
    os.truncate(cache / "item.npy", 10)
    assert project.data().fingerprint == first.fingerprint


def test_a_read_only_project_folder_is_still_read(project, monkeypatch):
    def refuse(data, path):
        raise PoiseError("it cannot be written")

    monkeypatch.setattr("poise.project.project.save_dataset", refuse)
    heard = []
    assert Project(project.folder, say=heard.append).data().n_events
    assert "going on without a cache: it cannot be written" in heard


def test_a_run_holds_its_config_metrics_and_pipeline(project):
    run = fit(project)
    assert project.runs == [run.name]
    again = Run.open(run.path)
    assert {path.name for path in run.path.iterdir()} == {
        *("run.json", "config.toml", "metrics.json", "report.html", "catalogue.arrow", "pipeline")
    }
    assert again.metadata["data"]["events"] == project.data().n_events
    assert 0 <= again.metadata["metrics"]["NDCG@10"] <= 1
    history = again.find("Sea Story 1, Moon Story 2")
    slate = again.pipeline.recommend(again.queries([history]), 3)[0]
    assert len(slate) == 3
    assert not {"i01", "i02"} & set(slate.items)


def test_missing_runs_are_an_error(project):
    with pytest.raises(UsageError, match="make one with 'poise fit'"):
        project.run()
    fit(project)
    with pytest.raises(UsageError, match="there is no run 'nope'"):
        project.run("nope")


def test_models_are_compared_with_the_pipeline(project):
    report = compare(project, project.data(), "global-time", ["Random", "EASE", "Content"])
    assert list(report.models) == ["Random", "EASE", "Blend"]  # without vectors, Content cannot learn
    assert report.pipeline[0] == "Blend"
    with pytest.raises(UsageError, match="Did you mean 'EASE'"):
        compare(project, project.data(), "leave-last-out", ["Eas"])


def test_k_is_limited_by_the_size_of_the_catalogue(project, log_of):
    few = log_of([[1, 2, 3]])
    assert cutoffs_for(project, few) == [3]
    config = check_config({"data": {"events": "log.csv"}, "evaluation": {"k": [2, 9]}})
    heard: list[str] = []
    assert cutoffs_for(Project(project.folder, config=config, say=heard.append), few) == [2]
    assert "there are only 3 items" in heard[0]


def test_a_fit_without_test_events_leaves_no_run(project):
    (project.folder / "log.csv").write_text("user,item\na,i01\nb,i02\n")
    with pytest.raises(DataError, match="there is nothing to measure on"):
        fit(project)
    assert not project.runs_folder.exists()


def test_files_are_found_by_their_columns(project):
    (project.folder / "customers.csv").write_text("customer_id,age\nu01,30\n")
    (project.folder / "notes.txt").write_text("hello\nworld\n")
    sources = find_sources(project.folder, {"events": None, "items": None, "users": None}, {})
    assert {table: source.path for table, source in sources.tables.items()} == {
        **{"events": "log.csv", "items": "films.tsv", "users": "customers.csv"}
    }
    text = scaffold(project.folder, sources.tables, None, project.data())
    assert 'timestamp = "time"' in text
    assert 'title = "name"' in text


def test_a_named_file_without_known_columns_is_refused(project):
    (project.folder / "odd.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="no column that says who it was"):
        find_sources(project.folder, {"events": "odd.csv"}, {})
    with pytest.raises(DataError, match="does not exist"):
        find_sources(project.folder, {"events": "none.csv"}, {})
