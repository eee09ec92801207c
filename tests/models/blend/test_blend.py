from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.data.dataset import Dataset
from poise.data.queries import Queries
from poise.data.split import leave_last_n, leave_last_out
from poise.errors import UsageError
from poise.models import EASE, Blend, Content, ItemKNN, Popularity, Random
from poise.models.blend.standardise import standardise_scores
from poise.models.blend.weights import choose_weights, gather_pools
from poise.models.validation import mean_ndcg
from poise.persistence import Persistent
from poise.recommender import Recommender


class Counting(Recommender):
    """Scores as it was told, and counts how often it was asked."""

    def __init__(self, score: float = 1.0) -> None:
        self.n_calls = 0
        self.given = score

    def _fit(self, data, valid, options):
        pass

    def score(self, queries):
        self.n_calls += 1
        return np.full((len(queries), queries.item_ids.size), self.given, dtype=np.float32)

    def explain(self, queries, items):
        self.n_calls += 1
        return super().explain(queries, items)

    def similarity(self, items):
        self.n_calls += 1
        return np.zeros((len(items), self.item_ids.size), dtype=np.float32)


Persistent.kinds.pop(f"{__name__}.Counting")


def _groups(n, seed=0):
    """Return histories in which an item is followed by one of the four that belong to it, mostly."""
    rng = np.random.default_rng(seed)
    histories = []
    for _ in range(n):
        groups = rng.permutation(16)[:3]
        history = [int(item) for group in groups for item in rng.permutation(np.arange(5 * group, 5 * group + 5))[:3]]
        stray = rng.random(9) < 0.2
        histories.append(
            [int(rng.integers(80)) + 1 if odd else item + 1 for item, odd in zip(history, stray, strict=True)]
        )
    return histories


def test_standardised_scores_by_hand():
    scores = np.array([[9, 1, 2, 6], [0, -5, 5, 0]], dtype=np.float32)
    standardised = standardise_scores(scores)
    for row, given_ in enumerate(([1, 2, 6], [-5, 5, 0])):
        z = (np.array(given_) - np.mean(given_)) / np.std(given_)
        np.testing.assert_allclose(standardised[row, 1:], np.sign(z) * np.log1p(np.abs(z)), rtol=1e-5)
    assert not standardised[:, 0].any()
    assert standardised is scores


@pytest.mark.parametrize("width", [2, 7, 100, 1_683])
def test_equal_scores_are_standardised_to_zero(width):
    """Their mean in single precision is seldom the score itself; what is left over must not be blown up."""
    level = np.random.default_rng(width).normal(scale=100, size=(200, 1))
    assert not standardise_scores(np.repeat(level, width, axis=1).astype(np.float32)).any()
    scores = np.repeat(level, width, axis=1).astype(np.float32)
    scores[:, ::2] = np.nextafter(scores[:, ::2], np.float32(np.inf))  # equal but for rounding
    assert not standardise_scores(scores).any()


@given(st.floats(0.01, 100.0), st.floats(-100.0, 100.0))
def test_standardised_scores_do_not_depend_on_scale_and_level(scale, level):
    scores = np.linspace(0, 1, 12, dtype=np.float32)[None] ** 2
    np.testing.assert_allclose(
        standardise_scores((scores * scale + level).astype(np.float32)),
        standardise_scores(scores.copy()),
        atol=0.05,
        rtol=0.05,
    )


def test_the_blend_score_is_the_weighted_sum(films):
    members = [EASE(l2=5.0), Content()]
    model = Blend(members=members, weights=[3, 1]).fit(films)
    queries = films.queries()
    expected = 0.75 * standardise_scores(members[0].score(queries)) + 0.25 * standardise_scores(
        members[1].score(queries)
    )
    np.testing.assert_allclose(model.score(queries), expected, rtol=1e-5, atol=1e-6)
    assert model.shares.tolist() == [0.75, 0.25]
    assert Blend(members=members).fit(films).shares.tolist() == [0.5, 0.5]


def test_pools_give_the_ndcg_that_evaluation_gives(films):
    """The catalogue is smaller than a pool, so that nothing is cut off."""
    valid = leave_last_n(films, 2).valid
    members = [member.fit(valid.train) for member in (EASE(l2=5.0, left_out=0), Content(), Popularity())]
    pools = gather_pools(members, valid)
    assert pools.n == len(valid)
    for weights in ([1.0, 0.0, 0.0], [0.2, 0.5, 0.3], [0.0, 0.6, 0.4]):
        blend = Blend(members=members, weights=weights)
        blend.item_ids = films.item_ids
        actual = float(pools.ndcg(np.array(weights)).sum()) / pools.n
        assert actual == pytest.approx(mean_ndcg(blend, valid), abs=1e-6)


def test_selected_weights_favour_the_better_member(log_of):
    """ItemKNN is right, Random knows nothing."""
    data = log_of(_groups(150))
    split = leave_last_out(data)
    members = [Random(), ItemKNN(decay=0.5), Random(seed=5)]
    for member in members:
        member.fit(split.train)
    weights = choose_weights(members, split.test)
    assert weights.sum() == pytest.approx(1)
    assert weights.min() >= 0
    assert weights[1] > 0.8
    pools = gather_pools(members, split.test)
    assert pools.ndcg(weights).sum() >= pools.ndcg(np.full(3, 1 / 3)).sum()
    np.testing.assert_array_equal(weights, choose_weights(members, split.test))


