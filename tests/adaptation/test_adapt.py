from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
import torch
from sentence_transformers import SentenceTransformer as Model

from poise.adaptation import Adaptation, adapt
from poise.adaptation.contrastive import PairBatches, Pairs, contrastive_loss
from poise.adaptation.masked_language import MaskedBatches, MaskedLanguageHead, mask, masked_language_loss
from poise.adaptation.tokens import Passages
from poise.data.ingest.indexing import index
from poise.data.split import leave_last_out
from poise.encoders import TextEncoder
from poise.errors import DataError, UsageError

GROUPS = {"a": ["sea 1", "night 2", "red 3", "story 4"], "b": ["moon 5", "blue 6", "title 7", "genres 8"]}


@pytest.fixture
def two_groups():
    """Return a log of people who choose either the first four items or the last four, whose titles do not tell."""
    rng = np.random.default_rng(0)
    titles = [*GROUPS["a"], *GROUPS["b"]]
    events = [(f"u{user}", f"i{item}") for user in range(12) for item in rng.permutation(4) + 4 * (user % 2)]
    return index(
        pl.DataFrame(events, schema=["user_id", "item_id"], orient="row"),
        pl.DataFrame({"item_id": [f"i{item}" for item in range(8)], "title": titles}),
        item_kinds={"title": "text"},
        title_column="title",
        name="groups",
    )


@pytest.fixture
def encoder(tiny):
    return TextEncoder(model=str(tiny), cache=False, device="cpu")


