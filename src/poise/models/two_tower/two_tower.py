from __future__ import annotations

import json
from dataclasses import field, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from annotated_types import Ge, Lt
from pydantic.dataclasses import dataclass
from scipy import sparse

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.data.ragged import gather_slices
from poise.data.vocabulary import Vocabulary
from poise.features import ColumnFeatures
from poise.models.content_projection import ContentProjection
from poise.models.torch_model import Learning, TorchModel
from poise.options.fit_options import FitOptions
from poise.recommender import OPTIONS
from poise.train.batches.request_batches import RequestBatch, RequestBatches
from poise.types import Indices, Mask, Offsets

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from poise.models.two_tower.towers import Towers
    from poise.train.batches.negative_sampler import NegativeSampler

UNVALIDATED_EPOCHS = 15  # without a validation part to say when to stop: about what it says on a shop and on films
LEAST_STEPS = 100  # between two looks at validation
ITEMS_AT_ONCE = 65_536  # that are turned into vectors together


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class TwoTower(TorchModel):
    """Two networks that meet in one space: one reads an item, the other a request; an item scores by their product.

    The tower of items reads a vector that is learnt for the item, its content and its columns. The tower of requests
    reads the mean of the history's items, the newest weighing most, the columns of the user, and the context of the
    request. In each step some items are shown by content and columns alone, and some requests without their history, so
    that a new item is ranked and a new person is served from the first moment. Where nothing at all is known of a
    request, items score by the number of their events. What is not listed here is of
    :class:`~poise.models.torch_model.TorchModel`.

    The sources are Covington, Adams and Sargin, *Deep Neural Networks for YouTube Recommendations*, 2016; Yi et al.,
    *Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations*, 2019; and for id dropout Volkovs,
    Yu and Poutanen, *DropoutNet: Addressing Cold Start in Recommender Systems*, 2017.

    Args:
        item_columns: the columns of the items to read; None for all with labels or numbers.
        user_columns: the columns of the users to read; None for all with labels or numbers.
        context_columns: the columns of the events to read: those alone that are known when a request is made, such as
            the device; never what comes of it, such as a rating.
        id_dropout: the share of items that each step shows by content and columns alone, and of requests without
            history.
        max_length: how many events back it looks.
        dropout: the share of numbers that are dropped inside while it learns.
        loss: ``sampled_softmax``, against items that are drawn evenly, or ``in_batch``, against the other targets of
            the batch, corrected for how popular they are.
        epochs: passes over the events, at most. Small logs are passed over several times an epoch. Validation chooses
            when to stop.
    """

    item_columns: list[str] | None = None
    user_columns: list[str] | None = None
    context_columns: list[str] = field(default_factory=list)
    max_length: Annotated[int, Ge(1)] = 50
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.5
    loss: Literal["sampled_softmax", "in_batch"] = "sampled_softmax"
    epochs: Annotated[int, Ge(1)] = 30
    patience: Annotated[int, Ge(1)] = 3

    @property
    def history_length(self) -> int:
        """How many events back it looks."""
        return self.max_length

    def _fit(self, data: Dataset, valid: Holdout | None, options: FitOptions) -> None:
        import torch
        from torch import nn

        from poise.models.nn.item_embedding import DEVIATION
        from poise.train.batches.negative_sampler import NegativeSampler, NegativeSampling
        from poise.train.device import pick_device

        counts, seed = data.item_counts, options.seed_or(self.seed)
        device = pick_device(options.device)
        self._learn_inputs(data)
        inputs = _Inputs(
            data.events.item,
            data.events.user,
            *self._content(data, device),
            users=_after_padding(self.user_features.matrix(data.users, data.n_users)),
            context=self.context_features.matrix(data.events.context, data.n_events),
        )
        batches = RequestBatches(
            data.events,
            size=self.batch_events,
            max_length=self.max_length,
            first=inputs.has_request_features,
            seed=seed,
            least_steps=LEAST_STEPS,
        )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            towers = self._network()
            id_embedding = nn.Embedding(data.item_ids.size, self.dim)
            nn.init.normal_(id_embedding.weight, std=DEVIATION)
        towers.to(device), id_embedding.to(device)
        negative_sampling: NegativeSampling = (
            "popularity" if self.loss == "in_batch" else "uniform"
        )  # of targets, in_batch has to know the chance
        sampler = NegativeSampler(torch.from_numpy(counts).to(device), negative_sampling)
        learning = Learning(
            [towers, id_embedding],
            batches,
            lambda batch: self._loss(batch, towers, id_embedding, inputs, sampler),
            lambda: self._keep(towers, id_embedding.weight, inputs, counts),
        )
        self._learn_anew(learning, data, valid, options, epochs=self.epochs, unvalidated_epochs=UNVALIDATED_EPOCHS)

    def _learn_inputs(self, data: Dataset) -> None:
        """Fit the projections of content and the features of columns on what has events."""
        has_events = data.item_counts > 0
        self.content_pca = ContentProjection.of(data, self.vectors, self.components)
        self.item_features = ColumnFeatures.fit(
            data.items.filter(pl.Series(has_events[1:])) if data.items.width else data.items,
            data.item_kinds,
            only=self.item_columns,
        )
        is_active = np.diff(data.events.offsets)[1:] > 0
        self.user_features = ColumnFeatures.fit(
            data.users.filter(pl.Series(is_active)) if data.users.width else data.users,
            data.user_kinds,
            only=self.user_columns,
        )
        self.context_features = ColumnFeatures.fit(data.events.context, only=self.context_columns)

    def _content(self, data: Dataset, device: torch.device) -> tuple[Tensor, sparse.csr_array]:
        """Return the content of items, ``[n_items + 1, components]``, and the features of their columns, sparse."""
        import torch

        content = torch.from_numpy(self.content_pca.project(data)).to(device)
        return content, _after_padding(self.item_features.matrix(data.items, data.n_items))

    def _network(self) -> Towers:
        from poise.models.two_tower.towers import ItemTower, RequestTower, Towers

        users, context = self.user_features.width, self.context_features.width
        return Towers(
            ItemTower(self.content_pca.width, self.item_features.width, self.dim, self.dropout),
            RequestTower(self.max_length, users, context, self.dim, self.dropout),
        )

    def _loss(
        self, batch: RequestBatch, towers: Towers, id_embedding: nn.Embedding, data: _Inputs, sampler: NegativeSampler
    ) -> Tensor:
        import torch

        from poise.train.losses.pointwise import in_batch_softmax
        from poise.train.losses.shared_softmax import find_accidental_hits, shared_softmax

        device = data.content.device
        start = batch.start
        if data.has_request_features:
            start = np.where(torch.rand(len(start)).numpy() < self.id_dropout, batch.target, start)
        positions, offsets = gather_slices(start, batch.target)
        read, targets = (
            torch.from_numpy(data.item[positions_of].astype(np.int64)).to(device)
            for positions_of in (positions, batch.target)
        )
        drawn = sampler.sample(self.negatives) if self.loss == "sampled_softmax" else targets[:0]
        items, places = torch.unique(torch.cat([read, targets, drawn]), return_inverse=True)  # each is computed once
        of_read, of_targets, of_drawn = places.split([len(read), len(targets), len(drawn)])
        shown = torch.rand(len(items), 1, device=device) >= (self.id_dropout if data.has_item_features else 0)
        vectors = towers.items(
            id_embedding(items) * shown, data.content[items], data.columns[items.cpu().numpy()]
        )  # [m, dim]
        users, context = data.users[data.user[batch.target]], data.context[batch.target]
        query_vectors = towers.requests(vectors, of_read, offsets, users, context)  # [n, dim]
        if self.loss == "in_batch":
            return in_batch_softmax(query_vectors, vectors[of_targets], targets, sampler.log_chance(targets))
        return shared_softmax(
            query_vectors, vectors[of_targets], vectors[of_drawn], find_accidental_hits(targets, drawn)
        )

    def _keep(self, towers: Towers, id_vectors: Tensor, data: _Inputs, counts: Offsets) -> None:
        """Hold on to what scoring needs. The id vector of an item without events has learnt nothing."""
        import torch

        touched = torch.from_numpy(counts > 0).to(data.content.device, torch.float32)[:, None]
        with torch.no_grad():
            self._set_vectors(_item_vectors(towers.items, id_vectors * touched, data.content, data.columns), counts)
        self.network: Towers = towers

    def _is_personalized(self, queries: Queries) -> Mask:
        users, context = self._situations(queries)
        has_features: Mask = (np.diff(users.indptr) > 0) | (np.diff(context.indptr) > 0)
        return has_features | (queries.lengths > 0)

    @property
    def reads_users(self) -> bool:
        """See :attr:`Recommender.reads_users`."""
        return self.user_features.width > 0

    def _situations(self, queries: Queries) -> tuple[sparse.csr_array, sparse.csr_array]:
        """Return the features of the users and of the context, sparse ``[n, features]`` each."""
        n = len(queries)
        return self.user_features.matrix(queries.users, n), self.context_features.matrix(queries.context, n)

    def encode_queries(self, queries: Queries) -> Tensor:
        """See :meth:`InnerProduct.encode_queries`: the tower of requests."""
        import torch

        histories = queries.histories(self.max_length)[1]
        items = torch.from_numpy(histories.values.astype(np.int64)).to(self.table.device)
        query_vectors: Tensor = self.network.requests(self.table, items, histories.offsets, *self._situations(queries))
        return query_vectors

    def _encode_new_items(self, data: Dataset, items: Offsets) -> Tensor:
        added = replace(
            data,
            item_ids=Vocabulary(data.item_ids.series.gather(items - 1)),
            items=data.items[items - 1] if data.items.width else data.items,
            vectors={name: vectors[np.append(0, items)] for name, vectors in data.vectors.items()},
        )
        content, columns = self._content(added, self.table.device)
        id_vectors = self.table.new_zeros(added.item_ids.size, self.dim)
        return _item_vectors(self.network.items, id_vectors, content, columns)[1:]

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        arrays = super()._arrays()
        features = [self.item_features, self.user_features, self.context_features]
        arrays["features"] = np.frombuffer(json.dumps([part.to_json() for part in features]).encode(), dtype=np.uint8)
        return arrays

    def _restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self.item_features, self.user_features, self.context_features = (
            ColumnFeatures.from_json(text) for text in json.loads(arrays["features"].tobytes())
        )
        super()._restore(arrays)


