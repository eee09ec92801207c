"""Train RecTools' SASRec on a job of ``compare_libraries``: runs where RecTools is installed and Poise is not."""

from __future__ import annotations

import json
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel
from rectools.models.nn.item_net import IdEmbeddingsItemNet

from benchmarks._common import peak_memory_mb


class Clock(Callback):
    """Notes down how many targets a second each epoch has, from its start to the end of its last training step."""

    def __init__(self) -> None:
        self.speeds: list[float] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.speeds.append(0.0)
        self.targets = 0
        self.begun = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: dict[str, torch.Tensor], batch_idx: int
    ) -> None:
        self.targets += int((batch["y"] > 0).sum())
        self.speeds[-1] = self.targets / (time.perf_counter() - self.begun)


class Validation(Callback):
    """Logs NDCG@10 over the whole catalogue with seen items masked, which RecTools does not measure by itself."""

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: dict[str, torch.Tensor],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        expected = pl_module.torch_model.encode_sessions(batch, pl_module.item_embs)[:, -1]  # [batch, dim]
        scores = expected @ pl_module.item_embs.T  # [batch, n_items + 1]
        scores.scatter_(1, batch["x"], -torch.inf)
        scores[:, 0] = -torch.inf
        rank = (scores > scores.gather(1, batch["y"])).sum(1)
        ndcg = torch.where(rank < 10, 1 / torch.log2(rank + 2.0), 0.0)
        self.log("ndcg", ndcg.mean(), on_step=False, on_epoch=True, batch_size=len(rank))


def make_trainer(job: dict[str, Any]) -> Trainer:
    """Return one that runs a fixed number of epochs, or until validation no longer improves or the time is up."""
    common: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }
    if not job["quality"]:
        return Trainer(
            max_epochs=1 + job["runs"],
            limit_train_batches=job["batches"],
            limit_val_batches=0,
            enable_checkpointing=False,
            callbacks=[Clock()],
            **common,
        )
    callbacks = [
        Clock(),
        Validation(),
        EarlyStopping("ndcg", mode="max", patience=job["patience"]),
        ModelCheckpoint(dirpath=job["folder"], filename="rectools", monitor="ndcg", mode="max"),
    ]
    return Trainer(max_epochs=-1, max_time={"minutes": job["minutes"]}, callbacks=callbacks, **common)


def last_events(interactions: pd.DataFrame) -> pd.Series:
    """Return which events are the last of their user, a mask: the validation part."""
    return interactions.groupby(Columns.User)[Columns.Datetime].rank(ascending=False, method="first") == 1


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(job["threads"])
    seed_everything(job["seed"])
    events = pd.read_csv(job["events"], dtype={"user": str, "item": str})
    events = events.rename(columns={"user": Columns.User, "item": Columns.Item, "place": Columns.Datetime})
    events[Columns.Weight] = 1.0
    data = Dataset.construct(events)
    model = SASRecModel(
        n_blocks=job["blocks"],
        n_heads=job["heads"],
        n_factors=job["dim"],
        dropout_rate=job["dropout"],
        session_max_len=job["max_length"],
        loss={"sampled_softmax": "sampled_softmax", "full_softmax": "softmax"}[job["loss"]],
        n_negatives=job["negatives"],
        batch_size=job["batch_users"],
        item_net_block_types=(IdEmbeddingsItemNet,),
        get_val_mask_func=last_events,
        get_trainer_func=make_trainer,
        get_trainer_func_kwargs={"job": job},
    )
    start = time.perf_counter()
    model.fit(data)
    minutes = (time.perf_counter() - start) / 60
    clock = next(callback for callback in model.fit_trainer.callbacks if isinstance(callback, Clock))
    if job["quality"]:
        checkpoint = next(callback for callback in model.fit_trainer.callbacks if isinstance(callback, ModelCheckpoint))
        model.load_weights_from_checkpoint(checkpoint.best_model_path)
        users = events[Columns.User].unique()
        slates = model.recommend(users=users, dataset=data, k=10, filter_viewed=True)
        slates = slates.sort_values([Columns.User, Columns.Rank]).groupby(Columns.User)[Columns.Item].agg(list)
        Path(job["slates"]).write_text(json.dumps(slates.to_dict()), encoding="utf-8")
    learnt = model.data_preparator.train_dataset
    result = {
        "version": version("rectools"),
        "events_per_epoch": len(learnt.interactions.df) - learnt.user_id_map.size,
        "events_per_second": statistics.median(clock.speeds[1:] or clock.speeds),
        "epochs": len(clock.speeds),
        "minutes": minutes,
        "peak_memory_mb": peak_memory_mb(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