def nearness(encoder, data):
    """Return the mean cosine within the two groups less that between them, without what all items share."""
    vectors = encoder.encode_items(data).vectors["text"][1:].astype(np.float64)
    vectors -= vectors.mean(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = vectors @ vectors.T
    same = np.equal.outer(np.arange(8) < 4, np.arange(8) < 4)
    return cosine[same & ~np.eye(8, dtype=bool)].mean() - cosine[~same].mean()


@pytest.mark.parametrize("options", [{"lora": 8, "learning_rate": 0.03}, {"lora": 0, "learning_rate": 0.003}])
def test_contrastive_tuning_brings_items_of_the_same_users_nearer(two_groups, encoder, tmp_path, options):
    before = nearness(encoder, two_groups)
    adaptation = Adaptation(pairs=480, window=3, batch_size=8, temperature=0.1, **options)
    tuned = adapt(two_groups, tmp_path / "tuned", encoder=encoder, adaptation=adaptation)
    assert nearness(tuned, two_groups) > before + 0.3
    assert nearness(encoder, two_groups) == before  # the frozen one is as it was


def test_the_tuned_encoder_is_a_plain_model_and_reproducible(two_groups, encoder, tmp_path):
    adaptation = Adaptation(pairs=8, batch_size=4, lora=2, learning_rate=0.02)
    first = adapt(two_groups, tmp_path / "first", encoder=encoder, adaptation=adaptation)
    second = adapt(two_groups, tmp_path / "second", encoder=encoder, adaptation=adaptation)
    assert first.backend.identity == second.backend.identity  # the seed decides, so the files are the same
    assert first.backend.identity != encoder.backend.identity
    weights = Model(str(tmp_path / "first"), device="cpu").state_dict()
    assert weights.keys() == Model(encoder.model, device="cpu").state_dict().keys()  # LoRA is merged
    assert first.columns == encoder.columns
    assert not first.cache


def test_merged_lora_weights_give_the_same_vectors(two_groups, encoder, monkeypatch, tmp_path):
    from poise.adaptation.adapt import _Tuning

    unmerged = []
    merge = _Tuning.merged

    def remember(tuning):
        tuning.model.eval()
        with torch.no_grad():
            unmerged.append(tuning.encode(np.arange(8)).numpy())
        return merge(tuning)

    monkeypatch.setattr(_Tuning, "merged", remember)
    adaptation = Adaptation(pairs=40, batch_size=4, lora=2, learning_rate=0.05)
    tuned = adapt(two_groups, tmp_path / "tuned", encoder=encoder, adaptation=adaptation)
    vectors = tuned.encode_items(two_groups).vectors["text"]
    np.testing.assert_allclose(
        vectors[1:], unmerged[0], atol=5e-3
    )  # the cache has float16, and some processors bfloat16
    assert not np.allclose(vectors, encoder.encode_items(two_groups).vectors["text"], atol=1e-2)


def test_only_training_events_are_used(two_groups):
    train = leave_last_out(two_groups).train
    pairs = Pairs.of(train.events, np.array([False, *[True] * 8]), window=3)
    histories = [
        train.events.item[start:stop].tolist() for start, stop in pairwise(train.events.offsets) if stop > start
    ]
    assert sorted(map(tuple, pairs.items)) == sorted(map(tuple, histories))  # two events a user are left, a pair
    assert pairs.log_chance(8).exp()[1:].sum() == pytest.approx(1)


def test_pairs_lie_within_the_window_and_have_a_text(log_of):
    log = log_of([[1, 2, 3, 4], [5, 5, 1]]).events
    everything = np.array([False, *[True] * 5])
    assert Pairs.of(log, everything, window=1).items.tolist() == [[1, 2], [2, 3], [3, 4], [5, 1]]
    assert Pairs.of(log, everything, window=2).items[4:].tolist() == [[1, 3], [2, 4], [5, 1]]
    without = Pairs.of(log, everything & (np.arange(6) != 2), window=1)
    assert without.items.tolist() == [[1, 3], [3, 4], [5, 1]]


def test_drawn_pairs_are_of_like_length(two_groups, tiny):
    passages = Passages(Model(str(tiny), device="cpu").tokenizer, ["sea", "sea moon red blue night 1 2 3"] * 4, 16)
    pairs = Pairs(np.array([[1, 3], [2, 4], [5, 7], [6, 8]]))
    batches = list(PairBatches(pairs, passages, n=64, batch_size=4, seed=1).epoch(0))
    assert [len(batch) for batch in batches] == [4] * 16
    assert {tuple(pair) for batch in batches for pair in batch.tolist()} == {(1, 3), (2, 4), (5, 7), (6, 8)}
    mixed = [len(set(passages.lengths[batch.ravel() - 1])) for batch in batches]
    assert sum(length > 1 for length in mixed) <= 1


def test_the_contrastive_loss_by_hand():
    vectors = torch.nn.functional.normalize(torch.tensor([[1.0, 2], [3, 1], [-1, 1], [2, -1], [0.5, 1], [1, 1]]), dim=1)
    first, second = vectors[:3], vectors[3:]
    pairs = torch.tensor([[1, 2], [3, 4], [5, 2]])  # item 2 twice: no wrong answer of the other row
    log_chance = torch.tensor([1.0, 0.1, 0.4, 0.2, 0.2, 0.1]).log()
    logits = (first @ second.T / 0.5).double()
    forth = logits - log_chance[[2, 4, 2]]
    forth[0, 2] = forth[2, 0] = -torch.inf
    back = logits.T - log_chance[[1, 3, 5]]
    expected = -(forth.log_softmax(1).diagonal().mean() + back.log_softmax(1).diagonal().mean()) / 2
    assert contrastive_loss(first, second, pairs, log_chance, 0.5).item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_masked_language_loss_falls(two_groups, tiny):
    model = Model(str(tiny), device="cpu")
    passages = Passages(model.tokenizer, two_groups.titles[1:], 16)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        head = MaskedLanguageHead(32, model[0].auto_model.get_input_embeddings().weight)
        optimiser = torch.optim.Adam([*model.parameters(), *head.parameters()], lr=0.003)
        losses = []
        batches = MaskedBatches(passages, np.arange(8), passes=100, batch_size=8, device=torch.device("cpu"), seed=0)
        for batch in batches.epoch(0):
            loss = masked_language_loss(model[0].auto_model, head, batch)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
    assert np.mean(losses[-20:]) < 0.8 * np.mean(losses[:20])


def test_special_tokens_are_never_masked(tiny):
    tokenizer = Model(str(tiny), device="cpu").tokenizer
    passages = Passages(tokenizer, ["sea moon story night red blue"] * 200 + ["sea"], 16)
    batch = mask(passages.batch(np.arange(201), torch.device("cpu")), tokenizer, np.random.default_rng(0))
    tokens, targets = batch.inputs["input_ids"], batch.targets
    is_target = targets >= 0
    original = passages.batch(np.arange(201), torch.device("cpu"))["input_ids"]
    assert (original[is_target] == targets[is_target]).all()
    assert (tokens[~is_target] == original[~is_target]).all()
    assert not np.isin(targets[is_target].numpy(), tokenizer.all_special_ids).any()
    assert is_target.sum().item() / 1_201 == pytest.approx(0.15, abs=0.03)
    assert (tokens[is_target] == tokenizer.mask_token_id).float().mean().item() == pytest.approx(0.8, abs=0.08)


def test_masked_language_then_contrastive_training(two_groups, encoder, tmp_path):
    adaptation = Adaptation(masked=2, pairs=8, lora=2, batch_size=4)
    tuned = adapt(two_groups, tmp_path / "tuned", encoder=encoder, adaptation=adaptation)
    assert tuned.encode_items(two_groups).vectors["text"].shape == (9, 32)


def test_the_time_limit_reduces_the_number_of_steps(two_groups, encoder, tmp_path, monkeypatch):
    seen = []

    def note(network, batches, loss, training, *, label, options):
        seen.append(len(batches))

    monkeypatch.setattr("poise.train.loop.train", note)
    adapt(two_groups, tmp_path / "a", encoder=encoder, adaptation=Adaptation(pairs=40, batch_size=4, lora=0))
    adapt(two_groups, tmp_path / "b", encoder=encoder, adaptation=Adaptation(pairs=400, lora=0, minutes=1e-6))
    assert seen == [10, 1]


def test_data_or_encoders_that_cannot_be_tuned_are_refused(two_groups, encoder, tmp_path, log_of):
    with pytest.raises(UsageError, match="'openai:small' cannot be tuned: choose 'minilm'"):
        adapt(two_groups, tmp_path / "no", encoder=TextEncoder(model="openai:small"))
    with pytest.raises(UsageError, match="there is nothing to tune"):
        Adaptation(masked=0, pairs=0)
    with pytest.raises(DataError, match="has any text to tune on"):
        adapt(log_of([[1, 2]]), tmp_path / "no", encoder=encoder)
    alone = replace(two_groups, events=two_groups.events.select(np.arange(48) == 0))
    with pytest.raises(DataError, match="nobody in 'groups' chose two items"):
        adapt(alone, tmp_path / "no", encoder=encoder)
    assert not (tmp_path / "no").exists()
