from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge, Gt
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from poise.data.dataset import Dataset
from poise.encoders.passage import compose
from poise.encoders.sentence_transformer import SentenceTransformer, quiet
from poise.encoders.text import TextEncoder
from poise.errors import DataError, UsageError
from poise.files import atomic_directory
from poise.options.checked import Checked
from poise.options.fit_options import FitOptions
from poise.types import Offsets

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from poise.adaptation.contrastive import Pairs
    from poise.train.loop import Batches

_LORA_RATE, _FULL_RATE = 1e-3, 1e-4  # a few new weights can change faster than all old ones
_TRIED = 3  # batches to measure the speed of the machine with; the first is slower than the others


@dataclass(kw_only=True, eq=False, config=ConfigDict(extra="forbid", validate_default=True))
class Adaptation(metaclass=Checked):
    """Options of the adaptation of a language model to a catalogue and a log.

    Args:
        masked: epochs of masked language modelling on the catalogue; 0 for none.
        pairs: how many pairs of items that the same users chose to train on contrastively; 0 for none.
        window: the largest distance, in events, of two items of a history that form a pair.
        temperature: that cosines are divided by; lower ones weight the hardest negatives more.
        logq_correction: whether the loss is corrected for the frequency of each item in a batch. With it a cosine
            estimates how likely the other item is, without it how much likelier than in general, which can be told
            from a text.
        lora: the rank of the updates of the query and value matrices of attention, which alone are trained; 0 to
            train all weights.
        learning_rate: of AdamW, at its highest; None for 0.001 with LoRA and 0.0001 without.
        batch_size: passages a step, or pairs of them.
        max_tokens: the largest length of a passage in training.
        minutes: the time limit; a slow machine makes fewer steps.
        seed: of all random choices.
    """

    masked: Annotated[int, Ge(0)] = 0
    pairs: Annotated[int, Ge(0)] = 10_000
    window: Annotated[int, Ge(1)] = 2
    temperature: Annotated[float, Gt(0)] = 0.07
    logq_correction: bool = False
    lora: Annotated[int, Ge(0)] = 16
    learning_rate: Annotated[float, Gt(0)] | None = None
    batch_size: Annotated[int, Ge(2)] = 32
    max_tokens: Annotated[int, Ge(8)] = 64
    minutes: Annotated[float, Gt(0)] = 10.0
    seed: Annotated[int, Ge(0)] = 0

    def __post_init__(self) -> None:
        if not self.masked and not self.pairs:
            raise UsageError("masked and pairs are both 0: there is nothing to tune; set one of them to 1 or more")


def adapt(
    train: Dataset,
    folder: Path | str,
    *,
    encoder: TextEncoder | None = None,
    adaptation: Adaptation | None = None,
    options: FitOptions = FitOptions(),
) -> TextEncoder:
    """Tune a text encoder on the catalogue and the log, and return the tuned one; the given one is not changed.

    First, if asked for, masked language modelling continues on the catalogue (Gururangan et al., *Don't Stop
    Pretraining: Adapt Language Models to Domains and Tasks*, 2020). Then contrastive learning moves items that the same
    users chose together and others apart. With LoRA, only a low-rank update of a few matrices is trained, and added to
    them at the end (Hu et al., *LoRA: Low-Rank Adaptation of Large Language Models*, 2021).

    Args:
        train: the training part of a split, with its catalogue.
        folder: where to write the tuned model, of the sentence-transformers library.
        encoder: what to start from; None for ``TextEncoder()``.
        adaptation: how; None for ``Adaptation()``.
        options: seed, threads, and who is told how it goes; it computes where the encoder does.

    Raises:
        UsageError: the encoder's weights are not on this machine, or it cannot be tuned in that way.
        DataError: no item has a text, or nobody chose two items that have one.
        PoiseError: the folder cannot be written, or the loss becomes NaN.
    """
    encoder, adaptation = encoder or TextEncoder(), adaptation or Adaptation()
    backend = encoder.backend
    if not isinstance(backend, SentenceTransformer):
        raise UsageError(
            f"the text encoder {encoder.model!r} cannot be tuned: choose 'minilm', or a sentence-transformers model"
        )
    texts = compose(train, encoder.columns)
    if not any(texts):
        raise DataError(f"no item of {train.name!r} has any text to tune on; add a column of titles to the catalogue")

    import torch

    pairs = _pairs(train, texts, adaptation.window) if adaptation.pairs else None
    adaptation = replace(adaptation, seed=options.seed_or(adaptation.seed))
    with torch.random.fork_rng(), quiet(), options.limited_threads():
        torch.manual_seed(adaptation.seed)
        tuning = _Tuning(backend.load().float(), texts, adaptation, options)
        stages = bool(adaptation.masked) + bool(adaptation.pairs)
        if adaptation.masked:
            tuning.train_masked_language(adaptation.minutes / stages)
        if pairs is not None:
            tuning.train_contrastive(pairs, adaptation.minutes / stages)
        model = tuning.merged()
        with atomic_directory(folder) as temporary:
            model.save(str(temporary), create_model_card=False)
    return replace(encoder, model=str(folder))


def _pairs(train: Dataset, texts: list[str], window: int) -> Pairs:
    from poise.adaptation.contrastive import Pairs

    pairs = Pairs.of(train.events, np.array([False, *map(bool, texts)]), window)
    if not len(pairs.items):
        raise DataError(f"nobody in {train.name!r} chose two items with a text: set pairs = 0 and masked = 1, or more")
    return pairs


