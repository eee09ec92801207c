from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.data.queries import Queries
from poise.data.split import leave_last_out
from poise.data.vocabulary import Vocabulary
from poise.models import ALS, BPR, EASE, Content, ItemKNN
from poise.models.history_sum_model import DECAYS, DEFAULT_DECAY, history_weights
from poise.models.validation import mean_ndcg

ADDITIVE = {
    "EASE": EASE(l2=5.0, decay=0.6),
    "ItemKNN": ItemKNN(neighbours=8, decay=0.9),
    "ALS": ALS(factors=5, iterations=4, decay=0.5),
    "ALS, order forgotten": ALS(factors=5, iterations=4, decay=1.0),
    "BPR": BPR(factors=5, iterations=30, decay=0.8),
    "Content": Content(decay=0.7),
}


@pytest.mark.parametrize("name", ADDITIVE)
@pytest.mark.parametrize("repeats", [1, 3, 40])  # 40 times 6 events: the weights of the first come to nothing
def test_attributions_add_up_to_the_score(name, repeats, films):
    model = ADDITIVE[name].fit(films)
    rng = np.random.default_rng(repeats)
    history = rng.integers(1, 7, size=6).tolist() + rng.integers(7, 25, size=6 * (repeats - 1)).tolist()
    queries = Queries.from_histories([history], films.item_ids)
    items = np.arange(1, 25, dtype=np.int32)
    attributions = model.attributions(queries, items)
    assert attributions.shape == (len(history), 24)
    bias = model.item_vectors[items, -1] if isinstance(model, BPR) else 0
    np.testing.assert_allclose(attributions.sum(axis=0) + bias, model.score(queries)[0, 1:], rtol=2e-3, atol=2e-5)
    again = [item in history[index + 1 :] for index, item in enumerate(history)]
    assert not attributions[again].any()  # only the newest event on an item counts


@given(st.lists(st.integers(1, 5), min_size=1, max_size=12), st.sampled_from([1.0, 0.8, 0.3]))
def test_history_weights_agree_with_the_history_matrix(history, decay):
    weights = history_weights(np.array(history, dtype=np.int32), decay)
    matrix = Queries.from_histories([history], Vocabulary(list("abcde"))).matrix(decay).toarray()[0]
    of_item = np.bincount(history, weights, minlength=6)
    np.testing.assert_allclose(of_item, matrix, rtol=1e-6)


def test_the_decay_is_selected_on_validation(log_of):
    """What comes next depends on the last event alone: the strongest decay is right."""
    rng = np.random.default_rng(0)
    histories = []
    for _ in range(60):
        start = rng.integers(0, 20)
        jumps = rng.integers(0, 20, size=6)
        pairs = [(int(jump), (int(jump) + 1) % 20) for jump in (*jumps, start)]
        histories.append([item + 1 for pair in pairs for item in pair])
    data = log_of(histories, 20)
    split = leave_last_out(data, hide_seen=False)
    valid = replace(split.valid, queries=split.test.queries, targets=split.test.targets, values=split.test.values)
    model = ItemKNN(shrink=0.0).fit(split.train, valid)
    decay = model.selected.decay
    quality = {}
    for other_decay in DECAYS:
        quality[other_decay] = mean_ndcg(ItemKNN(shrink=0.0, decay=other_decay).fit(split.train), valid)
    assert quality[decay] == max(quality.values())
    assert quality[decay] > quality[1.0]
    assert model.recency == decay


def test_a_given_decay_is_not_overruled(films):
    split = leave_last_out(films)
    model = EASE(decay=0.95).fit(split.train, split.valid)
    assert model.recency == 0.95
    assert model.selected.decay is None
    assert not model.metrics
    assert EASE().fit(split.train).recency == DEFAULT_DECAY
