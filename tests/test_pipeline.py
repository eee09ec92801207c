from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from poise.errors import UsageError
from poise.models import EASE, Blend, Content, ItemKNN, Popularity
from poise.options.likeness import Likeness
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


def _in_two_stages():
    return Pipeline(ranker=EASE(l2=5.0), retrievers=[Popularity(), Content()], candidates=9)


def _blended():
    return Pipeline(ranker=Blend(members=[EASE(l2=5.0), Popularity(), Content()], weights=[1, 1, 0]))


@pytest.mark.parametrize("make", [_in_two_stages, _blended])
def test_similar_items_by_content_by_behaviour_or_by_both(films, make):
    pipeline = make().fit(films)

    def most_alike(model, by=None):
        return model.similar(["i04"], 12, by=by).items.tolist()

    by_content, by_behaviour = most_alike(pipeline, "content"), most_alike(pipeline, "behaviour")
    assert by_content == most_alike(Content().fit(films))
    assert by_behaviour == most_alike(EASE(l2=5.0).fit(films))
    assert by_content != by_behaviour
    assert most_alike(pipeline, "both") not in (by_content, by_behaviour)
    with pytest.raises(UsageError, match="by is 'taste'; allowed: content, behaviour, both"):
        most_alike(pipeline, "taste")


def test_what_is_known_of_an_item_says_what_it_is_compared_by(films_like):
    pipeline = _blended().fit(films := films_like(n_users=400))
    counts = dict(zip(films.item_ids.series, films.item_counts[1:], strict=True))
    assert counts["i04"] >= 50
    assert pipeline.likeness("i04") == Likeness("behaviour", counts["i04"])
    assert pipeline.likeness("i22") == Likeness("content", 0)  # nobody touched it
    assert pipeline.likeness("i23") == Likeness(None, 0)  # and this one has no text either
    slates = pipeline.similar(["i04", "i22", "i23"], 5)
    assert slates[0].items == pipeline.similar(["i04"], 5, by="behaviour")[0].items
    assert slates[1].items == pipeline.similar(["i22"], 5, by="content")[0].items
    assert slates[2].items == []
    assert pipeline.similar(["i22"], 5, by="behaviour")[0].items == []
    few = _blended().fit(films_like(n_users=60))
    assert few.likeness("i04").by == "both"
    assert few.likeness("i04").certainty == "fair"


def test_without_texts_items_are_compared_by_behaviour(films):
    pipeline = Pipeline(ranker=EASE(l2=5.0)).fit(films)
    assert pipeline.likeness("i04").by == "behaviour"
    assert pipeline.similar(["i04"], 5).items.tolist() == pipeline.similar(["i04"], 5, by="behaviour").items.tolist()
    for by in ("content", "both"):
        with pytest.raises(UsageError, match=f"cannot tell which items are similar by {by}"):
            pipeline.similar(["i04"], 5, by=by)


def test_what_items_are_compared_by_outlives_saving_and_a_new_item(films, grown_films, tmp_path):
    pipeline = _blended().fit(films)
    pipeline.save(tmp_path / "pipeline")
    again = load(tmp_path / "pipeline")
    assert again.likeness("i04") == pipeline.likeness("i04")
    grown = again.extend_catalogue(grown_films)
    assert grown.likeness("i24") == Likeness("content", 0)
    assert grown.likeness("i25") == Likeness(None, 0)


@pytest.mark.parametrize(
    ("by", "events", "certainty", "text"),
    [
        ("behaviour", 4, "low", "by behaviour (4 events, so much of this is chance)"),
        ("both", 30, "fair", "by content and behaviour (30 events, so some of this may be chance)"),
        ("behaviour", 1_500, "good", "by behaviour (1,500 events)"),
        ("behaviour", 0, "low", "by behaviour (0 events, so nothing is known of what people did)"),
        ("content", 1, None, "by content (1 event, too few to go by what people did)"),
        ("content", 80, None, "by content (80 events)"),
        ("both", None, None, "by content and behaviour"),
        (None, None, None, ""),
        (None, 0, None, "of which nothing is known: no event, and no text that the run reads"),
    ],
)
def test_how_sure_a_likeness_is(by, events, certainty, text):
    likeness = Likeness(by, events)
    assert likeness.certainty == certainty
    assert likeness.text == text