class _Tuning:
    """A sentence-transformers model that is being tuned."""

    def __init__(self, model: Any, texts: list[str], adaptation: Adaptation, options: FitOptions) -> None:
        from poise.adaptation.tokens import Passages

        self.model = model
        if not hasattr(model[0], "auto_model"):
            raise UsageError("this text encoder is no transformer, so it cannot be tuned: choose another, or 'minilm'")
        self.language_model = model[0].auto_model
        self.adaptation, self.options = adaptation, options
        self.adapter = _with_lora(self.language_model, adaptation.lora) if adaptation.lora else None
        self.passages = Passages(model.tokenizer, texts, adaptation.max_tokens)
        self.rows = np.flatnonzero([bool(text) for text in texts])
        self.device: torch.device = model.device

    def train_masked_language(self, minutes: float) -> None:
        """Continue masked language modelling on the catalogue."""
        from torch import nn

        from poise.adaptation.masked_language import MaskedBatches, MaskedLanguageHead, masked_language_loss

        if self.passages.tokenizer.mask_token_id is None:
            raise UsageError("this language model has no mark for hidden words: set masked = 0")
        embedding = self.language_model.get_input_embeddings().weight
        head = MaskedLanguageHead(self.language_model.config.hidden_size, embedding).to(self.device)
        batches = MaskedBatches(
            self.passages,
            self.rows,
            passes=self.adaptation.masked,
            batch_size=self.adaptation.batch_size,
            device=self.device,
            seed=self.adaptation.seed,
        )
        loss = partial(masked_language_loss, self.language_model, head)
        self._train(nn.ModuleList([self.language_model, head]), batches, loss, minutes, "masked language modelling")

    def train_contrastive(self, pairs: Pairs, minutes: float) -> None:
        """Move the vectors of items that the same users chose together, and others apart."""
        import torch

        from poise.adaptation.contrastive import PairBatches, contrastive_loss

        options = self.adaptation
        batches = PairBatches(pairs, self.passages, n=options.pairs, batch_size=options.batch_size, seed=options.seed)
        log_chance = pairs.log_chance(len(self.passages.lengths)).to(self.device) * options.logq_correction

        def loss(batch: Offsets) -> Tensor:
            items, places = np.unique(batch, return_inverse=True)
            encoded = self.encode(items - 1)[torch.from_numpy(places).to(self.device)]  # [n, 2, dim]
            drawn = torch.from_numpy(batch).to(self.device)
            return contrastive_loss(encoded[:, 0], encoded[:, 1], drawn, log_chance, options.temperature)

        self._train(self.model, batches, loss, minutes, "contrastive learning")

    def encode(self, rows: Offsets) -> Tensor:
        """Return unit vectors ``[n, dim]`` of the passages ``rows``."""
        from torch.nn.functional import normalize

        encoded: Tensor = self.model(self.passages.batch(rows, self.device))["sentence_embedding"]
        return normalize(encoded, dim=1)

    def merged(self) -> Any:
        """Return the model with the updates of LoRA merged into its matrices."""
        if self.adapter is not None:
            self.adapter.merge_and_unload()
        return self.model.eval()

    def _train(
        self, network: nn.Module, batches: Batches[Any], loss: Callable[[Any], Tensor], minutes: float, label: str
    ) -> None:
        from poise.train.loop import Training, train

        options = self.adaptation
        affordable = _within(batches, network, loss, minutes)
        training = Training(
            epochs=1,
            learning_rate=options.learning_rate or (_LORA_RATE if options.lora else _FULL_RATE),
            weight_decay=0.01,
            warmup=len(affordable) // 10,
            min_lr_ratio=0.0,
            seed=options.seed,
        )
        train(network, affordable, loss, training, options=self.options, label=label)


class _Shortened:
    """The first batches of an epoch."""

    def __init__(self, batches: Batches[Any], steps: int) -> None:
        self.batches = batches
        self.steps = steps

    def __len__(self) -> int:
        return self.steps

    def epoch(self, number: int, first: int = 0) -> Any:
        """See :class:`poise.train.loop.Batches`."""
        return islice(self.batches.epoch(number, first), max(0, self.steps - first))


def _within(batches: Batches[Any], network: nn.Module, loss: Callable[[Any], Tensor], minutes: float) -> Batches[Any]:
    """Return as many batches as fit into the time; their number is fixed so that the learning rate can end at zero."""
    network.train()
    spent = 0.0
    for batch in islice(batches.epoch(0), _TRIED):
        started = time.perf_counter()
        loss(batch).backward()  # type: ignore[no-untyped-call]
        spent = time.perf_counter() - started
    network.zero_grad()
    return _Shortened(batches, max(1, min(len(batches), int(minutes * 60 / spent))))


def _with_lora(language_model: Any, rank: int) -> Any:
    """Add low-rank updates to the query and value matrices in place; only these are trained from now on."""
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError:
        raise UsageError(
            "LoRA needs a package that is not installed: pip install 'poise[adapt]', or set lora = 0"
        ) from None
    try:
        return get_peft_model(language_model, LoraConfig(r=rank, lora_alpha=2 * rank))
    except ValueError:
        kind = language_model.config.model_type
        raise UsageError(f"it is not known where LoRA goes in a model of the kind {kind!r}: set lora = 0") from None
