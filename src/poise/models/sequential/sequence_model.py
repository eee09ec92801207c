"""What all models share that read events in order: what an item and an event are to them, how they learn and score."""

from __future__ import annotations

import copy
import dataclasses
from abc import abstractmethod
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt, Le, Lt
from pydantic.dataclasses import dataclass

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.errors import DataError
from poise.models.content_projection import ContentProjection
from poise.models.data_defaults import DataDefaults
from poise.models.torch_model import EpochSelection, Learning, TorchModel
from poise.options.fit_options import FitOptions
from poise.options.search_space import Range, Space
from poise.recommender import OPTIONS
from poise.train.batches.augmentation import Augmentation
from poise.train.batches.replay import new_and_replayed
from poise.train.batches.sequence_batches import SequenceBatch, SequenceBatches
from poise.train.batches.sequences import Sequences, rows
from poise.types import Offsets

if TYPE_CHECKING:
    from torch import Tensor, nn

    from poise.models.nn.item_embedding import ItemEmbedding
    from poise.train.batches.negative_sampler import NegativeSampler
    from poise.train.loop import Training

UNVALIDATED_EPOCHS = 20  # without a validation part to say when to stop: about what it says on a shop and on films
LEAST_STEPS = 50  # between two looks at validation
UPDATE_PASSES = 5  # over what is new and what is replayed
UPDATE_RATE = 0.5  # of the learning rate, so that what was learnt is not lost at once
EVENTS_AT_ONCE = 4_096  # that are scored together


