from __future__ import annotations

import pytest

from poise.config import check_config, read_config
from poise.encoders import TextEncoder
from poise.errors import UsageError
from poise.models import EASE, Blend

FILES = {"events": "log.csv"}


def test_keys_that_are_not_given_have_defaults():
    config = check_config({"data": FILES})
    assert config.pipeline.models[0] == "SASRec"
    assert isinstance(config.text_encoder(), TextEncoder)
    assert config.policy.hide_seen


def test_options_reach_the_models_the_encoder_and_the_cleaning():
    config = check_config(
        {
            "data": {**FILES, "cleaning": {"k_core": 5}},
            "encoder": {"model": "none"},
            "pipeline": {"models": ["EASE"], "retrievers": ["ItemKNN"], "candidates": 7},
            "models": {"EASE": {"l2": 42}},
        }
    )
    pipeline = config.make_pipeline()
    assert isinstance(pipeline.ranker, EASE)
    assert pipeline.ranker.l2 == 42
    assert (pipeline.candidates, [retriever.name for retriever in pipeline.retrievers]) == (7, ["ItemKNN"])
    assert config.cleaning().k_core == 5
    assert config.text_encoder() is None


def test_several_models_are_blended_and_unsupported_ones_left_out():
    config = check_config({"data": FILES, "pipeline": {"models": ["EASE", "Popularity", "Content"]}})
    ranker = config.make_pipeline(frozenset({"Content"})).ranker
    assert isinstance(ranker, Blend)
    assert [member.name for member in ranker.members] == ["EASE", "Popularity"]
    with pytest.raises(UsageError, match="none of EASE, Popularity, Content can learn"):
        config.make_pipeline(frozenset({"EASE", "Popularity", "Content"}))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, r"\[data\] is missing; 'poise init' writes"),
        ({"dat": FILES}, "the file has no key 'dat'. Did you mean 'data'?"),
        ({"data": "log.csv"}, "data: found 'log.csv'"),
        ({"data": {}}, "needs either dataset"),
        ({"data": {"event": "log.csv"}}, r"\[data\] has no key 'event'. Did you mean 'events'\?"),
        ({"data": {**FILES, "dataset": "movielens-100k"}}, "needs either dataset"),
        ({"data": {"dataset": "movielens-100k", "cleaning": {"k_core": 5}}}, "data.cleaning goes with files"),
        ({"data": {"dataset": "movielens-100k", "items": "x.csv"}}, "data.items goes with files"),
        ({"data": {**FILES, "item_kinds": {"title": "foo"}}}, "data.item_kinds.title: found 'foo'; allowed: 'text'"),
        ({"data": {**FILES, "cleaning": {"kcore": 3}}}, "Did you mean 'k_core'?"),
        ({"data": {**FILES, "cleaning": {"k_core": -1}}}, "data.cleaning: k_core is -1"),
        ({"data": FILES, "evaluation": {"k": [0]}}, "evaluation.k.0: found 0; allowed: greater than or equal to 1"),
        ({"data": FILES, "evaluation": {"ks": [5]}}, "Did you mean 'k'?"),
        ({"data": FILES, "evaluation": {"protocols": ["leave-one-out"]}}, "found 'leave-one-out'"),
        ({"data": FILES, "pipeline": {"models": []}}, "pipeline.models"),
        ({"data": FILES, "pipeline": {"models": ["Ease"]}}, "'Ease', which is no model. Did you mean 'EASE'?"),
        (
            {"data": FILES, "models": {"EASE": {"lambda": 3}}},
            r"\[models.EASE\] has no key 'lambda'. Allowed: decay, value_weight, l2",
        ),
        ({"data": FILES, "models": {"EASE": {"l2": "much"}}}, "models.EASE.l2: found 'much'"),
        ({"data": FILES, "encoder": {"modell": "minilm"}}, "Did you mean 'model'?"),
    ],
)
def test_config_errors_name_the_key_the_value_and_what_is_allowed(content, said):
    with pytest.raises(UsageError, match=said.replace("?'", "'")) as error:
        check_config(content)
    assert str(error.value).startswith("poise.toml: ")
    assert "\n" not in str(error.value)


def test_an_unreadable_poise_toml(tmp_path):
    with pytest.raises(UsageError, match="run 'poise init' there"):
        read_config(tmp_path)
    (tmp_path / "poise.toml").mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        read_config(tmp_path)
    (tmp_path / "poise.toml").rmdir()
    for content in (b"[data", b'name = "\xff"'):
        (tmp_path / "poise.toml").write_bytes(content)
        with pytest.raises(UsageError, match="is not valid TOML"):
            read_config(tmp_path)
