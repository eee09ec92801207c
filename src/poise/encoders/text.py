"""Text encoders: texts to unit vectors, cached on the disk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Annotated

import numpy as np
from annotated_types import Ge
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from poise.data.dataset import Dataset
from poise.data.languages import language_of
from poise.data.writing_systems import script_shares
from poise.encoders.backend import Backend
from poise.encoders.cache import HalfFloats, VectorCache
from poise.encoders.openai_endpoint import OpenAIEndpoint
from poise.encoders.passage import compose
from poise.encoders.sentence_transformer import Precision, SentenceTransformer, minilm
from poise.encoders.universal_sentence_encoder import Universal
from poise.errors import DataError
from poise.options.checked import Checked
from poise.plugins import ENCODERS, entry_points_of, load_entry_point
from poise.progress import track
from poise.types import Floats

_MOSTLY = 0.5  # the share of letters from which a script is the catalogue's


@dataclass(kw_only=True, eq=False, config=ConfigDict(extra="forbid", validate_default=True))
class TextEncoder(metaclass=Checked):
    """Encodes texts as unit vectors: texts of similar meaning have a cosine near 1.

    A model encodes equal texts only once: vectors are kept in the user's cache folder.

    Args:
        model: ``minilm``, English, 384 dimensions; ``multilingual``, 16 languages, 512 dimensions; neither needs a
            network. Or the folder or hub name of a sentence-transformers model; or ``openai:NAME``, a model of the
            service at ``url``; or a name that another package declares as an entry point ``poise.encoders``: what makes
            a :class:`~poise.encoders.backend.Backend` for a device.
        columns: the catalogue's columns to read; None for the title and all that hold words.
        cache: whether to keep vectors on the disk.
        device: ``cpu``, ``cuda``, ``mps``; None for the best there is.
        precision: of a model's weights on this machine; ``auto`` takes bfloat16 where the processor does it well.
        batch_size: texts at once; None for the default of the encoder.
        url: of a service with the OpenAI protocol for embeddings.
        key_variable: the environment variable that holds the key for that service.
    """

    model: str = "minilm"
    columns: list[str] | None = None
    cache: bool = True
    device: str | None = None
    precision: Precision = "auto"
    batch_size: Annotated[int, Ge(1)] | None = None
    url: str = "https://api.openai.com/v1"
    key_variable: str = "OPENAI_API_KEY"

    @property
    def name(self) -> str:
        """The name of its vectors in a data set."""
        return "text"

    @cached_property
    def backend(self) -> Backend:
        """The model or the service that encodes.

        Raises:
            UsageError: ``model`` names none, or one that is not installed.
        """
        if self.model == "minilm":
            return minilm(self.device, self.precision)
        if self.model == "multilingual":
            return Universal()
        if self.model.startswith("openai:"):
            return OpenAIEndpoint(self.model.removeprefix("openai:"), self.url, self.key_variable)
        if self.model in entry_points_of(ENCODERS):
            backend: Backend = load_entry_point(ENCODERS, self.model)(self.device)
            return backend
        return SentenceTransformer(self.model, self.device, self.precision)

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return a unit vector for each text, float32 ``[n, dim]``; zeros for an empty text.

        Raises:
            PoiseError: the model cannot be had, or the service does not answer.
        """
        row_of = {"": 0}
        rows = np.fromiter((row_of.setdefault(text.strip(), len(row_of)) for text in texts), dtype=np.int64)
        distinct = list(row_of)[1:]
        vectors = _unit(self._encode(distinct or ["."]).astype(np.float32))  # even without a text there is a width
        return np.concatenate([np.zeros_like(vectors[:1]), vectors])[rows]

    def encode_items(self, data: Dataset) -> Dataset:
        """Return the data set with vectors of its items' texts, float32 ``[n_items + 1, dim]``; zeros without text.

        Raises:
            DataError: no item has any text.
            PoiseError: the model cannot be had, or the service does not answer.
        """
        passages = compose(data, self.columns)
        if not any(passages):
            raise DataError(f"no item of {data.name!r} has any text to encode; add a column of titles to the catalogue")
        return data.with_vectors(self.name, self.encode(["", *passages]))

    def fits(self, texts: Iterable[str]) -> str | None:
        """Return a warning if the encoder does not read the script or the language of most of ``texts``, else None."""
        texts = list(texts)
        script, share = next(iter(script_shares(texts).items()), ("", 0.0))
        if share < _MOSTLY or self.backend.reads(script):
            language = language_of(texts) if self.model == "minilm" else None
            if script != "Latin" or language in (None, "English"):
                return None
            return (
                f"the texts are in {language}, and the text encoder {self.model!r} knows English: its vectors will "
                "mean little; use model='multilingual' or another model for this language"
            )
        which = "of another script than Latin" if script == "other" else script
        return (
            f"{share:.0%} of the letters are {which}, which the text encoder {self.model!r} does not read: "
            "its vectors will mean little; use model='multilingual' or another model for this language"
        )

    def fits_items(self, data: Dataset) -> str | None:
        """Return a warning as :meth:`fits` does, for the catalogue's texts without the names of their columns."""
        return self.fits(compose(data, self.columns, field_names=False))

    def _encode(self, texts: list[str]) -> HalfFloats:
        """Return unit vectors of distinct texts, float16 ``[n, dim]``, as in the cache."""
        cache = VectorCache(self.backend.identity) if self.cache else None
        is_cached, cached = cache.get(texts) if cache else (np.zeros(len(texts), dtype=np.bool_), None)
        missing = np.flatnonzero(~is_cached)
        longest_first = missing[np.argsort([-len(texts[row]) for row in missing], kind="stable")]
        size = self.batch_size or self.backend.batch_size
        batches = [longest_first[start : start + size] for start in range(0, len(longest_first), size)]
        vectors = (
            None if cached is None or not is_cached.any() else np.zeros((len(texts), cached.shape[1]), dtype=np.float16)
        )
        if vectors is not None:
            vectors[is_cached] = cached
        for batch in track(batches, f"Encoding texts with {self.model}", unit="batch"):
            batch_texts = [texts[row] for row in batch]
            new = _unit(self.backend.encode(batch_texts))
            if not np.isfinite(new).all():
                raise DataError(
                    f"the text encoder {self.model!r} gave no number for some text, such as {batch_texts[0][:60]!r}"
                )
            if vectors is None:
                vectors = np.zeros((len(texts), new.shape[1]), dtype=np.float16)
            elif vectors.shape[1] != new.shape[1]:
                raise DataError(
                    f"the text encoder {self.model!r} gave {new.shape[1]} dimensions, and {vectors.shape[1]} before: "
                    f"the model has changed under its name{f'; delete {cache.path}' if cache else ''}"
                )
            vectors[batch] = new
            if cache:
                cache.put(batch_texts, vectors[batch])
        assert vectors is not None
        return vectors


def _unit(vectors: Floats) -> Floats:
    """Return the rows at length 1; a row of zeros stays."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length == 0, 1, length), dtype=np.float32)
