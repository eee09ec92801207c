"""What all models share that are networks of PyTorch: how they learn, explain, are saved, and take new items."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt, Lt
from pydantic.dataclasses import dataclass

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.models.checkpoint_key import checkpoint_key
from poise.models.content_projection import ContentProjection
from poise.models.inner_product import InnerProduct, new_items, under
from poise.models.validation import mean_ndcg, sample
from poise.options.fit_options import FitOptions
from poise.options.selection import Selection
from poise.recommender import OPTIONS
from poise.types import Floats, Indices, Offsets

if TYPE_CHECKING:
    from torch import Tensor, nn

    from poise.train.loop import Batches, Training


@dataclasses.dataclass(frozen=True)
class EpochSelection(Selection):
    """What a model that learns by epochs selected.

    Attributes:
        epochs: after which validation was best; without validation, all.
    """

    epochs: int | None = None


@dataclasses.dataclass(frozen=True)
class Learning:
    """What is learnt from what.

    Attributes:
        modules: what learns, together, on its device.
        batches: what to learn from.
        loss: of one batch, a scalar.
        keep: lets the model hold on to what scoring needs, as it is learnt so far.
    """

    modules: list[nn.Module]
    batches: Batches[Any]
    loss: Callable[[Any], Tensor]
    keep: Callable[[], None]


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class TorchModel(InnerProduct):
    """A network that turns a request into a query vector near those of the items that come next.

    A subclass hands what it learns from and by which loss to :meth:`_learn_anew`, and says how a request and a new item
    become vectors, and what ``network`` is, which reads requests and is saved with the vectors of the items.

    Args:
        vectors: which of the data set's vectors of items to use, by the names that the encoders gave them.
        components: how many principal components of each to keep.
        id_dropout: the share of items that each training step shows by their content alone.
        dim: the length of the vectors inside.
        negatives: items that are drawn for a batch, to be distinguished from the targets; where there are no
            more than that, all are taken.
        batch_events: events to predict a batch.
        learning_rate: of AdamW, at its highest.
        weight_decay: its L2 penalty.
        ema_decay: see :class:`~poise.train.loop.Training`.
        patience: epochs without a better validation metric after which to stop.
        seed: of everything that chance decides.
    """

    vectors: list[str] = field(default_factory=lambda: ["text"])
    components: Annotated[int, Ge(1)] = 128
    id_dropout: Annotated[float, Ge(0), Lt(1)] = 0.1
    dim: Annotated[int, Ge(1)] = 128
    negatives: Annotated[int, Ge(1)] = 4096
    batch_events: Annotated[int, Ge(1)] = 1024
    learning_rate: Annotated[float, Gt(0)] = 2e-3
    weight_decay: Annotated[float, Ge(0)] = 0.01
    ema_decay: Annotated[float, Ge(0), Lt(1)] = 0.99
    patience: Annotated[int, Ge(1)] = 5
    seed: Annotated[int, Ge(0)] = 0

    selected = EpochSelection()

    @property
    @abstractmethod
    def history_length(self) -> int:
        """How many events back it looks."""

    @abstractmethod
    def _network(self) -> nn.Module:
        """Return the network that reads requests, with its first weights."""

    @abstractmethod
    def _encode_new_items(self, data: Dataset, items: Offsets) -> Tensor:
        """Return the vectors of items without events by what is known of them, ``[n, dim]``; zero for nothing.

        Args:
            data: the catalogue.
            items: int64 ``[n]``, their indices there.
        """

    def _training(self, options: FitOptions, epochs: int, stop: int | None) -> Training:
        """Return how to learn; see :class:`~poise.train.loop.Training` for ``epochs`` and ``stop``."""
        from poise.train.loop import Training

        return Training(
            epochs=epochs,
            stop=stop,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            ema_decay=self.ema_decay,
            patience=self.patience,
            seed=options.seed_or(self.seed),
        )

    def _learn_anew(
        self,
        learning: Learning,
        data: Dataset,
        valid: Holdout | None,
        options: FitOptions,
        *,
        epochs: int,
        unvalidated_epochs: int,
        most_epochs: int | None = None,
    ) -> None:
        """Learn for as many epochs as validation selects, or selected before.

        Args:
            learning: what is learnt from what.
            data: what the batches are of.
            valid: what to choose the epoch by.
            options: how and where to fit.
            epochs: at most; the learning rate is laid out for so many.
            most_epochs: that there may be where validation still improves then; None for no more.
            unvalidated_epochs: after which to stop where there has never been a validation part.
        """
        selected = self.selected.epochs
        stop = selected or (min(unvalidated_epochs, epochs) if valid is None else None)
        training = dataclasses.replace(self._training(options, epochs, stop), most_epochs=most_epochs)
        key = checkpoint_key(self, data, valid, training.seed, selected)
        best = self._learn(learning, training, valid, options, key)
        self.selected = dataclasses.replace(self.selected, epochs=best)
        if valid is not None and best >= (most_epochs or epochs):
            self._note(f"validation was best after the last of {best} passes: more of them ('epochs') may be better")

    def _learn(
        self,
        learning: Learning,
        training: Training,
        valid: Holdout | None,
        options: FitOptions,
        key: str | None = None,
    ) -> int:
        """Learn, keep what was learnt, and return after how many epochs it was best.

        Args:
            learning: what is learnt from what.
            training: how.
            valid: what to choose the epoch by.
            options: how and where to fit.
            key: as ``name`` of :func:`~poise.train.loop.train`.
        """
        from torch import nn

        from poise.train.loop import train

        part = None if valid is None else sample(valid)

        def validate() -> float:
            learning.keep()
            assert part is not None
            return mean_ndcg(self, part)

        progress = train(
            nn.ModuleList(learning.modules),
            learning.batches,
            learning.loss,
            training,
            options=options,
            validate=None if part is None else validate,
            name=key,
            label=self.name,
        )
        learning.keep()
        if part is not None:
            self.metrics = {"NDCG@10": progress.best_metric}
        return progress.best_epoch

    def attributions(self, query: Queries, items: Indices) -> Floats:
        """See :meth:`Recommender.attributions`: what a score loses when an event is left out of what is read.

        The source is Li, Monroe and Jurafsky, *Understanding Neural Networks through Representation Erasure*, 2016.
        """
        import torch

        variants = leave_one_out(query, self.history_length)
        with torch.inference_mode():
            query_vectors = self.encode_queries(variants)  # [n_read + 1, dim]
            query_vectors[torch.from_numpy(~self._is_personalized(variants)).to(query_vectors.device)] = 0
            scores = (query_vectors @ self.table[torch.from_numpy(items).to(self.table.device)].T).cpu().numpy()
        lost = np.zeros((int(query.lengths[0]), len(items)), dtype=np.float32)
        lost[len(lost) + 1 - len(scores) :] = scores[0] - scores[1:]  # [n_read, k]
        return lost

    def _grow(self, data: Dataset) -> None:
        import torch

        old = self._old_indices(data)
        with torch.no_grad():
            self._move_vectors(old, self._encode_new_items(data, new_items(old)))

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        network = {f"network.{name}": value.cpu().numpy() for name, value in self.network.state_dict().items()}
        return {**super()._arrays(), **network, **self.content_pca.to_arrays()}

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        import torch

        self.content_pca = ContentProjection.from_arrays(arrays)
        self._restore_vectors(arrays, torch.device("cpu"))
        self.network = self._network().eval()
        weights = under("network.", arrays)
        self.network.load_state_dict({name: torch.from_numpy(weight) for name, weight in weights.items()})

    def _move_to(self, device: str | None) -> None:
        from poise.train.device import pick_device

        where = pick_device(device)
        if self.table.device == where:
            return
        indices = self.neighbour_index, self.clusters
        self.network.to(where)
        self._set_vectors(self.table.to(where), self.counts)
        self._set_indices(*indices)


def leave_one_out(query: Queries, last: int) -> Queries:
    """Return one request with the ``last`` events of its history, and then without each of these in turn.

    Args:
        query: one request.
        last: how many events back to look.
    """
    log = query.events
    read = np.arange(max(int(query.start[0]), int(query.stop[0]) - last), query.stop[0])
    variants = [read, *(np.delete(read, position) for position in range(len(read)))]
    histories = Queries.from_histories(
        [log.item[positions] for positions in variants],
        query.item_ids,
        behaviours=[log.behaviour[positions] for positions in variants],
        timestamps=[log.timestamp[positions] for positions in variants],
    )
    repeated = query.take(np.zeros(len(variants), dtype=np.int64))
    return dataclasses.replace(repeated, events=histories.events, start=histories.start, stop=histories.stop)
