from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import entropy
from sklearn.metrics.pairwise import cosine_similarity

from poise.errors import UsageError
from poise.evaluation import beyond_accuracy
from poise.evaluation.items import ItemStatistics

HISTORIES = [[1, 2, 3], [1, 2, 4], [1, 2], [1]]  # counts: item 1 has 4, item 2 has 3, items 3 and 4 one, item 5 none
GENRES = [["drama"], ["drama", "war"], ["comedy"], ["comedy", "war"], []]


@pytest.fixture
def holdout(make_holdout):
    return make_holdout(HISTORIES, [[5], [5], [5], [5]], 5, genres=GENRES)


@pytest.fixture
def statistics(holdout):
    return ItemStatistics.of(holdout.train)


def slates(*rows):
    return np.array(rows, dtype=np.int32)


def test_item_statistics_by_hand(statistics):
    assert statistics.counts.tolist() == [0, 4, 3, 1, 1, 0]
    assert statistics.by_popularity[:2].tolist() == [1, 2]
    assert set(statistics.by_popularity[2:4].tolist()) == {3, 4}
    # 80 % of 9 events are 7.2: items 1 and 2 hold 7, so one of the items with one event belongs to the head too
    assert statistics.group[0] == -1
    assert statistics.group[[1, 2]].tolist() == [0, 0]
    assert sorted(statistics.group[[3, 4]].tolist()) == [0, 1]
    assert statistics.group[5] == 2


def test_novelty_popularity_and_tail_by_hand(statistics):
    shown = slates([1, 3], [5, 0], [0, 0])
    bits = beyond_accuracy.novelty(shown, statistics)
    assert bits[0] == pytest.approx((-np.log2(4 / 9) - np.log2(1 / 9)) / 2)
    assert bits[1] == pytest.approx(-np.log2(1 / 9))  # no event counts as one
    assert np.isnan(bits[2])
    assert beyond_accuracy.average_popularity(shown, statistics)[:2].tolist() == [2.5, 0.0]
    assert beyond_accuracy.long_tail_share(slates([1, 2], [5, 0], [1, 5]), statistics).tolist() == [0.0, 1.0, 0.5]


def test_diversity_of_labels_and_of_vectors(statistics):
    # cosines of label sets: {drama} with {drama, war} is 1/sqrt(2); {comedy} with {drama} is 0; {} with all is 0
    actual = beyond_accuracy.intra_list_diversity(slates([1, 2, 0], [1, 3, 5], [1, 0, 0]), statistics)
    assert actual[0] == pytest.approx(1 - 1 / np.sqrt(2))
    assert actual[1] == pytest.approx(1.0)
    assert np.isnan(actual[2])
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(6, 7)).astype(np.float32)
    vectors[0] = 0
    shown = np.array([rng.permutation(np.arange(1, 6))[:4] for _ in range(20)], dtype=np.int32)
    of_vectors = beyond_accuracy.intra_list_diversity(shown, replace(statistics, content=vectors))
    upper = np.triu_indices(4, 1)
    for row, items in enumerate(shown):
        assert of_vectors[row] == pytest.approx(1 - cosine_similarity(vectors[items])[upper].mean(), abs=1e-5)


def test_diversity_prefers_vectors(holdout):
    vectors = np.ones((6, 3), dtype=np.float32)
    vectors[0] = 0
    statistics = ItemStatistics.of(holdout.train.with_vectors("text", vectors))
    assert statistics.content_name == "text"
    assert beyond_accuracy.intra_list_diversity(slates([1, 2, 3]), statistics)[0] == pytest.approx(0.0, abs=1e-6)


def test_serendipity_counts_hits_that_a_popularity_list_would_not_have_shown(statistics):
    allowed = np.ones((3, 6), dtype=bool)
    allowed[:, 0] = False
    allowed[1, 1:3] = False  # this person saw the two most popular items, so the list goes on after them
    assert beyond_accuracy.popular_reach(allowed, statistics, 2).tolist() == [2, 4, 2]
    shown = slates([1, 5], [3, 5], [0, 0])
    hits = np.array([[True, True], [True, False], [False, False]])
    actual = beyond_accuracy.serendipity(shown, hits, beyond_accuracy.popular_reach(allowed, statistics, 2), statistics)
    assert actual[:2].tolist() == [0.5, 0.0]
    assert np.isnan(actual[2])


def test_popular_reach_of_a_long_history_and_of_too_few_items():
    rng = np.random.default_rng(1)
    order = rng.permutation(np.arange(1, 201)).astype(np.int32)
    rank = np.zeros(201, dtype=np.int64)
    rank[order] = np.arange(1, 201)
    statistics = ItemStatistics(np.ones(201, int), np.zeros(201), order, rank, np.ones(201, np.int32))
    allowed = rng.random((50, 201)) < rng.random((50, 1))
    for k in (1, 7):
        expected = []
        for row in allowed:
            places = np.flatnonzero(row[order]) + 1
            expected.append(places[k - 1] if len(places) >= k else 200)
        assert beyond_accuracy.popular_reach(allowed, statistics, k).tolist() == expected


def test_calibration_is_the_divergence_of_label_distributions(holdout, statistics):
    history = beyond_accuracy.history_labels(holdout.queries, statistics)
    assert statistics.labels_name == "genres"
    # labels in order: comedy, drama, war; the first history is {drama}, {drama, war}, {comedy}
    np.testing.assert_allclose(history[0], [1 / 3, 1.5 / 3, 0.5 / 3])
    actual = beyond_accuracy.calibration(slates([1, 2, 3], [4, 3, 0], [5, 0, 0], [1, 0, 0]), history, statistics)
    assert actual[0] == pytest.approx(0.0)
    p, q = history[1], np.array([1.5, 0, 0.5]) / 2
    assert actual[1] == pytest.approx(entropy(p, 0.99 * q + 0.01 * p))
    assert np.isnan(actual[2])
    assert actual[3] == pytest.approx(0.0)


def test_a_column_of_labels_that_is_not_there_is_named(holdout):
    with pytest.raises(UsageError, match="no column 'genre' of labels; choose from genres"):
        ItemStatistics.of(holdout.train, "genre")


def test_coverage_and_gini_by_hand():
    shown = slates([1, 2], [1, 0])
    assert beyond_accuracy.coverage(shown, 4)[0] == 0.5
    assert beyond_accuracy.gini(slates([1, 2], [3, 4]), 4)[0] == pytest.approx(0.0)
    assert beyond_accuracy.gini(slates([1], [1]), 4)[0] == pytest.approx(3 / 4)  # all places for one of four
    exposure = np.array([0, 0, 1, 2])
    pairs = np.abs(exposure[:, None] - exposure).mean() / (2 * exposure.mean())  # half the relative mean difference
    assert beyond_accuracy.gini(shown, 4)[0] == pytest.approx(pairs)


def test_standard_errors_of_coverage_and_gini_are_by_jackknife():
    rng = np.random.default_rng(2)
    shown = np.array([rng.choice(np.arange(1, 31), 4, replace=False, p=np.arange(1, 31) / 465) for _ in range(25)])
    shown = shown.astype(np.int32)
    shown[3, 2:] = 0
    for metric, tolerance in ((beyond_accuracy.coverage, 1e-9), (beyond_accuracy.gini, 2e-2)):
        without = np.array([metric(np.delete(shown, row, axis=0), 30)[0] for row in range(25)])
        expected = np.sqrt(24 / 25 * ((without - without.mean()) ** 2).sum())
        assert metric(shown, 30)[1] == pytest.approx(expected, rel=tolerance)
