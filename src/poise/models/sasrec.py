from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import asdict, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt, Le, Lt
from pydantic.dataclasses import dataclass

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.errors import DataError, UsageError
from poise.models.validation import mean_ndcg, sample
from poise.models.vectors import cosine_scores
from poise.recommender import OPTIONS, Recommender
from poise.train.augment import Augmentation
from poise.train.batches import SequenceBatch, SequenceBatches, padded
from poise.types import Floats, Indices, Offsets

if TYPE_CHECKING:
    from torch import Tensor

    from poise.models.item_table import ItemTable
    from poise.models.transformer import Transformer
    from poise.train.negatives import NegativeSampler

UNVALIDATED_EPOCHS = 20  # without a validation part to say when to stop: about what it says on a shop and on films
LEAST_STEPS = 100  # between two looks at validation
EVENTS_AT_ONCE = 4_096  # that are scored together

Loss = Literal["sampled_softmax", "full_softmax", "binary", "generalised_binary", "pairwise", "in_batch"]


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class SASRec(Recommender):
    """Self-attentive sequential recommendation: a causal transformer that reads what people did and says what is next.

    After each event the network expects a vector, and an item scores by its product with it; the same vectors of items
    are read and scored. With ``items="fused"`` such a vector is one that is learnt for the item plus a linear map of
    what its content means: the leading principal components, standardised, of an encoder's vectors. In each step some
    items are shown by their content alone, so that an item without any event is ranked among all others from the moment
    that it stands in the catalogue.

    The source is Kang and McAuley, *Self-Attentive Sequential Recommendation*, 2018. Sampled softmax in place of its
    loss is from Klenitskiy and Vasilev, *Turning Dross Into Gold Loss: Is BERT4Rec Really Better than SASRec?*, 2023,
    and the gated blocks from Tikhonovich et al., *eSASRec: Enhancing Transformer-Based Recommendations in a Modular
    Fashion*, 2025.

    Args:
        items: what an item is: ``fused``; ``text``, its content alone; ``id``, a learnt vector alone. A data set
            without vectors makes it ``id``, and :attr:`chosen` says so.
        vectors: which of the data set's vectors to use, by the names that the encoders gave them; one or more.
        components: how many principal components of each to keep.
        hidden: the share of items that each training step shows by their content alone.
        dim: the length of the vectors inside.
        block: how a layer is built: ``ligr`` with gates and SwiGLU, or ``classic``.
        blocks: the number of layers.
        heads: of attention; they divide ``dim``.
        max_length: how many events back it looks.
        dropout: the share of numbers that are dropped inside while it learns.
        loss: what to punish it for, see :mod:`poise.train.losses`.
        negatives: items that are drawn for a batch, to be told apart from those that were chosen; where there are no
            more than that, all are taken.
        draw: how: ``uniform``, or by ``popularity``.
        log_q: whether the sampled softmax is corrected for how likely each item was drawn.
        smoothing: label smoothing, for the full softmax.
        crop: see :class:`~poise.train.augment.Augmentation`.
        shuffle: the same.
        mask: the same.
        batch_events: events to predict a batch.
        epochs: passes over the events, at most. Small logs are passed over several times an epoch. Validation chooses
            when to stop.
        learning_rate: of AdamW, at its highest.
        weight_decay: its L2 penalty.
        final: what is left of the learning rate in the last step, as a share.
        average: see :class:`~poise.train.loop.Training`.
        patience: epochs without a better validation figure after which to stop.
        seed: of everything that chance decides.
        device: where to compute: ``cpu``, ``cuda``, ``mps``; None takes the best there is.
        folder: where to keep a checkpoint while it learns, from which a fit that was killed goes on, and curves for
            TensorBoard if that is installed; None keeps nothing.
    """

    items: Literal["fused", "text", "id"] = "fused"
    vectors: list[str] = field(default_factory=lambda: ["text"])
    components: Annotated[int, Ge(1)] = 128
    hidden: Annotated[float, Ge(0), Lt(1)] = 0.1
    dim: Annotated[int, Ge(1)] = 128
    block: Literal["ligr", "classic"] = "ligr"
    blocks: Annotated[int, Ge(1)] = 1
    heads: Annotated[int, Ge(1)] = 4
    max_length: Annotated[int, Ge(1)] = 50
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.5
    loss: Loss = "sampled_softmax"
    negatives: Annotated[int, Ge(1)] = 4096
    draw: Literal["uniform", "popularity"] = "uniform"
    log_q: bool = False
    smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0
    crop: Annotated[float, Ge(0), Le(1)] = 0.0
    shuffle: Annotated[float, Ge(0), Le(1)] = 0.3
    mask: Annotated[float, Ge(0), Lt(1)] = 0.0
    batch_events: Annotated[int, Ge(1)] = 1024
    epochs: Annotated[int, Ge(1)] = 30
    learning_rate: Annotated[float, Gt(0)] = 2e-3
    weight_decay: Annotated[float, Ge(0)] = 0.01
    final: Annotated[float, Ge(0), Le(1)] = 1.0
    average: Annotated[float, Ge(0), Lt(1)] = 0.99
    patience: Annotated[int, Ge(1)] = 3
    seed: Annotated[int, Ge(0)] = 0
    device: str | None = None
    folder: str | None = None

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise UsageError(f"SASRec: {self.heads} heads do not divide dim {self.dim}; choose others")

    def _fit(self, data: Dataset, valid: Holdout | None) -> None:
        import torch
        from torch import nn

        from poise.train.device import pick_device
        from poise.train.loop import Training, train
        from poise.train.negatives import NegativeSampler

        batches = SequenceBatches(
            data.events,
            batch_events=self.batch_events,
            max_length=self.max_length,
            augmentation=Augmentation(self.crop, self.shuffle, self.mask),
            seed=self.seed,
            least_steps=LEAST_STEPS,
        )
        self.counts = data.item_counts
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            table, body = self._item_table(data), self._body()
        device = pick_device(self.device)
        network = nn.ModuleList([table, body]).to(device)
        sampler = NegativeSampler(torch.from_numpy(self.counts).to(device), self.draw)
        part = None if valid is None else sample(valid)

        def loss(batch: SequenceBatch) -> Tensor:
            inputs, targets = torch.from_numpy(batch.items).to(device), torch.from_numpy(batch.targets).to(device)
            return self._loss(inputs, targets, table, body, sampler)

        def validate() -> float:
            self._keep(table, body)
            assert part is not None
            return mean_ndcg(self, part)

        path = None if self.folder is None else Path(self.folder) / f"{self._run_id(data, valid)}.pt"
        progress = train(
            network,
            batches,
            loss,
            Training(
                epochs=self.epochs,
                stop=self.chosen.get("epochs") or (UNVALIDATED_EPOCHS if valid is None else None),
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                final=self.final,
                average=self.average,
                patience=self.patience,
                seed=self.seed,
            ),
            validate=None if part is None else validate,
            checkpoint=path,
            logs=path.with_suffix("") if path is not None and find_spec("tensorboard") else None,
            label=self.name,
        )
        self.chosen["epochs"] = progress.best_epoch
        self._keep(table, body)

    def _item_table(self, data: Dataset) -> ItemTable:
        import torch

        from poise.models.item_table import ItemTable, Subspace

        asked = [] if self.items == "id" else [name for name in self.vectors if name in data.vectors]
        found = {name: np.asarray(data.vectors[name], dtype=np.float32) for name in asked}
        spaces = {name: Subspace.of(found[name], self.counts > 0, self.components) for name in asked}
        self.subspaces = {name: space for name, space in spaces.items() if space.directions.size}
        names = list(self.subspaces)
        if not names and self.items == "text":
            raise DataError(
                f"SASRec: {data.name!r} has no vectors {' or '.join(map(repr, self.vectors))}; "
                "encode the catalogue, by [encoder] in poise.toml or with TextEncoder().encode_items(data), "
                "or choose items='id'"
            )
        self.chosen["items"] = self.items if names else "id"
        if not names and self.items == "fused":
            self.chosen["note"] = "the data has no vectors of its items: ids alone, so new items cannot be ranked"
        meaning = [self.subspaces[name].project(found[name]) for name in names]
        return ItemTable(
            data.n_items,
            self.dim,
            torch.from_numpy(np.hstack(meaning)) if meaning else None,
            own=self.chosen["items"] != "text",
            hidden=self.hidden,
        )

    def _body(self) -> Transformer:
        from poise.models.transformer import Transformer

        return Transformer(self.dim, self.blocks, self.heads, self.max_length, self.dropout, self.block)

    def _loss(
        self, inputs: Tensor, targets: Tensor, table: ItemTable, body: Transformer, sampler: NegativeSampler
    ) -> Tensor:
        """Return the loss of a batch, ``inputs`` and ``targets`` int64 ``[batch, time]``."""
        import torch

        from poise.train import losses
        from poise.train.shared_softmax import shared_softmax

        real = targets > 0
        targets = targets[real]  # [n]
        shown = table.draw_shown()
        if self.loss == "full_softmax":
            every = table(torch.arange(table.n_items + 1, device=targets.device), shown)
            return losses.full_softmax(body(every[inputs])[real] @ every.T, targets, smoothing=self.smoothing)
        drawn = targets[:0] if self.loss == "in_batch" else sampler.sample(self.negatives)  # [m]
        # One look-up for all: the gradient of each would be as large as the table.
        vectors = table(torch.cat([inputs.flatten(), targets, drawn]), shown)
        read, chosen, of_drawn = vectors.split([inputs.numel(), len(targets), len(drawn)])
        expected = body(read.view(*inputs.shape, self.dim))[real]  # [n, dim]
        if self.loss == "in_batch":
            return losses.in_batch_softmax(expected, chosen, targets, sampler.log_chance(targets))
        hits = targets[:, None] == drawn
        if self.loss == "sampled_softmax":
            log_q = sampler.log_expected(drawn, self.negatives) if self.log_q else None
            return shared_softmax(expected, chosen, of_drawn, hits, log_q)
        positive = (expected * chosen).sum(1)
        negative = (expected @ of_drawn.T).masked_fill(hits, -torch.inf)
        if self.loss == "binary":
            return losses.binary(positive, negative)
        if self.loss == "pairwise":
            return losses.pairwise(positive, negative)
        rate = min(1.0, self.negatives / max(len(sampler.items) - 1, 1))
        return losses.generalised_binary(positive, negative, sampling_rate=rate)

    def _keep(self, table: ItemTable, body: Transformer) -> None:
        """Hold on to what scoring needs. An item that nobody has touched has learnt nothing of its own."""
        import torch

        with torch.no_grad():
            everything = torch.arange(table.n_items + 1, device=table.device)
            touched = torch.from_numpy(self.counts > 0).to(table.device, torch.float32)[:, None]
            self._set_table(table(everything, touched))
        self.adapt = None if table.adapt is None else table.adapt.weight.detach().cpu().numpy()
        self.body = body

    def _set_table(self, table: Tensor) -> None:
        self.table = table  # [n_items + 1, dim]
        self.unknown = np.flatnonzero((self.counts == 0) & ~table.any(dim=1).cpu().numpy())

    def score(self, queries: Queries) -> Floats:
        """See :meth:`Recommender.score`: products of what is expected next and the items.

        Without a history, items score by the number of their events. Items of which nothing is known, neither an event
        nor a meaning, come last.
        """
        import torch

        start = np.maximum(queries.start, queries.stop - self.max_length)
        with torch.inference_mode():
            scores = (self._expected(queries.events.item, start, queries.stop) @ self.table.T).cpu().numpy()
        scores[queries.lengths == 0] = np.log1p(self.counts)
        if len(self.unknown) > 1:  # padding is one
            scores[:, self.unknown] = scores.min(axis=1, keepdims=True)
        return np.asarray(scores)

    def _expected(self, item: Indices, start: Offsets, stop: Offsets) -> Tensor:
        """Return the vectors of what is expected after each history, ``[n, dim]``; like lengths are read together."""
        import torch

        lengths = stop - start
        expected: Tensor = self.table.new_zeros(len(start), self.dim)
        order = np.argsort(lengths, kind="stable")
        for rows in np.array_split(order, lengths.sum() // EVENTS_AT_ONCE + 1):
            if len(rows):
                items = torch.from_numpy(padded(item, start[rows], stop[rows])).to(self.table.device)
                last = torch.from_numpy(np.maximum(lengths[rows] - 1, 0))
                expected[torch.from_numpy(rows)] = self.body(self.table[items])[torch.arange(len(rows)), last]
        return expected

    def contributions(self, query: Queries, items: Indices) -> Floats:
        """See :meth:`Recommender.contributions`: what a score loses when an event is left out of what is read.

        The source is Li, Monroe and Jurafsky, *Understanding Neural Networks through Representation Erasure*, 2016.
        """
        import torch

        history = query.history(0)
        read = history[-self.max_length :]
        n = len(read)
        variants = np.concatenate([read, *(np.delete(read, at) for at in range(n))])
        lengths = np.array([n, *[n - 1] * n])
        stop = np.cumsum(lengths)
        with torch.inference_mode():
            expected = self._expected(variants, stop - lengths, stop)
            scores = (expected @ self.table[torch.from_numpy(items).to(self.table.device)].T).cpu().numpy()
        lost = np.zeros((len(history), len(items)), dtype=np.float32)
        lost[-n:] = scores[0] - (scores[1:] if n > 1 else 0)  # [n, k]
        return lost

    def _similarity(self, items: Indices) -> Floats:
        return cosine_scores(self.table.cpu().numpy(), items)

    def with_items(self, data: Dataset) -> SASRec:
        """Return the same model for another catalogue: new items are ranked by what their content means, at once.

        Args:
            data: a data set with the same kinds of vectors; items that the model knows keep what it has learnt of them.

        Raises:
            DataError: a kind of vectors that the model reads is missing.
        """
        import torch

        self._require_fitted()
        meaning = np.zeros((data.item_ids.size, self.dim), dtype=np.float32)
        if self.adapt is not None:
            if missing := [name for name in self.subspaces if name not in data.vectors]:
                raise DataError(f"{data.name!r} has no vectors {missing[0]!r}, which this model reads: add them first")
            projected = [
                self.subspaces[name].project(np.asarray(data.vectors[name], np.float32)) for name in self.subspaces
            ]
            meaning = np.hstack(projected) @ self.adapt.T
        old = np.concatenate([[0], self.item_ids.index(data.item_ids.series)])  # [n_items + 1], 0 for new
        model = copy.copy(self)
        table = torch.from_numpy(meaning).to(self.table)
        table[old > 0] = self.table[torch.from_numpy(old[old > 0])]
        model.counts = np.where(old > 0, self.counts[old], 0)
        model._set_table(table)
        model.item_ids = data.item_ids
        return model

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        arrays = {"table": self.table.cpu().numpy(), "counts": self.counts}
        arrays |= {f"body.{name}": value.cpu().numpy() for name, value in self.body.state_dict().items()}
        for name, subspace in self.subspaces.items():
            arrays |= {f"mean.{name}": subspace.mean, f"directions.{name}": subspace.directions}
        return arrays if self.adapt is None else {**arrays, "adapt": self.adapt}

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        import torch

        from poise.models.item_table import Subspace
        from poise.train.device import pick_device

        device = pick_device(self.device)
        self.counts = arrays["counts"]
        self._set_table(torch.from_numpy(arrays["table"]).to(device))
        self.adapt = arrays.get("adapt")
        self.subspaces = {
            name.removeprefix("mean."): Subspace(mean, arrays["directions." + name.removeprefix("mean.")])
            for name, mean in arrays.items()
            if name.startswith("mean.")
        }
        self.body = self._body().to(device).eval()
        state = {
            name.removeprefix("body."): torch.from_numpy(array)
            for name, array in arrays.items()
            if name.startswith("body.")
        }
        self.body.load_state_dict(state)

    def _run_id(self, data: Dataset, valid: Holdout | None) -> str:
        """Return a name for what is learnt from what, so that no checkpoint is taken for another's."""
        options = {name: value for name, value in asdict(self).items() if name not in ("device", "folder")}
        told = json.dumps([options, data.fingerprint, None if valid is None else len(valid), self.chosen.get("epochs")])
        return f"{self.name}-{hashlib.blake2b(told.encode(), digest_size=8).hexdigest()}"
