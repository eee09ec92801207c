from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import poise
from poise.data.dataset import Dataset
from poise.data.split import leave_last_out
from poise.models import Blend, Content
from poise.pipeline import Pipeline
from poise.policy import ColdStartBoost, ExploreUnknown, HideSeen
from poise.recommender import load


def _names(pipeline: Pipeline) -> list[str]:
    assert isinstance(pipeline.ranker, Blend)
    return [member.name for member in pipeline.ranker.members]


@pytest.fixture
def quick(monkeypatch):
    """Let SASRec, which takes seconds, be unable to learn from anything."""
    from poise.models import SASRec

    monkeypatch.setattr(SASRec, "unsupported_reason", lambda self, data: "it takes too long for a test")


def test_it_is_what_poise_toml_gives(films: Dataset, tmp_path) -> None:
    pipeline = poise.default_pipeline(films)
    assert _names(pipeline) == ["SASRec", "EASE", "ItemKNN", "Popularity", "Content"]
    (tmp_path / "poise.toml").write_text('[data]\nevents = "log.csv"\n', encoding="utf-8")
    described = poise.Project(tmp_path).config.make_pipeline()
    assert [step.name for step in pipeline.policy] == [step.name for step in described.policy]
    assert pipeline.policy_version == described.policy_version
    assert pipeline.candidates == described.candidates


def test_it_is_fitted_with_data_as_it_was_read_and_saved(films: Dataset, tmp_path, quick) -> None:
    bare = replace(films, vectors={})
    heard: list[str] = []
    pipeline = poise.default_pipeline(bare, say=heard.append)
    assert "leaving out SASRec: it takes too long for a test" in heard
    assert _names(pipeline) == ["EASE", "ItemKNN", "Popularity", "Content"]
    split = leave_last_out(bare)
    pipeline.fit(split.train, split.valid)
    content = pipeline.ranker.members[-1]
    assert isinstance(content, Content)
    assert content.item_vectors.any()
    slates = pipeline.recommend(bare.queries(users=["u03"]), k=5)
    assert len(slates[0].items) == 5
    pipeline.refit(bare)
    pipeline.save(tmp_path / "pipeline")
    again = load(tmp_path / "pipeline")
    queries = bare.queries()
    np.testing.assert_allclose(again.score(queries), pipeline.score(queries), rtol=1e-5)


def test_a_catalogue_without_texts_is_recommended_from_by_behaviour_alone(log_of) -> None:
    heard: list[str] = []
    pipeline = poise.default_pipeline(log_of([[1, 2, 3], [2, 3, 4]]), say=heard.append)
    assert "Content" not in _names(pipeline)
    assert "the catalogue has no texts: recommending by behaviour alone" in heard


def test_where_people_come_back_to_the_same_things_these_are_shown(log_of) -> None:
    habits = log_of([[user % 5 + 1, user % 7 + 1] * 6 for user in range(40)])
    assert [type(step) for step in poise.default_pipeline(habits).policy] == [ColdStartBoost, ExploreUnknown]
    once = log_of([[1, 2, 3], [2, 3, 4]])
    assert isinstance(poise.default_pipeline(once).policy[0], HideSeen)


def test_people_who_did_one_thing_each_are_shown_what_is_popular(quick) -> None:
    events = pl.DataFrame(
        {"user_id": [f"u{n}" for n in range(9)], "item_id": ["a", "b", "b", "c", "b", "a", "c", "b", "a"]}
    )
    data = poise.build_dataset(events)
    slate = poise.default_pipeline(data).fit(data).recommend(poise.Queries.from_histories([[]], data.item_ids), k=2)[0]
    assert len(slate.items) == 2
