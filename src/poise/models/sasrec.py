from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt, Le, Lt
from pydantic.dataclasses import dataclass

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.queries import Queries
from poise.models.validation import mean_ndcg, sample
from poise.recommender import OPTIONS, Recommender
from poise.train.augment import Augmentation
from poise.types import Floats, Indices

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class SASRec(Recommender):
    """experimental."""

    items: Literal["fused", "text", "id", "null"] = "fused"
    vectors: str = "text"
    components: int = 128
    forgotten: float = 0.0
    dim: int = 128
    blocks: int = 1
    heads: int = 4
    block: Literal["ligr", "classic"] = "ligr"
    max_length: int = 50
    dropout: float = 0.5
    loss: str = "sampled"
    negatives: int = 4096
    draw: str = "uniform"
    log_q: bool = False
    smoothing: float = 0.0
    crop: float = 0.0
    shuffle: float = 0.0
    mask: float = 0.0
    batch_size: int = 128
    epochs: int = 20
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    final: float = 1.0
    average: float = 0.0
    patience: int = 3
    seed: int = 0
    device: str | None = None
    per_event: bool = False
    verbose: bool = False
    table_scale: float = 0.02
    cosine: float = 0.0

    def _fit(self, data, valid):
        import torch, time
        from poise.models.item_table import ItemTable, leading_components
        from poise.models.transformer import Transformer
        from poise.train import losses
        from poise.train.batches import SequenceBatches
        from poise.train.loop import Training, train
        from poise.train.negatives import NegativeSampler
        from torch import nn
        import torch.nn.functional as F

        torch.manual_seed(self.seed)
        counts = data.item_counts
        meaning = None
        if self.items != "id":
            meaning = torch.from_numpy(leading_components(np.asarray(data.vectors[self.vectors], np.float32), counts > 0, self.components))
        self.network = net = nn.Module()
        net.items = ItemTable(data.n_items, self.dim, meaning, ids=self.items != "text", forgotten=self.forgotten)
        net.body = Transformer(self.dim, self.blocks, self.heads, self.max_length, self.dropout, self.block)
        self.unseen = counts == 0
        batches = SequenceBatches(data.events, batch_size=self.batch_size, max_length=self.max_length,
            augmentation=Augmentation(self.crop, self.shuffle, self.mask), seed=self.seed)
        sampler = NegativeSampler(torch.from_numpy(counts), self.draw)
        mean_positions = batches.n_targets / len(batches)

        def loss(batch):
            items, targets = torch.from_numpy(batch.items), torch.from_numpy(batch.targets)
            view = net.items.view()
            hidden = net.body(net.items(items, view))
            real = targets > 0
            hidden, targets = hidden[real], targets[real]
            if self.cosine:
                hidden = F.normalize(hidden, dim=-1) / self.cosine
            norm = (lambda x: F.normalize(x, dim=-1)) if self.cosine else (lambda x: x)
            if self.loss == "full":
                value = losses.full_softmax(hidden @ norm(net.items(torch.arange(data.n_items + 1), view)).T, targets, smoothing=self.smoothing)
            else:
                drawn = sampler.sample(self.negatives)
                pos = (hidden * norm(net.items(targets, view))).sum(-1)
                neg = hidden @ norm(net.items(drawn, view)).T
                lq = None
                if self.log_q:
                    import math
                    lq = (torch.zeros(len(targets)), sampler.log_chance(drawn) + math.log(self.negatives))
                value = losses.sampled_softmax(pos, neg, targets[:, None] == drawn, log_q=lq, smoothing=self.smoothing)
            if self.per_event:
                value = value * (len(targets) / mean_positions)
            return value

        part = None if valid is None else valid
        def validate():
            self._tabulate()
            v = mean_ndcg(self, part)
            if self.verbose:
                print("   epoch ndcg %.5f  %.1fs" % (v, time.time() - t), flush=True)
            return v
        t = time.time()
        self.progress = train(net, batches, loss, Training(epochs=self.epochs, learning_rate=self.learning_rate, weight_decay=self.weight_decay, final=self.final, average=self.average, patience=self.patience, seed=self.seed), validate=None if valid is None else validate)
        self.chosen["epochs"] = self.progress.best_epoch
        self._tabulate()

    def _tabulate(self):
        import torch
        import torch.nn.functional as F
        with torch.no_grad():
            n = self.network.items.n_items
            view = torch.from_numpy(~self.unseen).float()[:, None]
            t = self.network.items(torch.arange(n + 1), view)
            self.table = F.normalize(t, dim=-1) if self.cosine else t

    def score(self, queries):
        import torch
        from poise.train.batches import padded
        with torch.no_grad():
            start = np.maximum(queries.start, queries.stop - self.max_length)
            items = torch.from_numpy(padded(queries.events.item, start, queries.stop))
            hidden = self.network.body(self.network.items(items, torch.from_numpy(~self.unseen).float()[:, None]))
            last = torch.from_numpy(np.maximum(queries.stop - start - 1, 0))
            hidden = hidden[torch.arange(len(hidden)), last]
            return (hidden @ self.table.T).numpy()
