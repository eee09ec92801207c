from __future__ import annotations

from dataclasses import replace

import numpy as np

from poise.models import EASE, Content, ItemKNN, Popularity
from poise.pipeline import Pipeline
from poise.policy import ColdStartBoost, HideSeen
from poise.recommender import load


def _new(pipeline):
    return pipeline.step(ColdStartBoost).new_items.tolist()


def test_a_pipeline_without_retrievers_scores_as_its_ranker(films):
    ranker = EASE(l2=5.0).fit(films)
    pipeline = Pipeline(ranker=EASE(l2=5.0)).fit(films)
    queries = films.queries()
    assert np.array_equal(pipeline.recommend(queries, 5).items, ranker.recommend(queries, 5).items)
    assert pipeline.name == "EASE"


def test_only_retrieved_items_are_ranked(films):
    retriever = Popularity().fit(films)
    queries = films.queries()
    retrieved = retriever.recommend(queries, 4).items
    pipeline = Pipeline(ranker=EASE(l2=5.0), retrievers=[Popularity()], candidates=4).fit(films)
    slates = pipeline.recommend(queries, 6)
    for row, allowed in zip(slates.items, retrieved, strict=True):
        assert set(row[row > 0]) == set(allowed[allowed > 0])
    assert pipeline.name == "EASE over Popularity"


def test_two_retrievers_give_the_union_of_candidates(films):
    pipeline = Pipeline(ranker=EASE(l2=5.0), retrievers=[Popularity(), ItemKNN()], candidates=3).fit(films)
    queries = films.queries()
    parts = [model.fit(films).recommend(queries, 3).items for model in (Popularity(), ItemKNN())]
    slates = pipeline.recommend(queries, 6)
    for row, *item in zip(slates.items, *parts, strict=True):
        union = set(np.concatenate(item).tolist()) - {0}
        assert set(row[row > 0].tolist()) == union


def test_an_added_item_is_new_until_it_has_an_event(films, grown_films):
    pipeline = Pipeline(
        ranker=Content(), retrievers=[Popularity()], candidates=26, policy=[HideSeen(), ColdStartBoost(boost=1.0)]
    ).fit(films)
    grown = pipeline.extend_catalogue(grown_films)
    assert _new(pipeline) == [23]  # i22; of i23 nothing is known
    assert _new(grown) == [23, 25]
    queries = replace(films.queries(["u00", "u02"]), item_ids=grown_films.item_ids)
    assert set(grown.recommend(queries, 5).items[0]) >= {23, 25}
    chosen = grown.touched(np.array([25, 4], dtype=np.int32))
    assert (_new(chosen), _new(grown)) == ([23], [23, 25])
    assert (chosen.score(queries)[:, 25] < grown.score(queries)[:, 25]).all()
    np.testing.assert_array_equal(chosen.score(queries)[:, :25], grown.score(queries)[:, :25])


def test_a_pipeline_is_saved_and_loaded(films, tmp_path):
    pipeline = Pipeline(ranker=EASE(l2=5.0), retrievers=[Popularity()], candidates=9).fit(films)
    pipeline.save(tmp_path / "pipeline")
    again = load(tmp_path / "pipeline")
    queries = films.queries()
    first, second = (recommender.recommend(queries, 5, explain=True) for recommender in (pipeline, again))
    assert np.array_equal(first.items, second.items)
    assert np.array_equal(first.scores, second.scores)
    assert first.reasons == second.reasons
    assert np.array_equal(pipeline.similar(["i03"], 3).items, again.similar(["i03"], 3).items)