@dataclasses.dataclass(frozen=True)
class SequenceSelection(EpochSelection):
    """What a sequence model selected.

    Attributes:
        data_defaults: what suited the first log.
    """

    data_defaults: DataDefaults | None = None


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class SequenceModel(TorchModel):
    """A network that reads what somebody did, in order, and says what is next.

    After each event the network makes a query vector, and an item scores by its product with it; the same vectors of
    items are read and scored. With ``items="fused"`` such a vector is one that is learnt for the item plus a linear map
    of its content: the leading principal components, standardised, of an encoder's vectors. In each step some items are
    shown by their content alone, so that an item without any event is ranked among all others from the moment that it
    stands in the catalogue. What is not listed here is of :class:`~poise.models.torch_model.TorchModel`.

    Args:
        items: what an item is: ``fused``; ``text``, its content alone; ``id``, a learnt vector alone. A data set
            without vectors makes it ``id``, and :attr:`notes` say so.
        time_features: whether the times of events are read: ``none``; ``history``, the intervals between events, their
            hours and days of the week; ``request``, also those of the moment of the request.
        max_length: how many events back it looks; None takes what suits the log, see
            :class:`~poise.models.data_defaults.DataDefaults`.
        dropout: the share of numbers that are dropped inside while it learns; None takes what suits the log.
        loss: see :mod:`poise.train.losses.pointwise`.
        negative_sampling: how negatives are drawn: ``uniform``, or by ``popularity``.
        logq_correction: whether the sampled softmax is corrected for how likely each item was drawn.
        smoothing: label smoothing, for the full and the sampled softmax.
        crop: see :class:`~poise.train.batches.augmentation.Augmentation`.
        shuffle: the same.
        mask_prob: the same.
        epochs: passes over the events, at most; None takes what suits the log, and goes on where validation still
            improves then. Small logs are passed over several times an epoch. Validation chooses when to stop.
        min_lr_ratio: what is left of the learning rate in the last step, as a share.
        lr_plateau_factor: see :class:`~poise.train.loop.Training`.
        precision: see :class:`~poise.train.loop.Training`.
    """

    items: Literal["fused", "text", "id"] = "fused"
    time_features: Literal["none", "history", "request"] = "none"
    max_length: Annotated[int, Ge(1)] | None = None
    dropout: Annotated[float, Ge(0), Lt(1)] | None = None
    loss: Literal["sampled_softmax", "full_softmax", "bce", "gbce", "bpr", "in_batch"] = "sampled_softmax"
    negative_sampling: Literal["uniform", "popularity"] = "uniform"
    logq_correction: bool = False
    smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0
    crop: Annotated[float, Ge(0), Le(1)] = 0.0
    shuffle: Annotated[float, Ge(0), Le(1)] = 0.3
    mask_prob: Annotated[float, Ge(0), Lt(1)] = 0.0
    epochs: Annotated[int, Ge(1)] | None = None
    min_lr_ratio: Annotated[float, Ge(0), Le(1)] = 0.05
    lr_plateau_factor: Annotated[float, Gt(0), Le(1)] = 1.0
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"

    search_space: ClassVar[Space] = {
        "dim": [64, 128, 256],
        "dropout": Range(low=0.1, high=0.6),
        "learning_rate": Range(low=3e-4, high=5e-3, log=True),
    }
    selected = SequenceSelection()

    @property
    def data_defaults(self) -> DataDefaults:
        """The options that are in use where none were given; what suited the first log is kept by a refit."""
        defaults = self.selected.data_defaults
        assert defaults is not None  # they come first when it is fitted
        given = {name: getattr(self, name, None) for name in asdict(defaults)}
        given["most_epochs"] = self.epochs  # who says how many wants no more
        return replace(defaults, **{name: option for name, option in given.items() if option is not None})

    @property
    def history_length(self) -> int:
        """How many events back it looks: the option, else what suited the first log."""
        return self.data_defaults.max_length

    @abstractmethod
    def _body(self) -> nn.Module:
        """Return the network that turns vectors of events ``[batch, time, dim]`` and the events into as many vectors.

        Its first argument is what the events' items and other inputs are together, its second an
        :class:`~poise.train.batches.sequences.EventTensors`. One that does less where only the newest event of each row
        is asked for is a :class:`~poise.models.nn.single_position.SinglePositionModule`.
        """

    def unsupported_reason(self, data: Dataset) -> str | None:
        """See :meth:`Recommender.unsupported_reason`: no order to learn."""
        if (np.diff(data.events.offsets) > 1).any():
            return None
        return "nobody has two events, so there is no order to learn; use Popularity or Content"

    def _batches(self, data: Dataset, least_steps: int, seed: int) -> SequenceBatches:
        """Return what to learn from: by default, to say after each event what comes next."""
        return SequenceBatches(
            data.events,
            batch_events=self.batch_events,
            max_length=self.history_length,
            augmentation=Augmentation(self.crop, self.shuffle, self.mask_prob),
            seed=seed,
            least_steps=least_steps,
        )

    def _request_inputs(self, sequences: Sequences) -> Sequences:
        """Return what the network reads to answer a request: by default, the history."""
        return sequences

    def _fit(self, data: Dataset, valid: Holdout | None, options: FitOptions) -> None:
        import torch

        if self.selected.data_defaults is None:
            self.selected = replace(self.selected, data_defaults=DataDefaults.to(data))
        seed = options.seed_or(self.seed)
        batches = self._batches(data, LEAST_STEPS, seed)
        self.counts = data.item_counts
        self.n_behaviours = len(data.behaviour_ids)
        self.has_clock = data.events.has_time
        if self.time_features != "none" and not self.has_clock:
            self._note("the log has no times: time_features does nothing")
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            table, network = self._item_table(data), self._network()
        self._learn_anew(
            self._learning(table, network, batches, options),
            data,
            valid,
            options,
            epochs=self.data_defaults.epochs,
            most_epochs=self.data_defaults.most_epochs,
            unvalidated_epochs=UNVALIDATED_EPOCHS,
        )
        self.until = data.events.until

    def _update(self, data: Dataset, valid: Holdout | None, options: FitOptions) -> None:
        """Learn on from where it stands: see :func:`~poise.train.batches.replay.new_and_replayed` for what from."""
        seed = options.seed_or(self.seed)
        update_data = data.select(new_and_replayed(data.events, self.until, self.history_length, seed=seed))
        table, network = self._fitted_table(data), copy.deepcopy(self.network)
        self.counts = data.item_counts
        if self.unsupported_reason(update_data) is None:
            training = self._training(options, UPDATE_PASSES, None)
            training = replace(training, learning_rate=UPDATE_RATE * training.learning_rate)
            learning = self._learning(table, network, self._batches(update_data, 1, seed), options)
            self._learn(learning, training, valid, options)
        else:  # nobody did anything new that has an order
            self._keep(table, network)
        self.until = data.events.until

    def _training(self, options: FitOptions, epochs: int, stop: int | None) -> Training:
        return replace(
            super()._training(options, epochs, stop),
            min_lr_ratio=self.min_lr_ratio,
            lr_plateau_factor=self.lr_plateau_factor,
            precision=self.precision,
        )

    def _learning(
        self, table: ItemEmbedding, network: nn.Module, batches: SequenceBatches, options: FitOptions
    ) -> Learning:
        """Move a table of items and a network to the device, to be learnt together."""
        import torch

        from poise.train.batches.negative_sampler import NegativeSampler
        from poise.train.device import pick_device

        device = pick_device(options.device)
        table.to(device), network.to(device)
        # In a batch, the targets of others are met as often as they are popular, however negatives are drawn elsewhere.
        negative_sampling = "popularity" if self.loss == "in_batch" else self.negative_sampling
        sampler = NegativeSampler(torch.from_numpy(self.counts).to(device), negative_sampling)
        return Learning(
            [table, network],
            batches,
            lambda batch: self._loss(batch, table, network, sampler),
            lambda: self._keep(table, network),
        )

    def _item_table(self, data: Dataset) -> ItemEmbedding:
        self.content_pca = ContentProjection.of(data, [] if self.items == "id" else self.vectors, self.components)
        if not self.content_pca.width and self.items == "text":
            raise DataError(
                f"{self.name}: {data.name!r} has no vectors {' or '.join(map(repr, self.vectors))}; "
                "encode the catalogue, by [encoder] in poise.toml or with TextEncoder().encode_items(data), "
                "or choose items='id'"
            )
        if not self.content_pca.width and self.items == "fused":
            self._note("the data has no vectors of its items: ids alone, so new items cannot be ranked")
        return self._new_table(data)

    def _new_table(self, data: Dataset) -> ItemEmbedding:
        import torch

        from poise.models.nn.item_embedding import ItemEmbedding

        content = torch.from_numpy(self.content_pca.project(data)) if self.content_pca.width else None
        return ItemEmbedding(
            data.n_items, self.dim, content, id_embedding=self.items != "text", id_dropout=self.id_dropout
        )

    def _fitted_table(self, data: Dataset) -> ItemEmbedding:
        """Return the fitted items, for a catalogue that has grown; new ones have no id vector."""
        import torch

        old = self._old_indices(data)
        table = self._new_table(data)
        with torch.no_grad():
            if table.content_projection is not None:
                table.content_projection.weight.copy_(torch.from_numpy(self.content_projection))
            if table.id_embedding is not None:
                table.id_embedding.copy_(self.table[torch.from_numpy(old).to(self.table.device)])
                if table.content_projection is not None:
                    table.id_embedding.sub_(table.content_projection(table.content))
                table.id_embedding.mul_(torch.from_numpy(self.counts[old] > 0)[:, None])
        return table

    def _network(self) -> nn.Module:
        from poise.models.nn.sequence_network import SequenceNetwork

        return SequenceNetwork(
            self.dim, self.n_behaviours, self.time_features if self.has_clock else "none", self._body()
        )

    def _loss(self, batch: SequenceBatch, table: ItemEmbedding, network: nn.Module, sampler: NegativeSampler) -> Tensor:
        import torch

        from poise.train.losses.next_item import Objective, next_item_loss

        events = batch.sequences.to(table.device)
        shown = table.draw_shown()
        return next_item_loss(
            lambda items: table(items, shown),
            lambda vectors: network(vectors, events),
            events.items.clamp(min=0),
            torch.from_numpy(batch.targets).to(table.device),
            Objective(
                loss=self.loss,
                negatives=self.negatives,
                negative_sampling=self.negative_sampling,
                logq_correction=self.logq_correction,
                smoothing=self.smoothing,
            ),
            sampler,
        )

    def _keep(self, table: ItemEmbedding, network: nn.Module) -> None:
        """Hold on to what scoring needs. The id vector of an item without events has learnt nothing."""
        import torch

        with torch.no_grad():
            everything = torch.arange(table.n_items + 1, device=table.device)
            touched = torch.from_numpy(self.counts > 0).to(table.device, torch.float32)[:, None]
            self._set_vectors(table(everything, touched), self.counts)
        self.content_projection = (
            None if table.content_projection is None else table.content_projection.weight.detach().cpu().numpy()
        )
        self.network = network

    def encode_queries(self, queries: Queries) -> Tensor:
        """Return the query vector of each history, ``[n, dim]``; like lengths are read together."""
        import torch

        positions = rows(np.maximum(queries.start, queries.stop - self.history_length), queries.stop)  # [n, time]
        request_times = np.zeros(len(queries), dtype=np.int64) if queries.time is None else queries.time
        lengths = (positions >= 0).sum(axis=1)
        query_vectors: Tensor = self.table.new_zeros(len(positions), self.dim)
        order = np.argsort(lengths, kind="stable")
        for batch in np.array_split(order, lengths.sum() // EVENTS_AT_ONCE + 1):
            if len(batch):
                batch_positions = positions[batch, : max(int(lengths[batch].max()), 1)]
                when = np.where(
                    np.arange(batch_positions.shape[1]) == lengths[batch, None] - 1, request_times[batch, None], 0
                )
                if batch_positions.shape[1] > 1:  # after each event but the newest, the request is that of the next
                    following = np.where(
                        batch_positions[:, 1:] >= 0, queries.events.timestamp[batch_positions[:, 1:]], when[:, :-1]
                    )
                    when = np.hstack([following, when[:, -1:]])
                events = self._request_inputs(Sequences.of(queries.events, batch_positions, when)).to(self.table.device)
                last = (events.real.sum(dim=1) - 1).clamp(min=0)
                read = self.network(self.table[events.items.clamp(min=0)], events, last)  # [n, 1, dim]
                query_vectors[torch.from_numpy(batch)] = read[:, 0]
        return query_vectors

    def _encode_new_items(self, data: Dataset, items: Offsets) -> Tensor:
        import torch

        if self.content_projection is None:
            return self.table.new_zeros(len(items), self.dim)
        return torch.from_numpy(self.content_pca.project(data, items) @ self.content_projection.T).to(self.table)

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        arrays = {
            **super()._arrays(),
            "inputs": np.array([self.n_behaviours, self.has_clock]),
            "until": np.array([self.until]),
        }
        return arrays if self.content_projection is None else {**arrays, "content_projection": self.content_projection}

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self.n_behaviours, self.has_clock = int(arrays["inputs"][0]), bool(arrays["inputs"][1])
        self.until = int(arrays["until"][0])
        self.content_projection = arrays.get("content_projection")
        super()._restore(arrays)