def test_selected_weights_rank_no_worse_than_equal_ones(films):
    split = leave_last_n(films, 2)
    members = [EASE(l2=5.0), Random(), Popularity(), Content()]
    model = Blend(members=members).fit(split.train, split.valid)
    equal = Blend(members=members, weights=[1, 1, 1, 1])
    assert mean_ndcg(model, split.valid) >= mean_ndcg(equal, split.valid)
    assert model.selected.weights == model.shares.tolist()


def test_refitting_keeps_weights_and_decays(films):
    split = leave_last_out(films)
    model = Blend(members=[EASE(l2=5.0), Content(), Random()]).fit(split.train, split.valid)
    shares, decays = model.shares.tolist(), [member.recency for member in model.members[:2]]
    model.refit(split.train_and_valid)
    assert model.shares.tolist() == shares
    assert [member.recency for member in model.members[:2]] == decays
    assert model.members[0].data_fingerprint == split.train_and_valid.fingerprint


def test_a_member_of_weight_zero_does_not_score(films):
    idle = Counting()
    model = Blend(members=[EASE(), idle], weights=[1, 0]).fit(films)
    model.recommend(films.queries(), k=3, explain=True)
    model.similar(["i03"], k=3)
    assert idle.n_calls == 0


def test_a_member_with_equal_scores_changes_nothing(films):
    ease = EASE(l2=5.0, decay=0.8)
    alone = Blend(members=[ease]).fit(films)
    model = Blend(members=[ease, Counting(0.1)]).fit(films)
    queries = films.queries()
    np.testing.assert_allclose(model.score(queries), 0.5 * alone.score(queries), rtol=1e-6)
    slates = model.recommend(queries.take([0]), k=5, explain=True)
    assert slates.reasons == alone.recommend(queries.take([0]), k=5, explain=True).reasons


def test_reasons_are_shared_between_members(films):
    model = Blend(members=[Popularity(), EASE(l2=5.0)]).fit(films)
    queries = Queries.from_histories([[2, 4, 6]], films.item_ids)
    slate = model.recommend(queries, k=21, explain=True)[0]
    kinds = {tuple(reason.kind for reason in reasons) for reasons in slate.reasons}
    assert {kind for row in kinds for kind in row} == {"popular", "history"}
    for reasons in slate.reasons:
        shares = [reason.share for reason in reasons]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) <= 1 + 1e-6


def test_similarity_comes_from_members_that_have_it(films):
    ease = EASE(l2=5.0)
    both = Blend(members=[Popularity(), ease]).fit(films)
    assert both.similar(["i03"], k=5)[0].items[0] == ease.similar(["i03"], k=5)[0].items[0]
    with pytest.raises(UsageError, match="Blend cannot tell"):
        Blend(members=[Popularity(), Random()]).fit(films).similar(["i03"])


@pytest.mark.parametrize("weights", [[1], [1, 2, 3], [1, -1], [0, 0], [], [float("nan"), 1], [float("inf"), 1]])
def test_weights_must_fit_the_members(weights):
    with pytest.raises(UsageError, match="2 members need as many weights"):
        Blend(members=[Random(), Popularity()], weights=weights)


def test_a_blend_without_members_is_refused():
    with pytest.raises(UsageError, match="members"):
        Blend(members=[])


def test_members_fitted_on_the_same_data_are_not_fitted_again(films: Dataset) -> None:
    split = leave_last_out(films)
    learnt = EASE(l2=5.0).fit(split.train, split.valid)
    weights = learnt.weights
    Blend(members=[learnt, Popularity()]).fit(split.train, split.valid)
    assert learnt.weights is weights
    Blend(members=[learnt, Popularity()]).fit(split.train_and_valid, split.valid)
    assert learnt.weights is not weights


def test_a_member_that_brings_nothing_is_said_and_dropped_by_a_refit(log_of) -> None:
    rng = np.random.default_rng(0)
    starts = rng.integers(1, 40, size=300)
    split = leave_last_out(log_of([[int(start + step) for step in range(6)] for start in starts], 60))
    idle = Counting()
    blend = Blend(members=[ItemKNN(decay=0.3), idle]).fit(split.train, split.valid)
    assert blend.shares.tolist() == [1, 0]
    assert "Counting brings nothing" in blend.notes[0]
    assert blend.selection["weights"] == {"ItemKNN": 1.0, "Counting": 0.0}
    fitted_on = idle.data_fingerprint
    blend.refit(split.train_and_valid)
    assert [member.name for member in blend.members] == ["ItemKNN"]
    assert idle.data_fingerprint == fitted_on
    given = Blend(members=[ItemKNN(decay=0.3), Counting()], weights=[1, 0]).fit(split.train, split.valid)
    assert len(given.refit(split.train_and_valid).members) == 2


def test_of_two_members_that_say_the_same_one_gets_no_weight(films: Dataset) -> None:
    split = leave_last_n(films, 2)
    members = [EASE(l2=5.0, decay=decay).fit(split.train) for decay in (0.7, 0.7)]
    assert sorted(choose_weights(members, split.valid).tolist()) == [0, 1]