@dataclass(frozen=True, config=OPTIONS)
class _Inputs:
    """What the towers read of a data set.

    Attributes:
        item: int32 ``[n_events]``.
        user: int32 ``[n_events]``.
        content: ``[n_items + 1, components]``, of items.
        columns: sparse ``[n_items + 1, features]``, of their columns.
        users: sparse ``[n_users + 1, features]``.
        context: sparse ``[n_events, features]``.
    """

    item: Indices
    user: Indices
    content: Any
    columns: sparse.csr_array
    users: sparse.csr_array
    context: sparse.csr_array

    @property
    def has_item_features(self) -> bool:
        """Whether anything is known of items but their events."""
        return bool(self.content.shape[1] or self.columns.shape[1])

    @property
    def has_request_features(self) -> bool:
        """Whether anything is known of requests but their history."""
        return bool(self.users.shape[1] or self.context.shape[1])


def _after_padding(features: sparse.csr_array) -> sparse.csr_array:
    """Return the features with an empty row before them, so that a row stands at the index of its item or user."""
    return sparse.vstack([sparse.csr_array((1, features.shape[1]), dtype=np.float32), features], format="csr")


def _item_vectors(tower: nn.Module, id_vectors: Tensor, content: Tensor, columns: sparse.csr_array) -> Tensor:
    """Return the vectors of all items, ``[n_items + 1, dim]``; zero for padding and for items without any input."""
    import torch

    parts = []
    for first in range(0, len(id_vectors), ITEMS_AT_ONCE):
        rows = slice(first, first + ITEMS_AT_ONCE)
        parts.append(tower(id_vectors[rows], content[rows], columns[rows]))
    vectors: Tensor = torch.cat(parts)
    has_columns = torch.from_numpy(np.diff(columns.indptr) > 0).to(vectors.device)
    has_input: Tensor = id_vectors.any(dim=1) | content.any(dim=1) | has_columns
    return vectors * has_input[:, None]
