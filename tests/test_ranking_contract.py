"""Scoring a catalogue and scoring candidates say the same, and the second costs no more than the candidates."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.errors import UsageError
from poise.models import EASE, Blend, Content, ItemKNN, Popularity
from poise.pipeline import Pipeline
from poise.policy import ColdStartBoost, HideSeen


@pytest.fixture
def queries(films):
    """Return requests of everybody, of whom one has no history, with what is known of them and where they are."""
    everybody = films.queries()
    return replace(everybody, context=films.events.context.head(len(everybody)))


@pytest.fixture
def candidates(queries):
    """Return a few items for each request, some twice, none for the third."""
    rng = np.random.default_rng(0)
    return Ragged.from_rows([rng.integers(1, 25, size=0 if row == 2 else 7) for row in range(len(queries))])


def test_candidates_score_as_they_do_in_the_catalogue(fitted, queries, candidates):
    scores = fitted.score(queries)
    expected = scores[candidates.rows, candidates.values]
    actual = fitted.score_candidates(queries, candidates)
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("n_items", [None, 24, 17])
def test_moments_are_those_of_the_catalogue(fitted, queries, candidates, n_items):
    scores, mean, deviation = fitted.score_with_moments(queries, candidates, n_items)
    np.testing.assert_allclose(scores, fitted.score_candidates(queries, candidates), rtol=1e-5, atol=1e-5)
    counted = np.setdiff1d(np.arange(1, (n_items or 24) + 1), fitted.unscored)
    whole = fitted.score(queries)[:, counted]
    np.testing.assert_allclose(mean, whole.mean(axis=1), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(deviation, whole.std(axis=1), rtol=2e-3, atol=2e-4)


def test_named_candidates_are_ranked_as_in_the_catalogue(fitted, queries, candidates):
    named = replace(queries, candidates=candidates)
    whole, _ = fitted.rank(queries, 24)
    slates, ranked = fitted.rank(named, 7)
    assert ranked.items is not None
    for row in range(len(queries)):
        wanted = [item for item in whole.items[row].tolist() if item in set(candidates[row].tolist())]
        shown = slates.items[row][slates.items[row] > 0].tolist()
        assert set(shown) == set(wanted)
        place = dict(zip(whole.items[row].tolist(), whole.scores[row].tolist(), strict=True))
        in_catalogue = [place[item] for item in shown]
        assert all(first >= second - 1e-3 for first, second in pairwise(in_catalogue))


def test_what_filters_leave_out_is_not_shown_however_it_is_ranked(fitted, queries, candidates):
    even, low = np.arange(25) % 2 == 0, np.arange(25) < 9
    masks = [even if row % 2 else low for row in range(len(queries))]
    for constrained in (replace(queries, allowed=masks), replace(queries, allowed=masks, candidates=candidates)):
        items = fitted.recommend(constrained, 24).items
        for row, mask in enumerate(masks):
            assert mask[items[row][items[row] > 0]].all()
            assert constrained.candidates is not None or (items[row] > 0).any()


class Refuses(EASE):
    """Scores no catalogue."""

    def score(self, queries):
        raise AssertionError("the whole catalogue was scored")


@pytest.fixture
def refuses():
    """Return a ranker that fails when the whole catalogue is to be scored."""
    from poise.persistence import Persistent

    yield Refuses(l2=5.0, decay=1.0)
    Persistent.kinds.pop(f"{__name__}.Refuses", None)


def test_a_ranker_scores_only_what_retrievers_bring(films, refuses):
    pipeline = Pipeline(ranker=refuses, retrievers=[Popularity(), ItemKNN()], candidates=4).fit(films)
    queries = films.queries()
    whole = EASE(l2=5.0, decay=1.0).fit(films).score(queries)
    slates, ranked = pipeline.rank(queries, 8, explain=True)
    rows, places = np.nonzero(slates.items)
    np.testing.assert_allclose(
        slates.scores[rows, places], whole[rows, slates.items[rows, places]], rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(ranked.mean, whole[:, 1:].mean(axis=1), rtol=1e-3, atol=1e-5)
    for slate in slates:
        assert set(slate.sources) <= {"Popularity", "ItemKNN"}
    assert {"Popularity", "ItemKNN"} == {source for slate in slates for source in slate.sources}


def test_a_blend_scores_only_what_retrievers_bring(films, refuses):
    ranker = Blend(members=[refuses, Popularity(), Content(decay=1.0)], weights=[3.0, 1.0, 2.0])
    pipeline = Pipeline(ranker=ranker, retrievers=[ItemKNN()], candidates=6).fit(films)
    plain = Blend(members=[EASE(l2=5.0, decay=1.0), Popularity(), Content(decay=1.0)], weights=[3.0, 1.0, 2.0])
    whole = plain.fit(films).score(films.queries())
    slates = pipeline.recommend(films.queries(), 6, explain=True)
    rows, places = np.nonzero(slates.items)
    np.testing.assert_allclose(
        slates.scores[rows, places], whole[rows, slates.items[rows, places]], rtol=1e-3, atol=1e-3
    )


def test_the_first_retriever_that_brings_an_item_is_its_source(films):
    pipeline = Pipeline(ranker=EASE(l2=5.0), retrievers=[Popularity(), ItemKNN()], candidates=5).fit(films)
    queries = films.queries()
    by_popularity = Popularity().fit(films).recommend(queries, 5)
    for slate, popular in zip(pipeline.recommend(queries, 10), by_popularity, strict=True):
        for item, source in zip(slate.items, slate.sources, strict=True):
            assert (source == "Popularity") == (item in popular.items)


def test_what_a_request_names_needs_no_retriever(films):
    pipeline = Pipeline(ranker=EASE(l2=5.0), retrievers=[Popularity()], candidates=3).fit(films)
    queries = replace(films.queries(["u00"]), candidates=Ragged.from_rows([[21, 22, 23]]), hide_seen=False)
    (slate,) = pipeline.recommend(queries, 5)
    assert set(slate.items) == {"i20", "i21", "i22"}
    assert set(slate.sources) == {"request"}


def test_a_step_that_is_not_there_hides_nothing(films):
    queries = films.queries()
    hides, shows = (
        Pipeline(ranker=EASE(l2=5.0), policy=steps).fit(films).recommend(queries, 24)
        for steps in ([HideSeen()], [ColdStartBoost(boost=0.0)])
    )
    assert (shows.items[:40] > 0).all()
    assert not any(np.isin(queries.history(row), hides.items[row]).any() for row in range(len(queries)))


def test_a_step_changes_without_fitting_anew(films):
    fitted = Pipeline(ranker=Content()).fit(films)
    changed = fitted.with_policy([ColdStartBoost(boost=1.0)])
    assert changed.step(ColdStartBoost).new_items.tolist() == fitted.step(ColdStartBoost).new_items.tolist() == [23]
    assert changed.policy_version != fitted.policy_version
    queries = films.queries()
    assert (changed.recommend(queries, 24).items[:40] == 23).any(axis=1).all()


def test_a_step_that_learns_is_not_put_to_work_before_it_has(films):
    pipeline = Pipeline(ranker=Content(), policy=[HideSeen()]).fit(films)
    with pytest.raises(UsageError, match="ColdStartBoost learns from data"):
        pipeline.with_policy([ColdStartBoost()])


def test_histories_are_read_once_by_a_retriever_that_ranks_too(films, make_model, monkeypatch):
    model = make_model()
    if not hasattr(model, "encode_queries"):
        return
    pipeline = Pipeline(ranker=model, retrievers=[model], candidates=6).fit(films)
    read, encode = [], type(model).encode_queries
    monkeypatch.setattr(type(model), "encode_queries", lambda self, queries: read.append(1) or encode(self, queries))
    pipeline.rank(films.queries(["u00", "u01"]), 3)
    assert len(read) == 1


def test_requests_without_a_history_are_ranked_by_named_candidates(fitted, films):
    nobody = replace(Queries.from_histories([[]], films.item_ids), candidates=Ragged.from_rows([[3, 5, 8]]))
    assert sorted(fitted.recommend(nobody, 3).items[0].tolist()) == [3, 5, 8]
